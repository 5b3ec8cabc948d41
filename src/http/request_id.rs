//! Every answer has an `x-request-id` (the upstream's own or ours), and every request has a record.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use actix_web::{HttpMessage, HttpRequest};

use super::Worker;
use super::auth::worker;
use crate::config::Identity;
use crate::error::Refused;
use crate::records::{OpenRecord, RequestEnd};
use crate::types::{AppName, RequestId};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The program's name for OpenRouter's statistics.
const X_TITLE: HeaderName = HeaderName::from_static("x-title");

/// Names an answer without a name.
pub(super) fn name(headers: &mut HeaderMap, id: &RequestId) {
    if !headers.contains_key(X_REQUEST_ID)
        && let Ok(value) = HeaderValue::from_str(id.as_str())
    {
        headers.insert(X_REQUEST_ID, value);
    }
}

pub(super) fn open_record(worker: &Worker, request: &HttpRequest, id: RequestId) -> OpenRecord {
    let path = Cow::Owned(request.path().to_owned());
    let mut record = OpenRecord::new(worker.recorder.clone(), id, request.method().clone(), path);
    record.with(|record| {
        record.client = request.peer_addr().map(|peer| peer.ip());
        record.key = request.extensions().get::<Identity>().map(|caller| caller.name().clone());
        record.app = worker.last_app.of(request.headers());
    });
    record
}

/// Returns the client's program.
pub(super) fn app_of(headers: &HeaderMap) -> AppName {
    let value = |name| headers.get(name).map(HeaderValue::as_bytes);
    AppName::of(value(USER_AGENT), value(X_TITLE))
}

/// The longest `User-Agent` that is remembered, in bytes.
const LONGEST_REMEMBERED: usize = 256;

/// A worker's last `User-Agent`, and the program. Programs send the same header with every request.
#[derive(Default, Clone)]
pub(super) struct LastApp(Rc<RefCell<(Vec<u8>, AppName)>>);

impl LastApp {
    /// Returns the client's program.
    fn of(&self, headers: &HeaderMap) -> AppName {
        let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
        if agent.len() > LONGEST_REMEMBERED || headers.contains_key(X_TITLE) {
            return app_of(headers);
        }
        let mut last = self.0.borrow_mut();
        if last.0 != agent {
            *last = (agent.to_vec(), app_of(headers));
        }
        last.1
    }
}

/// Names and records an answer without a name. (An answer with a name comes from the data path, and has a record.)
pub(super) fn name_and_record(response: &mut ServiceResponse<impl MessageBody>) {
    if response.headers().contains_key(X_REQUEST_ID) {
        return;
    }
    let id = RequestId::generate();
    let request = response.request();
    if let Ok(worker) = worker(request) {
        let mut record = open_record(worker, request, id);
        record.answered(response.status());
        if let Some(Refused { code, cause, reason, .. }) = response.response().extensions().get() {
            record.ended(RequestEnd::Refused { code, cause, reason: reason.clone() });
        }
    }
    name(response.headers_mut(), &id);
}
