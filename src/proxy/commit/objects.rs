//! A success about objects of an account, and the content of a file.
//!
//! 1. An object is held to its end, so that the ids in it are remembered before the client sees them.
//! 2. A failed batch or job shows an error and is an answer. An error alone is none.
//! 3. An address of the account in the object becomes the pool's.
//! 4. The answer to a realtime call is no JSON: the call's id stands in `location`.
//! 5. Events and files pass on arrival. Nothing at all is an answer, too: some deletions say no more.

use std::collections::VecDeque;

use actix_web::http::header::LOCATION;
use actix_web::web::Bytes;

use super::UpstreamResponse;
use super::success::JSON_HELD;
use crate::dialect::first_bytes::{Shape, without_byte_order_mark};
use crate::dialect::redact::redacted;
use crate::dialect::{ReplyKind, WholeAnswer, is_error_alone};
use crate::proxy::attempt_error::AttemptError;
use crate::proxy::headers;
use crate::proxy::response::CommittedResponse;
use crate::types::{Failure, FailureClass, ObjectKey, Phase};

impl UpstreamResponse<'_> {
    /// Returns an object, or events about one.
    pub(super) async fn object(mut self, shape: Shape) -> Result<Box<CommittedResponse>, AttemptError> {
        if shape == Shape::Events || headers::is_event_stream(self.headers) {
            let mut answer = self.file().await?;
            headers::mark_stream(&mut answer.headers);
            return Ok(answer);
        }
        if headers::is_encoded(self.headers) {
            return self.file().await;
        }
        if headers::is_of_kind(self.headers, headers::CALL) {
            let made = self.headers.get(LOCATION).and_then(|location| location.to_str().ok()).and_then(object_at);
            let mut answer = self.file().await?;
            answer.made = made.into_iter().collect();
            return Ok(answer);
        }
        let (body, is_whole) = self.body.collect(JSON_HELD).await?;
        if !is_whole {
            self.body.put_back(body);
            return self.file().await;
        }
        if headers::content_length(self.headers).is_some_and(|length| length != body.len() as u64) {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "the answer was cut short").into());
        }
        let json = without_byte_order_mark(&body).trim_ascii();
        if !json.is_empty() && !json.starts_with(b"{") && !json.starts_with(b"[") {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "200 with a body that is no JSON").into());
        }
        if is_error_alone(json) {
            let answer = WholeAnswer { kind: ReplyKind::Json, ..self.whole(&body) };
            if let Err(failure) = self.request.route.dialect.answer(answer, self.sent()) {
                return self.error_in_success(failure, body);
            }
        }
        let mut answer = self.committed(self.status, VecDeque::new());
        answer.made = self.request.route.dialect.made_objects(self.whole(&body));
        if !body.is_empty() {
            self.label_json(&mut answer.headers);
        }
        let base = self.request.base.as_deref();
        let body = base.and_then(|base| self.request.route.dialect.at_base(&body, base)).unwrap_or(body);
        let body = redacted(body, &self.permit.endpoint().key);
        answer.length = Some(body.len() as u64);
        answer.buffered.push_back(body);
        Ok(answer)
    }

    /// Returns whatever comes, passed on at once.
    pub(super) async fn file(mut self) -> Result<Box<CommittedResponse>, AttemptError> {
        let first = self.body.next().await?;
        let has_ended = first.is_none();
        let mut answer = self.committed(self.status, VecDeque::from([first.unwrap_or_else(Bytes::new)]));
        if !has_ended {
            answer.length = headers::content_length(self.headers);
            answer.body = Some(self.body);
        }
        Ok(answer)
    }
}

/// Returns the object at the end of a path or a URL.
fn object_at(location: &str) -> Option<ObjectKey> {
    let path = location.split(['?', '#']).next()?;
    path.trim_end_matches('/').rsplit('/').next().filter(|id| !id.is_empty()).map(ObjectKey::of_id)
}
