//! What an upstream answered, judged: is it an answer that the client may see, or a failure that it need not?

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use tokio::time::Instant;

use super::classify::Refusal;
use super::exchange::{Answer, Failed, Source};
use super::no_model::Asked;
use super::request::ClientRequest;
use super::scrub::scrubbed;
use super::stream::EventStream;
use super::{answer, headers, learn, sse};
use crate::error::upstream_said;
use crate::types::{ClassSet, Failure, FailureClass, Now, Outcome, Phase, Usage};
use crate::upstream::Permit;

/// How much of an error's body is looked at, and kept for the client: a longer one can't be searched for the upstream's key.
const ERROR_HELD: usize = 64 << 10;

/// How long an error's body may take: another upstream is waiting to serve.
const ERROR_WITHIN: Duration = Duration::from_secs(2);

/// How much of a JSON answer is held until it is known to be whole; a larger one is passed on as it comes.
const JSON_HELD: usize = 8 << 20;

/// How much of a stream is held while it carries no content.
const PREAMBLE_HELD: usize = 256 << 10;

/// A response whose head has come.
pub(super) struct Arrival<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) source: Source,
    pub(super) permit: &'a Permit,
    pub(super) request: &'a ClientRequest,
    pub(super) retry_on: ClassSet,
}

impl Arrival<'_> {
    /// Waits for as much of the body as is needed to know.
    ///
    /// # Errors
    /// When it is a failure of the upstream's.
    pub(super) async fn judge(self) -> Result<Answer, Failed> {
        if !self.status.is_success() {
            return self.refusal().await;
        }
        if headers::is_encoded(self.headers) {
            return self.bytes().await;
        }
        if headers::is_event_stream(self.headers) {
            return self.events().await;
        }
        if !self.request.profile.operation.answers_json() && headers::is_of_kind(self.headers, headers::TEXT) {
            let why = "a text in the place of sound";
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, why).into());
        }
        // What is JSON where sound was asked for is an error, most likely.
        let json = self.request.profile.operation.answers_json() || headers::is_of_kind(self.headers, headers::JSON);
        if json { self.json().await } else { self.bytes().await }
    }

    /// Not a success: the caller's own mistake passes through (if others are not to be tried all the same), anything else is a failure.
    async fn refusal(mut self) -> Result<Answer, Failed> {
        let (body, whole) = self.refusal_text().await;
        let refusal = Refusal { status: self.status.as_u16(), headers: self.headers, body: &body };
        let mut failure = refusal.failure(self.asked(), Now::read());
        // It may be for the `stream_options` that the proxy had added.
        if !failure.certain && matches!(failure.status, Some(400 | 422)) && self.permit.doubts_stream_options() {
            failure.class = FailureClass::StreamOptionsRefused;
            return Err(failure.into());
        }
        let answer = match whole {
            true => self.refused(self.status, body, failure.clone()),
            false => self.refused_in_our_words(failure.clone()),
        };
        if self.passes(failure.class) {
            return Ok(answer);
        }
        let body = answer.held.into_iter().next().unwrap_or_default();
        Err(Failed { failure, response: Some(Box::new((answer.status, answer.headers, body))) })
    }

    /// What the upstream says of its refusal, and whether that is all of it. What is compressed can't be read.
    async fn refusal_text(&mut self) -> (Bytes, bool) {
        if headers::is_encoded(self.headers) {
            return (Bytes::new(), false);
        }
        self.source.deadline = self.source.deadline.min(Instant::now() + ERROR_WITHIN);
        self.source.collect(ERROR_HELD).await.unwrap_or_default()
    }

    /// Is a failure of this class for the client, whoever else there is?
    fn passes(&self, class: FailureClass) -> bool {
        class == FailureClass::Rejected && !self.retry_on.contains(class)
    }

    /// The upstream's own name for the model.
    fn own_model(&self) -> &str {
        let requested = &self.request.profile.model;
        self.permit.endpoint().upstream_model(requested).unwrap_or(requested)
    }

    fn asked(&self) -> Asked<'_> {
        Asked { model: self.own_model(), client: Some(self.request.body()) }
    }

    /// A stream: held back until it carries content.
    async fn events(mut self) -> Result<Answer, Failed> {
        let strip = self.permit.ask_usage;
        let key = self.permit.endpoint().key.clone();
        let mut events = EventStream::new(self.request.profile.operation, strip).told_by(
            self.own_model(),
            self.request.body().clone(),
            key,
        );
        let mut held: VecDeque<Bytes> = VecDeque::new();
        let (mut size, mut ended) = (0, false);
        while !events.meter.began() && !events.meter.done() && size <= PREAMBLE_HELD {
            let failure = match self.source.next().await {
                Ok(Some(chunk)) => {
                    size += chunk.len();
                    events.feed(&chunk, &mut held);
                    match events.meter.failed().filter(|_| !events.meter.began()) {
                        Some(fault) => {
                            let error = sse::data(&fault.event).unwrap_or_default().into_owned();
                            return self.told(fault.failure.clone(), error.into());
                        }
                        None => continue,
                    }
                }
                Ok(None) if events.meter.generated() && events.meter.is_whole() => {
                    ended = true;
                    break;
                }
                Ok(None) => Failure::new(FailureClass::Empty, Phase::Body, "a stream without content"),
                Err(failure) => failure,
            };
            return Err(failure.into());
        }
        if events.meter.done() && !events.meter.began() && !events.meter.generated() {
            return Err(Failure::new(FailureClass::Empty, Phase::Body, "a stream without content").into());
        }
        let mut answer = self.permit.answer(self.status, self.headers, held);
        headers::mark_stream(&mut answer.headers);
        headers::mark_kind(&mut answer.headers, headers::EVENTS);
        // What has ended must not be read again: its connection may serve another by now.
        let rest = if ended { None } else { Some(self.source) };
        Ok(Answer { rest, events: Some(events.committed()), ..answer })
    }

    /// A JSON answer: held back until it is whole.
    async fn json(mut self) -> Result<Answer, Failed> {
        let (body, whole) = self.source.collect(JSON_HELD).await?;
        let announced = headers::content_length(self.headers);
        let mut answer = self.permit.answer(self.status, self.headers, VecDeque::new());
        headers::mark_kind(&mut answer.headers, headers::JSON);
        if !whole {
            return Ok(Answer { held: [body].into(), rest: Some(self.source), length: announced, ..answer });
        }
        if announced.is_some_and(|length| length != body.len() as u64) {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "the answer was cut short").into());
        }
        let operation = self.request.profile.operation;
        let usage = match answer::judge(operation, &body, self.asked()) {
            Ok(usage) => usage,
            Err(failure) => return self.told(failure, body),
        };
        let guess = || Usage::estimate(self.request.body_len(), body.len().div_ceil(4) as u64);
        let usage = usage.or_else(|| operation.completes_text().then(guess));
        let body = scrubbed(body, &self.permit.endpoint().key);
        let length = Some(body.len() as u64);
        Ok(Answer { held: [body].into(), usage, length, ..answer })
    }

    /// What came with a 200 and is no answer. The caller's own mistake passes through, with the status that it should
    /// have had.
    fn told(&self, failure: Failure, error: Bytes) -> Result<Answer, Failed> {
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
    fn refused(&self, status: StatusCode, error: Bytes, failure: Failure) -> Answer {
        let error = scrubbed(error, &self.permit.endpoint().key);
        let length = Some(error.len() as u64);
        let mut answer = self.permit.answer(status, self.headers, [error].into());
        headers::drop_no_time(&mut answer.headers, Now::read().wall);
        Answer { length, outcome: Outcome::Failed(failure), ..answer }
    }

    /// The same of one whose own text did not come whole, or can't be read: the status says enough.
    fn refused_in_our_words(&self, failure: Failure) -> Answer {
        let error = upstream_said(self.status, "its reason did not arrive").to_string();
        let mut answer = self.refused(self.status, error.into(), failure);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(headers::JSON));
        answer.headers.remove(CONTENT_ENCODING);
        answer
    }

    /// Sound, or what is compressed: passed on as it comes, once something came.
    async fn bytes(mut self) -> Result<Answer, Failed> {
        let Some(first) = self.source.next().await? else {
            return Err(Failure::new(FailureClass::Empty, Phase::Body, "200 without a body").into());
        };
        let answer = self.permit.answer(self.status, self.headers, [first].into());
        Ok(Answer { rest: Some(self.source), length: headers::content_length(self.headers), ..answer })
    }
}

impl Permit {
    /// An answer of this attempt, complete but for what the caller knows better.
    fn answer(&self, status: StatusCode, upstream: &HeaderMap, held: VecDeque<Bytes>) -> Answer {
        Answer {
            status,
            headers: headers::downward(upstream, &self.endpoint().key),
            held,
            rest: None,
            length: None,
            events: None,
            usage: None,
            outcome: Outcome::Completed,
            first_token: self.elapsed(),
            closed_for: learn::closed_for(&headers::rate_limits(upstream), || Now::read().wall),
        }
    }
}
