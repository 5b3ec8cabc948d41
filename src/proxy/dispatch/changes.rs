//! What an answer changes beside the homes of new objects: removed ones are forgotten, secrets remembered, files kept.

use std::rc::Rc;

use actix_web::web::Bytes;

use crate::dialect::SecretUse;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::client_secrets::{ClientSecret, MadeSecret};
use crate::proxy::pool::Upstreams;
use crate::proxy::replicate;
use crate::proxy::response::CommittedResponse;
use crate::records::OpenRecord;
use crate::types::{ApiId, Now, ObjectKey};

/// Makes the changes of an account's answer about objects, before the client has the answer.
pub(super) async fn make<U: Upstreams>(
    upstreams: &Rc<U>,
    request: &ClientRequest,
    (api, response): (&ApiId, &CommittedResponse),
    record: &mut OpenRecord,
) {
    let rules = &request.route.objects;
    let answer = response.buffered.front();
    if let Some(gone) = request.last_id.filter(|_| rules.forgets) {
        upstreams.homes().forget(vec![gone]);
        replicate::remove_copies(upstreams, gone);
    }
    if rules.secret == SecretUse::Made {
        remember_secret(&**upstreams, record, (api, answer));
    }
    if let Some(copies) = upstreams.copies().filter(|_| rules.is_file && request.replicates) {
        replicate::keep(copies, request, answer).await;
    }
}

/// Remembers the secret of a realtime session in an account's answer.
fn remember_secret(upstreams: &impl Upstreams, record: &mut OpenRecord, (api, answer): (&ApiId, Option<&Bytes>)) {
    let mut key = None;
    record.with(|record| key.clone_from(&record.key));
    let made = answer.and_then(|answer| MadeSecret::read(answer));
    let (Some(MadeSecret { value, expires_at }), Some(key), Some(secrets)) = (made, key, upstreams.secrets()) else {
        return;
    };
    let expires = expires_at.saturating_mul(1_000);
    secrets.remember(&value, ClientSecret { api: api.clone(), key, expires }, Now::read().wall);
    upstreams.homes().remember(vec![ObjectKey::of_id(&value)], api);
}
