//! Removes the copies of a removed file. Best effort: an account that can't be asked keeps its copy.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use tokio::time::timeout;

use super::make::headers_of;
use crate::dialect::routes_at;
use crate::mailbox::spawn;
use crate::proxy::file_copies::FileRecord;
use crate::proxy::pool::{OutgoingRequest, Upstreams};
use crate::scheduler::Select;
use crate::types::{ApiId, ObjectKey, Outcome, ParameterSet, Profile, RequestTarget, Settlement, TokenEstimate, Verb};

/// How long an account may take to remove a copy.
const REMOVE_WITHIN: Duration = Duration::from_secs(30);

/// Forgets a file that is gone, and removes the copies in the background.
pub(in crate::proxy) fn remove_copies<U: Upstreams>(upstreams: &Rc<U>, file: ObjectKey) {
    let Some(record) = upstreams.copies().and_then(|copies| copies.take(&file)) else { return };
    let upstreams = upstreams.clone();
    spawn(async move {
        if let Some(copies) = upstreams.copies() {
            copies.erase(file).await;
        }
        for (api, id) in &record.copies {
            let removed = timeout(REMOVE_WITHIN, remove(&*upstreams, (api, id), &record)).await;
            if !removed.unwrap_or(false) {
                log::warn!(
                    "the copy {id} of a removed file stays at {api}: the account could not be asked to remove it"
                );
            }
        }
    });
}

/// Removes a copy. Returns whether the account did.
async fn remove(upstreams: &impl Upstreams, (api, id): (&ApiId, &str), record: &FileRecord) -> bool {
    let format = record.format;
    let mut headers = headers_of(record);
    headers.retain(|(name, _)| *name != CONTENT_TYPE);
    let path = format!("files/{id}");
    let Some(row) = routes_at(&path, format).find(|row| row.id.verb() == Verb::Delete) else { return false };
    let profile = Profile {
        model: Arc::default(),
        route: row.id,
        estimate: TokenEstimate::default(),
        session: None,
        parameters: ParameterSet::NONE,
        apis: None,
    };
    let client = Arc::new(());
    let select = Select {
        profile,
        target: RequestTarget::Home(api.clone()),
        excluded: Vec::new(),
        client: Arc::downgrade(&client),
        may_queue: false,
        may_panic: false,
    };
    let Ok(admitted) = upstreams.select(select).await else { return false };
    let permit = admitted.permit;
    let endpoint = permit.endpoint();
    // An account that has left the configuration is not asked, and no other account is.
    let Some(reach) = endpoint.reach(format).filter(|_| endpoint.api == *api) else { return false };
    let outgoing = OutgoingRequest {
        verb: Verb::Delete,
        path: &Cow::Owned(path),
        query: &record.query,
        model: "",
        headers: &headers,
        body: Bytes::new().into(),
        sent_at: &permit.sent_at,
    };
    let answered = upstreams.send((endpoint, reach), outgoing).await;
    let is_gone = answered.is_ok_and(|answer| answer.head.status().is_success() || answer.head.status() == 404);
    upstreams.homes().forget(vec![ObjectKey::of_id(id)]);
    let duration = permit.elapsed();
    permit.settle(Settlement::of(Outcome::Completed, duration));
    is_gone
}
