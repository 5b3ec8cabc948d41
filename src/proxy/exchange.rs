//! One attempt with one upstream, up to the commit point: from the permit to an [`Answer`] that the client may see, or
//! to a [`Failed`] that it need not.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use awc::error::PayloadError;
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::request::ClientRequest;
use super::stream::EventStream;
use super::transport::{Clients, Wire};
use super::{answer, classify, headers, sse};
use crate::types::{Failure, FailureClass, Now, Outcome, Phase, Usage};
use crate::upstream::Permit;

/// How much of an error's body is looked at, and kept for the client.
const ERROR_HELD: usize = 64 << 10;

/// How much of a JSON answer is held until it is known to be whole; a larger one is passed on as it comes.
const JSON_HELD: usize = 8 << 20;

/// How much of a stream is held while it carries no content.
const PREAMBLE_HELD: usize = 256 << 10;

/// An answer that the client is to see.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What has come already.
    pub(super) held: VecDeque<Bytes>,
    /// What is still to come.
    pub(super) rest: Option<Source>,
    /// Its length in bytes, if that is known.
    pub(super) length: Option<u64>,
    /// The events, if it is a stream of them.
    pub(super) events: Option<EventStream>,
    /// What it cost, if it is none.
    pub(super) usage: Option<Usage>,
    /// How the attempt ends if the rest comes through.
    pub(super) outcome: Outcome,
    pub(super) first_token: Duration,
}

/// A failure, and what the upstream said of it, in case the client is to see that.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) response: Option<Box<(StatusCode, HeaderMap, Bytes)>>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Failed { failure, response: None }
    }
}

/// The body of an upstream's response, with its deadlines.
pub(super) struct Source {
    pub(super) payload: Payload,
    pub(super) idle: Duration,
    pub(super) deadline: Instant,
}

impl Source {
    /// The next piece, or `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let until = self.deadline.min(Instant::now() + self.idle);
        match timeout_at(until, self.payload.next()).await {
            Ok(Some(Ok(chunk))) => Ok(Some(chunk)),
            Ok(Some(Err(error))) => Err(cut(&error)),
            Ok(None) => Ok(None),
            Err(_) => Err(stalled()),
        }
    }

    /// Reads on until the end, or until more than `most` bytes have come. Says whether that was the end.
    async fn collect(&mut self, most: usize) -> Result<(Bytes, bool), Failure> {
        let mut all: Vec<u8> = Vec::new();
        while let Some(chunk) = self.next().await? {
            all.extend_from_slice(&chunk);
            if all.len() > most {
                return Ok((all.into(), false));
            }
        }
        Ok((all.into(), true))
    }
}

/// A body that broke off.
pub(super) fn cut(error: &PayloadError) -> Failure {
    Failure::new(FailureClass::Protocol, Phase::Body, format!("the answer was cut short ({error})"))
}

/// A body whose next piece did not come in time.
pub(super) fn stalled() -> Failure {
    Failure::new(FailureClass::Timeout, Phase::Body, "nothing more came in time")
}

/// Makes one attempt.
///
/// # Errors
/// With the failure, if the client has nothing to see of it yet: another upstream may be asked.
///
/// # Cancel safety
/// Dropping it closes the connection to the upstream; the permit's account is closed by its owner.
pub(super) async fn attempt(clients: &Clients, permit: &Permit, request: &ClientRequest) -> Result<Answer, Failed> {
    let (endpoint, operation) = (&permit.endpoint, request.profile.operation);
    let timeouts = &endpoint.timeouts;
    let started = Instant::now();
    let deadline = started + if request.stream { timeouts.stream_total } else { timeouts.total };
    // A stream's head comes early; another answer's when it is finished.
    let first = if request.stream { deadline.min(started + timeouts.first_token) } else { deadline };

    let body = request.body_for(endpoint.own_name(&request.profile.model), permit.ask_usage);
    let outgoing = clients.get(endpoint).post(endpoint.url(operation));
    let outgoing = headers::upward(outgoing, &request.headers, &endpoint.key);
    let wire = Wire::new(permit.stamp.clone());
    let mut response = timeout_at(first, wire.watch(outgoing.send_body(body)))
        .await
        .map_err(|_| Failure::new(FailureClass::Timeout, Phase::Head, "no answer in time"))?
        .map_err(|error| classify::send_error(&error, wire.was_stale()))?;

    if response.status().is_informational() {
        // awc takes it for the answer, and would give the real one to whoever uses the connection next.
        clients.forget(endpoint);
        return Err(
            Failure::new(FailureClass::Protocol, Phase::Head, "an interim answer in place of a final one").into()
        );
    }
    let source = Source { payload: response.take_payload(), idle: timeouts.idle, deadline: first };
    let arrival = Arrival { status: response.status(), headers: response.headers(), source, permit, request };
    let mut answer = arrival.judge().await?;
    if let Some(rest) = &mut answer.rest {
        rest.deadline = deadline;
    }
    Ok(answer)
}

/// A response whose head has come.
struct Arrival<'a> {
    status: StatusCode,
    headers: &'a HeaderMap,
    source: Source,
    permit: &'a Permit,
    request: &'a ClientRequest,
}

impl Arrival<'_> {
    async fn judge(self) -> Result<Answer, Failed> {
        if !self.status.is_success() {
            return self.refusal().await;
        }
        if headers::is_encoded(self.headers) {
            return self.bytes().await;
        }
        if headers::is_event_stream(self.headers) {
            return self.events().await;
        }
        match self.request.profile.operation.answers_json() {
            true => self.json().await,
            false => self.bytes().await,
        }
    }

    /// Not a success: the caller's own mistake passes through, anything else is a failure.
    async fn refusal(mut self) -> Result<Answer, Failed> {
        let status = self.status.as_u16();
        let mut failure = classify::status(status, self.headers, Now::read());
        let (body, whole) = self.source.collect(ERROR_HELD).await?;
        let asked_usage = self.permit.ask_usage && self.request.lacks_usage();
        if asked_usage && classify::refuses_stream_options(status, &body) {
            failure.class = FailureClass::StreamOptionsRefused;
            self.permit.stream_options_refused();
            return Err(failure.into());
        }
        let body = scrubbed(body, self.permit.endpoint.key.expose());
        match failure.class {
            FailureClass::Rejected => {
                let rest = if whole { None } else { Some(self.source) };
                let length = if whole { Some(body.len() as u64) } else { None };
                let answer = self.permit.answer(self.status, self.headers, VecDeque::from([body]));
                Ok(Answer { rest, length, outcome: Outcome::Failed(failure), ..answer })
            }
            FailureClass::RateLimited
            | FailureClass::Unauthorized
            | FailureClass::PaymentRequired
            | FailureClass::Overloaded
            | FailureClass::ServerError
            | FailureClass::Timeout
            | FailureClass::Connect
            | FailureClass::Protocol
            | FailureClass::Empty
            | FailureClass::StaleConnection
            | FailureClass::StreamOptionsRefused => {
                let headers = headers::downward(self.headers, &self.permit.endpoint.key);
                Err(Failed { failure, response: whole.then(|| Box::new((self.status, headers, body))) })
            }
        }
    }

    /// A stream: held back until it carries content.
    async fn events(mut self) -> Result<Answer, Failed> {
        let strip = self.permit.ask_usage && self.request.lacks_usage();
        let mut events = EventStream::new(self.request.profile.operation, strip);
        let mut held: VecDeque<Bytes> = VecDeque::new();
        let mut size = 0;
        while !events.meter.began() && size <= PREAMBLE_HELD {
            let failure = match self.source.next().await {
                Ok(Some(chunk)) => {
                    size += chunk.len();
                    events.feed(&chunk, &mut held);
                    match events.meter.failed().filter(|_| !events.meter.began()) {
                        Some((failure, event)) => {
                            let error = sse::data(event).unwrap_or_default().into_owned();
                            return self.told(failure.clone(), error.into());
                        }
                        None => continue,
                    }
                }
                Ok(None) => Failure::new(FailureClass::Empty, Phase::Body, "a stream without content"),
                Err(failure) => failure,
            };
            return Err(failure.into());
        }
        let mut answer = self.permit.answer(self.status, self.headers, held);
        headers::mark_stream(&mut answer.headers);
        Ok(Answer { rest: Some(self.source), events: Some(events), ..answer })
    }

    /// A JSON answer: held back until it is whole.
    async fn json(mut self) -> Result<Answer, Failed> {
        let (body, whole) = self.source.collect(JSON_HELD).await?;
        let answer = self.permit.answer(self.status, self.headers, VecDeque::from([body.clone()]));
        let announced = headers::content_length(self.headers);
        if !whole {
            return Ok(Answer { rest: Some(self.source), length: announced, ..answer });
        }
        if announced.is_some_and(|length| length != body.len() as u64) {
            return Err(Failure::new(FailureClass::Protocol, Phase::Body, "the answer was cut short").into());
        }
        let operation = self.request.profile.operation;
        let usage = match answer::judge(operation, &body) {
            Ok(usage) => usage,
            Err(failure) => return self.told(failure, body),
        };
        let guess = || Usage::estimate(self.request.body_len(), body.len().div_ceil(4) as u64);
        let usage = usage.or_else(|| operation.completes_text().then(guess));
        Ok(Answer { usage, length: Some(body.len() as u64), ..answer })
    }

    /// What came with a 200 and is no answer. The caller's own mistake passes through, with the status that it should
    /// have had.
    fn told(&self, failure: Failure, error: Bytes) -> Result<Answer, Failed> {
        let status = failure.status.and_then(|status| StatusCode::from_u16(status).ok());
        match status.filter(|_| failure.class == FailureClass::Rejected) {
            Some(status) => {
                let error = scrubbed(error, self.permit.endpoint.key.expose());
                let length = Some(error.len() as u64);
                let mut answer = self.permit.answer(status, self.headers, VecDeque::from([error]));
                answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                Ok(Answer { length, outcome: Outcome::Failed(failure), ..answer })
            }
            None => Err(failure.into()),
        }
    }

    /// Sound, or what is compressed: passed on as it comes, once something came.
    async fn bytes(mut self) -> Result<Answer, Failed> {
        let Some(first) = self.source.next().await? else {
            return Err(Failure::new(FailureClass::Empty, Phase::Body, "200 without a body").into());
        };
        let answer = self.permit.answer(self.status, self.headers, VecDeque::from([first]));
        Ok(Answer { rest: Some(self.source), length: headers::content_length(self.headers), ..answer })
    }
}

impl Permit {
    /// An answer of this attempt, complete but for what the caller knows better.
    fn answer(&self, status: StatusCode, upstream: &HeaderMap, held: VecDeque<Bytes>) -> Answer {
        Answer {
            status,
            headers: headers::downward(upstream, &self.endpoint.key),
            held,
            rest: None,
            length: None,
            events: None,
            usage: None,
            outcome: Outcome::Completed,
            first_token: self.elapsed(),
        }
    }
}

/// An error's text without the key, which some upstreams quote.
fn scrubbed(body: Bytes, key: &str) -> Bytes {
    if memchr::memmem::find(&body, key.as_bytes()).is_none() {
        return body;
    }
    String::from_utf8_lossy(&body).replace(key, "***").into()
}
