//! An upstream's response up to the commit point: an answer for the client, or a failure for the retry loop.
//!
//! The request (a stream or not) and the first bytes decide what a success is. The label is a hint.
//!
//! | asked for | came | |
//! |---|---|---|
//! | a stream | events | held back until the first content, then passed on at once |
//! | a stream | one JSON object | held back to the end, then passed on as events |
//! | one object | JSON | held back to the end; a large one is passed on at once |
//! | one object | events | another upstream is asked; if none serves, the events are put together to one object |
//! | sound | bytes | passed on at once, except an error in JSON, or a page |

mod objects;
mod success;

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use tokio::time::Instant;

use super::attempt_error::{AttemptError, Replay, about_objects};
use super::client_request::ClientRequest;
use super::headers;
use super::response::{BodyReader, CommittedResponse, UpstreamBody};
use crate::dialect::redact::redacted_error;
use crate::dialect::{RefusedResponse, SentRequest, rate_limit_headers};
use crate::error::upstream_said;
use crate::types::{ClassSet, Failure, FailureClass, Now, Outcome};
use crate::upstream::Permit;

/// How much of an error's body is looked at, and kept for the client: a longer one can't be searched for the upstream's key.
const ERROR_HELD: usize = 64 << 10;

/// How long an error's body may take: another upstream is waiting to serve.
const ERROR_WITHIN: Duration = Duration::from_secs(2);

/// A response whose head has come.
pub(super) struct UpstreamResponse<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: UpstreamBody,
    pub(super) permit: &'a Permit,
    pub(super) request: &'a ClientRequest,
    pub(super) retry_on: ClassSet,
}

impl UpstreamResponse<'_> {
    /// Waits for as much of the body as is needed to know whether it is an answer.
    ///
    /// # Errors
    /// With a failure of the upstream's.
    pub(super) async fn until_commit_point(self) -> Result<Box<CommittedResponse>, AttemptError> {
        if !self.status.is_success() {
            return self.refusal().await;
        }
        self.success().await
    }

    /// A refusal. The caller's own mistake passes through, unless others are to be tried all the same. Anything else is a failure.
    async fn refusal(mut self) -> Result<Box<CommittedResponse>, AttemptError> {
        let (body, whole) = self.refusal_text().await;
        let refused = RefusedResponse { status: self.status.as_u16(), headers: self.headers, body: &body };
        let failure = self.request.route.dialect.refusal(refused, self.sent(), Now::read());
        let failure = about_objects(failure, self.request);
        // A redirect would send the client to the upstream.
        if !self.status.is_client_error() && !self.status.is_server_error() {
            return Err(failure.into());
        }
        let response = if whole {
            self.refused(self.status, body, failure.clone())
        } else {
            self.refused_in_our_words(failure.clone())
        };
        let asked_usage = self.permit.doubts_stream_options() && self.request.lacks_usage();
        let replay = matches!(self.status.as_u16(), 400 | 422) && asked_usage;
        let is_doubted = self.is_doubted(&failure);
        if self.passes(&failure) && !replay && !is_doubted {
            return Ok(response);
        }
        let error = AttemptError { is_doubted, ..AttemptError::with_response(failure, response) };
        Err(if replay { AttemptError { replay: Some(Replay::WithoutStreamOptions), ..error } } else { error })
    }

    /// Returns the text of a refusal, and whether the text is whole. A compressed text can't be read.
    async fn refusal_text(&mut self) -> (Bytes, bool) {
        if headers::is_encoded(self.headers) {
            return (Bytes::new(), false);
        }
        self.body.deadline = self.body.deadline.min(Instant::now() + ERROR_WITHIN);
        self.body.collect(ERROR_HELD).await.unwrap_or_default()
    }

    /// Is this failure for the client, whoever else there is?
    fn passes(&self, failure: &Failure) -> bool {
        let has_room_elsewhere = failure.context_exceeded && self.request.has_next_model();
        failure.class == FailureClass::Rejected && !self.retry_on.contains(failure.class) && !has_room_elsewhere
    }

    /// Is this rejection the upstream's own way, perhaps? A moderator's verdict is not, and a longer context is a matter of the model.
    fn is_doubted(&self, failure: &Failure) -> bool {
        let is_of_form = failure.class == FailureClass::Rejected && !failure.moderated && !failure.context_exceeded;
        is_of_form && self.permit.endpoint().quirks.retry_rejected
    }

    /// The upstream's name for the model.
    fn upstream_model(&self) -> &str {
        let requested = &self.request.profile.model;
        self.permit.endpoint().upstream_model(requested).unwrap_or(requested)
    }

    fn sent(&self) -> SentRequest<'_> {
        SentRequest {
            upstream_model: self.upstream_model(),
            body: Some(self.request.json()),
            key: Some(&self.permit.endpoint().key),
        }
    }

    /// Handles a 200 without an answer. The caller's own mistake passes through, with the proper status for the mistake.
    fn error_in_success(&self, failure: Failure, error: Bytes) -> Result<Box<CommittedResponse>, AttemptError> {
        let status = failure.status.and_then(|status| StatusCode::from_u16(status).ok());
        let is_missing = failure.class == FailureClass::ObjectNotHere;
        let is_doubted = self.is_doubted(&failure);
        let Some(status) = status.filter(|_| is_missing || is_doubted || self.passes(&failure)) else {
            return Err(failure.into());
        };
        let mut answer = self.refused(status, error, failure.clone());
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(headers::JSON));
        if !is_missing && !is_doubted {
            return Ok(answer);
        }
        Err(AttemptError { is_doubted, ..AttemptError::with_response(failure, answer) })
    }

    /// An error, as the client is to see it.
    fn refused(&self, status: StatusCode, error: Bytes, failure: Failure) -> Box<CommittedResponse> {
        let error = redacted_error(error, &self.permit.endpoint().key);
        let length = Some(error.len() as u64);
        let mut answer = self.committed(status, [error].into());
        rate_limit_headers::strip_invalid_retry_after(&mut answer.headers, Now::read().wall);
        answer.length = length;
        answer.outcome = Outcome::Failed(failure);
        answer
    }

    /// Returns an error whose own text did not come whole, or can't be read: the status says enough.
    fn refused_in_our_words(&self, failure: Failure) -> Box<CommittedResponse> {
        let error = upstream_said(self.request.route.id.format(), self.status, "its reason did not arrive").to_string();
        let mut answer = self.refused(self.status, error.into(), failure);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(headers::JSON));
        answer.headers.remove(CONTENT_ENCODING);
        answer
    }

    /// Returns an answer of this attempt, complete but for what the caller knows better.
    fn committed(&self, status: StatusCode, buffered: VecDeque<Bytes>) -> Box<CommittedResponse> {
        Box::new(CommittedResponse {
            status,
            headers: headers::response_headers(self.headers, &self.permit.endpoint().key),
            buffered,
            body: None,
            length: None,
            reader: BodyReader::Opaque,
            made: Vec::new(),
            usage: None,
            outcome: Outcome::Completed,
            first_token: self.permit.elapsed(),
            quota_exhausted_for: rate_limit_headers::exhausted_for(self.headers, Now::read().wall),
        })
    }
}
