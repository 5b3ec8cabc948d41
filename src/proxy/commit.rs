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

mod success;

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use tokio::time::Instant;

<<<<<<< HEAD
use super::attempt::{AttemptError, Replay};
use super::client_request::ClientRequest;
use super::headers;
use super::response::{BodyReader, CommittedResponse, UpstreamBody};
use crate::dialect::first_bytes::{Shape, is_text, without_byte_order_mark};
use crate::dialect::large_answer::LargeAnswer;
use crate::dialect::openai::as_events::events_of;
use crate::dialect::openai::as_object::object_of;
use crate::dialect::openai::json_response::judge;
use crate::dialect::redact::redacted;
use crate::dialect::{EventStream, ReplyKind, SentRequest, openai, rate_limit_headers, sse};
=======
use super::classify::Refusal;
use super::no_model::Asked;
use super::request::ClientRequest;
use super::response::{BodyReader, CommittedResponse, Failed, UpstreamBody};
use super::{headers, learn};
use crate::dialect::redact::redacted;
>>>>>>> h6
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
<<<<<<< HEAD
    pub(super) async fn until_commit_point(mut self) -> Result<CommittedResponse, AttemptError> {
        if !self.status.is_success() {
            return self.refusal().await;
        }
        let shape = self.shape().await?;
        let looks_plain =
            matches!(shape, Shape::Events | Shape::Json) && !headers::is_encoded_without_mark(self.headers);
        if headers::is_encoded(self.headers) && !looks_plain {
            return self.bytes().await;
        }
        let kind = self.kind();
        match shape {
            Shape::Events if kind == ReplyKind::Bytes => self.events().await,
            _ if kind == ReplyKind::Bytes => self.sound(shape).await,
            Shape::Events if !self.request.stream => self.events_in_place_of_json().await,
            Shape::Events => self.events().await,
            Shape::Other | Shape::Unknown if self.request.stream && headers::is_event_stream(self.headers) => {
                self.events().await
            }
            Shape::Json | Shape::Other | Shape::Unknown => self.json().await,
        }
    }

    fn kind(&self) -> ReplyKind {
        self.request.route.reply
    }

    fn sent(&self) -> SentRequest<'_> {
        SentRequest {
            upstream_model: self.own_model(),
            body: Some(self.request.body()),
            key: Some(&self.permit.endpoint().key),
        }
    }

    /// Reads on until the first bytes tell what the body is, and puts them back.
    async fn shape(&mut self) -> Result<Shape, Failure> {
        let mut first = Bytes::new();
        while let Some(chunk) = self.body.next().await? {
            first = if first.is_empty() { chunk } else { [first, chunk].concat().into() };
            if Shape::of(&first) != Shape::Unknown || first.len() > PREAMBLE_HELD {
                break;
            }
        }
        let shape = Shape::of(&first);
        self.body.put_back(first);
        Ok(shape)
=======
    pub(super) async fn until_commit_point(self) -> Result<CommittedResponse, Failed> {
        if !self.status.is_success() {
            return self.refusal().await;
        }
        self.success().await
>>>>>>> h6
    }

    /// A refusal. The caller's own mistake passes through, unless others are to be tried all the same. Anything else is a failure.
    async fn refusal(mut self) -> Result<CommittedResponse, AttemptError> {
        let (body, whole) = self.refusal_text().await;
        let failure = openai::refusal(self.status.as_u16(), self.headers, &body, self.sent(), Now::read());
        let response = if whole {
            self.refused(self.status, body, failure.clone())
        } else {
            self.refused_in_our_words(failure.clone())
        };
        let asked_usage = self.permit.doubts_stream_options() && self.request.lacks_usage();
        let replay = matches!(self.status.as_u16(), 400 | 422) && asked_usage;
        if self.passes(failure.class) && !replay {
            return Ok(response);
        }
<<<<<<< HEAD
        let error = AttemptError::with_response(failure, response);
        Err(if replay { AttemptError { replay: Some(Replay::WithoutStreamOptions), ..error } } else { error })
=======
        let body = answer.buffered.into_iter().next().unwrap_or_default();
        Err(Failed { failure, usage: None, response: Some(Box::new((answer.status, answer.headers, body))) })
>>>>>>> h6
    }

    /// What the upstream says of its refusal, and whether that is all of it. What is compressed can't be read.
    async fn refusal_text(&mut self) -> (Bytes, bool) {
        if headers::is_encoded(self.headers) {
            return (Bytes::new(), false);
        }
        self.body.deadline = self.body.deadline.min(Instant::now() + ERROR_WITHIN);
        self.body.collect(ERROR_HELD).await.unwrap_or_default()
    }

    /// Is a failure of this class for the client, whoever else there is?
    fn passes(&self, class: FailureClass) -> bool {
        class == FailureClass::Rejected && !self.retry_on.contains(class)
    }

    /// The upstream's name for the model.
    fn own_model(&self) -> &str {
        let requested = &self.request.profile.model;
        self.permit.endpoint().upstream_model(requested).unwrap_or(requested)
    }

<<<<<<< HEAD
    /// A stream: held back until it carries content.
    async fn events(mut self) -> Result<CommittedResponse, AttemptError> {
        let mut events = self.event_stream();
        let mut buffered: VecDeque<Bytes> = VecDeque::new();
        let mut size = 0;
        let mut has_ended = false;
        while !events.progress.began() && !events.progress.closed() && size <= PREAMBLE_HELD {
            match self.body.next().await? {
                Some(chunk) => {
                    size += chunk.len();
                    events.feed(&chunk, &mut buffered);
                }
                None => {
                    has_ended = true;
                    buffered.extend(events.finish());
                }
            }
            if !events.progress.began()
                && let Some(failed) = events.progress.failed()
            {
                let error = sse::data(&failed.event).unwrap_or_default().into_owned();
                return self.told(failed.failure.clone(), error.into());
            }
            if has_ended {
                break;
            }
        }
        let progress = &events.progress;
        let is_empty = !progress.began() && !progress.generated() && (has_ended || progress.closed());
        if is_empty || has_ended && !progress.is_whole() {
            return Err(Failure::new(FailureClass::Empty, Phase::Body, "a stream without content").into());
        }
        let mut answer = self.committed(self.status, buffered);
        self.label_events(&mut answer.headers);
        // A body that has ended must not be read again: its connection may serve another request by now.
        let body = if has_ended { None } else { Some(self.body) };
        Ok(CommittedResponse { body, reader: BodyReader::Events(Box::new(events.committed())), ..answer })
    }

    /// Returns the reader of this upstream's events.
    fn event_stream(&self) -> EventStream {
        let strip = self.permit.ask_usage && self.request.lacks_usage();
        let key = self.permit.endpoint().key.clone();
        EventStream::new(self.kind(), strip).of_upstream(self.own_model(), self.request.body().clone(), key)
    }

    fn label_events(&self, headers: &mut HeaderMap) {
        headers::mark_stream(headers);
        headers::set_kind(headers, headers::EVENTS);
        headers.remove(CONTENT_ENCODING);
    }

    /// Events, although one object was asked for: another upstream may know better. If none does, the client gets the object
    /// that the events tell.
    async fn events_in_place_of_json(mut self) -> Result<CommittedResponse, AttemptError> {
        let failure = Failure::new(FailureClass::WrongForm, Phase::Body, "events in the place of one JSON object");
        let (stream, is_whole) = self.body.collect(JSON_HELD).await?;
        if !is_whole {
            return Err(failure.into());
        }
        let mut events = self.event_stream();
        let mut shown: Vec<Bytes> = Vec::new();
        events.feed(&stream, &mut shown);
        shown.extend(events.finish());
        if let Some(failed) = events.progress.failed() {
            let error = sse::data(&failed.event).unwrap_or_default().into_owned();
            return self.told(failed.failure.clone(), error.into());
        }
        if !events.progress.is_whole() {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "the stream broke off").into());
        }
        let Some(object) = object_of(self.kind(), &stream) else { return Err(failure.into()) };
        if let Err(failure) = judge(self.kind(), &object, self.request.body_len(), self.sent()) {
            return self.told(failure, object);
        }
        let mut answer = self.committed(self.status, VecDeque::new());
        self.label_json(&mut answer.headers);
        answer.buffered.push_back(redacted(object, &self.permit.endpoint().key));
        Err(AttemptError::with_response(failure, answer))
    }

    /// A JSON answer: held back until it is whole.
    async fn json(mut self) -> Result<CommittedResponse, AttemptError> {
        let (body, is_whole) = self.body.collect(JSON_HELD).await?;
        let announced = headers::content_length(self.headers);
        let mut answer = self.committed(self.status, VecDeque::new());
        self.label_json(&mut answer.headers);
        let is_stream_due = self.request.stream && self.kind().generates_text();
        if !is_whole && is_stream_due {
            let failure =
                Failure::new(FailureClass::WrongForm, Phase::Body, "one large JSON object in the place of events");
            return Err(failure.into());
        }
        if !is_whole {
            let reader = BodyReader::Large(LargeAnswer::new(self.kind(), &body));
            let body = Some(body).into_iter().collect();
            return Ok(CommittedResponse {
                buffered: body,
                body: Some(self.body),
                length: announced,
                reader,
                ..answer
            });
        }
        if announced.is_some_and(|length| length != body.len() as u64) {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "the answer was cut short").into());
        }
        let usage = match judge(self.kind(), &body, self.request.body_len(), self.sent()) {
            Ok(usage) => usage,
            Err(failure) => return self.told(failure, body),
        };
        let body = redacted(body.slice_ref(without_byte_order_mark(&body)), &self.permit.endpoint().key);
        let events =
            if self.request.stream { events_of(self.kind(), &body, !self.request.lacks_usage()) } else { None };
        let body = match events {
            Some(events) => {
                self.label_events(&mut answer.headers);
                events
            }
            None if is_stream_due => {
                let failure =
                    Failure::new(FailureClass::WrongForm, Phase::Body, "one JSON object in the place of events");
                return Err(failure.into());
            }
            None => body,
        };
        let length = Some(body.len() as u64);
        Ok(CommittedResponse { buffered: [body].into(), usage, length, ..answer })
    }

    fn label_json(&self, headers: &mut HeaderMap) {
        headers::set_kind(headers, headers::JSON);
        headers.remove(CONTENT_ENCODING);
    }

=======
>>>>>>> h6
    /// What came with a 200 and is no answer. The caller's own mistake passes through, with the status that it should
    /// have had.
    fn told(&self, failure: Failure, error: Bytes) -> Result<CommittedResponse, AttemptError> {
        let status = failure.status.and_then(|status| StatusCode::from_u16(status).ok());
        match status.filter(|_| self.passes(failure.class)) {
            Some(status) => {
                let mut answer = self.refused(status, error, failure);
                answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(headers::JSON));
                Ok(answer)
            }
            None => Err(failure.into()),
        }
    }

    /// An error, as the client is to see it.
    fn refused(&self, status: StatusCode, error: Bytes, failure: Failure) -> CommittedResponse {
        let error = redacted(error, &self.permit.endpoint().key);
        let length = Some(error.len() as u64);
        let mut answer = self.committed(status, [error].into());
        rate_limit_headers::strip_invalid_retry_after(&mut answer.headers, Now::read().wall);
        CommittedResponse { length, outcome: Outcome::Failed(failure), ..answer }
    }

    /// The same of one whose own text did not come whole, or can't be read: the status says enough.
    fn refused_in_our_words(&self, failure: Failure) -> CommittedResponse {
        let error = upstream_said(self.status, "its reason did not arrive").to_string();
        let mut answer = self.refused(self.status, error.into(), failure);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(headers::JSON));
        answer.headers.remove(CONTENT_ENCODING);
        answer
    }

<<<<<<< HEAD
    /// Sound, unless it is an error in JSON, or a page for people.
    async fn sound(mut self, shape: Shape) -> Result<CommittedResponse, AttemptError> {
        let (head, is_whole) = match shape {
            Shape::Json => self.body.collect(ERROR_HELD).await?,
            Shape::Events | Shape::Other | Shape::Unknown => (self.body.next().await?.unwrap_or_default(), false),
        };
        let is_json = is_whole && serde_json::from_slice::<IgnoredAny>(without_byte_order_mark(&head)).is_ok();
        let is_page = head.trim_ascii_start().starts_with(b"<") || headers::is_of_kind(self.headers, headers::TEXT);
        let is_error = !is_json && is_page && is_text(&head) && !head.is_empty();
        self.body.put_back(head);
        if is_error {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "a text in the place of sound").into());
        }
        if is_json { self.json().await } else { self.bytes().await }
    }

    /// Sound, or a compressed answer: passed on as it comes, once something came.
    async fn bytes(mut self) -> Result<CommittedResponse, AttemptError> {
        let Some(first) = self.body.next().await? else {
            return Err(Failure::new(FailureClass::Empty, Phase::Body, "200 without a body").into());
        };
        let answer = self.committed(self.status, [first].into());
        Ok(CommittedResponse { body: Some(self.body), length: headers::content_length(self.headers), ..answer })
    }

=======
>>>>>>> h6
    /// Returns an answer of this attempt, complete but for what the caller knows better.
    fn committed(&self, status: StatusCode, buffered: VecDeque<Bytes>) -> CommittedResponse {
        CommittedResponse {
            status,
            headers: headers::response_headers(self.headers, &self.permit.endpoint().key),
            buffered,
            body: None,
            length: None,
            reader: BodyReader::Opaque,
            usage: None,
            outcome: Outcome::Completed,
            first_token: self.permit.elapsed(),
            quota_exhausted_for: rate_limit_headers::exhausted_for(self.headers, Now::read().wall),
        }
    }
}
