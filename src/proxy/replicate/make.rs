//! Makes a copy: the kept form goes to the account that needs the file.
//!
//! 1. An account that does not take the file is one without the object: nothing is held against the account, and another one is asked.
//!    A broken connection or a deadline is the account's own trouble, as in any attempt.
//! 2. Requests that need the same copy at once wait for one upload. If that fails, all of them ask elsewhere.
//! 3. The upload runs under the permit of the request and counts against no limit, as any upload.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use actix_web::http::header::{HeaderName, HeaderValue};
use tokio::time::{Instant, timeout, timeout_at};
use transport::{IncomingResponse, OutgoingBody};

use crate::proxy::attempt_error::failure_of;
use crate::proxy::client_request::{BodyEdit, NamedFiles};
use crate::proxy::file_copies::{FileCopies, FileRecord, uploaded_id};
use crate::proxy::headers::Header;
use crate::proxy::pool::{OutgoingRequest, Upstreams};
use crate::proxy::response::UpstreamBody;
use crate::proxy::upload::pieces_of;
use crate::types::{Failure, FailureClass, ObjectKey, Phase, SentAt, Verb};
use crate::upstream::Endpoint;

/// The longest answer to an upload that is read, in bytes.
const LONGEST_ANSWER: usize = 64 << 10;

/// Where an upload goes, below a base URL.
const UPLOAD_PATH: Cow<'static, str> = Cow::Borrowed("files");

/// An account's own ids of files.
#[derive(Debug, Default)]
pub(in crate::proxy) struct OwnIds {
    /// The ids, and where they go.
    pub(in crate::proxy) edits: Vec<BodyEdit>,
    /// Was a copy made for this request?
    pub(in crate::proxy) is_new: bool,
}

/// Returns an account's own ids of the files that live elsewhere. Missing copies are made. What can't be copied keeps the client's id.
///
/// # Errors
/// When the account does not take a file.
///
/// # Cancel safety
/// Dropping the future ends the upload. The account may keep a file then that nobody knows.
pub(in crate::proxy) async fn ids_on(
    upstreams: &impl Upstreams,
    endpoint: &Endpoint,
    files: &NamedFiles,
) -> Result<OwnIds, Failure> {
    let mut own = OwnIds::default();
    let Some(copies) = upstreams.copies() else { return Ok(own) };
    let maker = CopyMaker { upstreams, copies, endpoint };
    for file in files.0.iter().filter(|file| file.home.as_ref() != Some(&endpoint.api)) {
        let known = copies.copy_at(&file.object, &endpoint.api);
        own.is_new |= known.is_none();
        let id = match known {
            Some(known) => Some(known),
            None => maker.make(file.object).await?,
        };
        own.edits.extend(id.into_iter().flat_map(|id| file.at.iter().map(move |at| (at.clone(), id.clone()))));
    }
    Ok(own)
}

/// Forgets the copies of an account that does not know them, or the files that are gone at their home. Returns whether the same account
/// may be asked again: with a new copy.
pub(in crate::proxy) async fn forget_missing(
    upstreams: &impl Upstreams,
    endpoint: &Endpoint,
    files: &NamedFiles,
) -> bool {
    let Some(copies) = upstreams.copies() else { return false };
    if files.live_at(&endpoint.api) {
        for file in &files.0 {
            if copies.take(&file.object).is_some() {
                copies.erase(file.object).await;
            }
        }
        return false;
    }
    let mut may_try_again = false;
    for file in &files.0 {
        may_try_again |= copies.forget_copy(&file.object, &endpoint.api).await;
    }
    may_try_again
}

struct CopyMaker<'a, U> {
    upstreams: &'a U,
    copies: &'a Arc<FileCopies>,
    endpoint: &'a Endpoint,
}

impl<U: Upstreams> CopyMaker<'_, U> {
    /// Makes a copy of a file, or waits until another request has. Returns the id; `None` if no form is kept.
    async fn make(&self, file: ObjectKey) -> Result<Option<String>, Failure> {
        let api = &self.endpoint.api;
        let turn = self.copies.turn(file, api);
        let failures = turn.failures();
        let locked = timeout(self.endpoint.timeouts.total, turn.lock.lock()).await;
        let _turn = locked.map_err(|_| not_taken("another request uploads the file, and has not come to an end"))?;
        if let Some(id) = self.copies.copy_at(&file, api) {
            return Ok(Some(id));
        }
        if turn.failures() != failures {
            return Err(not_taken("the account did not take the file from another request"));
        }
        let Some((record, form)) = self.copies.open_form(file).await else { return Ok(None) };
        let made = self.upload(&record, form).await;
        let id = made.inspect_err(|_| turn.failed())?;
        if !self.copies.add_copy(&file, api, &id).await {
            turn.failed();
            return Err(not_taken("the file was removed meanwhile"));
        }
        self.upstreams.homes().remember(vec![ObjectKey::of_id(&id)], api);
        log::info!("{} was copied to {api} as {id}", record.id);
        Ok(Some(id))
    }

    /// Uploads a kept form. Returns the id.
    async fn upload(&self, record: &FileRecord, form: std::fs::File) -> Result<String, Failure> {
        let endpoint = self.endpoint;
        let reach = endpoint.reach(record.format).ok_or_else(|| not_taken("the account does not speak the format"))?;
        let form = Arc::new(Mutex::new(form));
        let outgoing = OutgoingRequest {
            verb: Verb::Post,
            path: &UPLOAD_PATH,
            query: &record.query,
            model: "",
            headers: &headers_of(record),
            body: OutgoingBody::Stream(record.length, Box::pin(pieces_of(form, 0, record.length))),
            sent_at: &SentAt::default(),
        };
        let deadline = Instant::now() + endpoint.timeouts.total;
        let IncomingResponse { head, body } = timeout_at(deadline, self.upstreams.send((endpoint, reach), outgoing))
            .await
            .map_err(|_| Failure::new(FailureClass::Timeout, Phase::Head, "no answer to an upload in time"))?
            .map_err(failure_of)?;
        let (answer, _) = UpstreamBody::new(body, endpoint.timeouts.idle, deadline).collect(LONGEST_ANSWER).await?;
        if !head.status().is_success() {
            return Err(not_taken(&format!("the account answered an upload with {}", head.status().as_u16())));
        }
        uploaded_id(&answer).ok_or_else(|| not_taken("the account's answer to an upload names no file"))
    }
}

fn not_taken(why: &str) -> Failure {
    Failure::new(FailureClass::ObjectNotHere, Phase::Head, format!("no copy of a file: {why}"))
}

/// Returns the headers of an upload.
pub(super) fn headers_of(record: &FileRecord) -> Vec<Header> {
    let read = |(name, value): &(String, String)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()).ok()?))
    };
    record.headers.iter().filter_map(read).collect()
}
