//! The answer on its way to the client. The body owns the permit, and settles the permit at any end of the answer.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until};

use super::settle::SettleOnDrop;
use super::{BodyReader, CommittedResponse, UpstreamBody, cut, stalled};
use crate::dialect::EventStream;
use crate::error::{abort_error, error_event};
use crate::proxy::headers::upstream_id;
use crate::proxy::response::made_objects::MadeObjects;
use crate::records::OpenRecord;
use crate::types::{Failure, FailureClass, Outcome, Phase};
use crate::upstream::Permit;

/// How long a stream's body may take to end when the end of the stream has come: clients have stopped reading by then.
const AFTER_END: Duration = Duration::from_millis(200);

/// What the answer needs of the request.
pub(in crate::proxy) struct AnsweredRequest {
    /// The length of the request.
    pub(in crate::proxy) prompt_bytes: usize,
    /// Remembers the objects of the answer, if such an answer makes any.
    pub(in crate::proxy) made: Option<MadeObjects>,
}

/// Returns the response with an answer.
pub(in crate::proxy) fn respond(
    answer: Box<CommittedResponse>,
    permit: Permit,
    request: AnsweredRequest,
    mut record: OpenRecord,
) -> HttpResponse<BoxBody> {
    record.answered(answer.status);
    let passed_on = permit.elapsed().saturating_sub(answer.first_token);
    record.with(|record| record.passed_on = passed_on);
    if let Some(id) = upstream_id(&answer.headers) {
        record.with(|record| record.upstream_id = Some(id.to_owned()));
    }
    let is_streaming = answer.body.is_some() || answer.reader.events().is_some();
    permit.responded(is_streaming, answer.quota_exhausted_for);
    let mut response = HttpResponse::new(answer.status);
    *response.headers_mut() = answer.headers;
    let AnsweredRequest { prompt_bytes, made } = request;
    if let Some(made) = &made {
        made.remember(answer.made);
    }
    let (outcome, usage, first_token) = (answer.outcome, answer.usage, answer.first_token);
    let settle = SettleOnDrop { permit, record, outcome, usage, first_token, made };
    if !is_streaming {
        return complete_response(response, answer.buffered, settle);
    }
    let mut body = RelayedBody {
        buffered: answer.buffered,
        upstream: answer.body,
        timer: Box::pin(sleep_until(Instant::now())),
        read_deadline: Instant::now(),
        expected: answer.length,
        passed: 0,
        reader: answer.reader,
        prompt_bytes,
        settle: Some(settle),
        last: None,
    };
    body.extend_deadline();
    body.remember_objects();
    response.set_body(BoxBody::new(body))
}

/// Returns a whole answer: the upstream's work is done, whatever becomes of the client.
fn complete_response(response: HttpResponse, buffered: VecDeque<Bytes>, settle: SettleOnDrop) -> HttpResponse<BoxBody> {
    settle.settle(None, None);
    let mut pieces: Vec<Bytes> = buffered.into();
    let body = if pieces.len() == 1 { pieces.pop().unwrap_or_default() } else { Bytes::from(pieces.concat()) };
    response.set_body(body).map_into_boxed_body()
}

/// A body from the upstream's pieces, with a watch for silence and the settlement.
struct RelayedBody {
    /// What is to be passed on next.
    buffered: VecDeque<Bytes>,
    /// The rest of the upstream's body, until the end.
    upstream: Option<UpstreamBody>,
    /// Wakes at `read_deadline` or earlier: after a wake-up the timer is set again, and not for each piece.
    timer: Pin<Box<Sleep>>,
    /// By when the next piece is due.
    read_deadline: Instant,
    expected: Option<u64>,
    passed: u64,
    reader: BodyReader,
    prompt_bytes: usize,
    /// Open until the attempt is settled.
    settle: Option<SettleOnDrop>,
    /// The last word of a body with a bad end.
    last: Option<Box<dyn std::error::Error>>,
}

impl RelayedBody {
    /// Remembers the objects of the answer, once all have come.
    fn remember_objects(&mut self) {
        if let (BodyReader::Events(events), Some(SettleOnDrop { made: Some(made), .. })) =
            (&mut self.reader, &self.settle)
            && events.progress.closed()
        {
            made.remember(events.progress.take_made());
        }
    }

    fn settle(&mut self, outcome: Option<Outcome>) {
        if let Some(settle) = self.settle.take() {
            if let (BodyReader::Events(events), Some(made)) = (&mut self.reader, &settle.made) {
                made.remember(events.progress.take_made());
            }
            let usage = match &self.reader {
                BodyReader::Events(events) => events.progress.usage(self.prompt_bytes),
                // A part of an answer reports nothing.
                BodyReader::Large(large) if outcome.is_none() => large.usage(self.prompt_bytes),
                BodyReader::Large(_) | BodyReader::Opaque => None,
            };
            settle.settle(outcome, usage);
        }
    }

    /// Takes in what came from the upstream.
    fn feed(&mut self, chunk: Bytes) {
        match &mut self.reader {
            BodyReader::Events(events) => events.feed(&chunk, &mut self.buffered),
            BodyReader::Large(large) => {
                large.feed(&chunk);
                self.buffered.push_back(chunk);
            }
            BodyReader::Opaque => self.buffered.push_back(chunk),
        }
        self.remember_objects();
    }

    /// Ends the answer: the upstream's body has ended, is broken, or holds an error.
    fn end(&mut self, failure: Option<Failure>) {
        self.upstream = None;
        let failure = match &mut self.reader {
            BodyReader::Events(events) if events.progress.closed() => None,
            BodyReader::Events(events) => {
                let is_shown = events.progress.failed().is_some_and(|failed| failed.is_plain);
                let rest = if failure.is_none() { events.finish() } else { None };
                let failure = failure.or_else(|| ended_badly(events));
                match &failure {
                    None => self.buffered.extend(rest),
                    // Half an event and the error would be one event, unreadable for any client.
                    Some(failure) => self.buffered.extend(last_piece(events, is_shown, failure)),
                }
                self.last = failure.is_some().then(|| FailureShown.into());
                failure
            }
            BodyReader::Large(_) | BodyReader::Opaque => {
                let arrived = self.passed + self.buffered.iter().map(|held| held.len() as u64).sum::<u64>();
                let is_short = self.expected.is_some_and(|expected| arrived < expected);
                let is_cut = matches!(&self.reader, BodyReader::Large(large) if !large.is_whole());
                let failure = failure.or_else(|| (is_short || is_cut).then(|| lost("the answer was cut short")));
                // Breaks the connection off: the client must not take a part for the whole.
                self.last = failure.as_ref().map(|failure| failure.to_string().into());
                failure
            }
        };
        self.settle(failure.map(Outcome::Failed));
    }

    /// Waits for the next piece from the upstream; `Ready` when there is something new to do.
    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(upstream) = &mut self.upstream else { return Poll::Ready(()) };
        match upstream.poll_next(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                self.feed(chunk);
                self.extend_deadline();
            }
            Poll::Ready(Some(Err(error))) => self.end(Some(cut(&error))),
            Poll::Ready(None) => self.end(None),
            Poll::Pending => {
                std::task::ready!(self.poll_deadline(cx));
                self.end(Some(stalled()));
            }
        }
        Poll::Ready(())
    }

    /// Sets the deadline of the next piece, now that one has come.
    fn extend_deadline(&mut self) {
        let Some(upstream) = &self.upstream else { return };
        let is_closed = self.reader.events().is_some_and(|events| events.progress.closed());
        let idle = if is_closed { upstream.idle.min(AFTER_END) } else { upstream.idle };
        self.read_deadline = upstream.deadline.min(Instant::now() + idle);
        if self.timer.deadline() > self.read_deadline {
            self.timer.as_mut().reset(self.read_deadline);
        }
    }

    /// Resolves when the next piece is overdue.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            std::task::ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.read_deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.read_deadline);
        }
    }
}

/// Returns why the end of a stream, although without an error, is no success.
fn ended_badly(events: &EventStream) -> Option<Failure> {
    match events.progress.failed() {
        Some(failed) => Some(failed.failure.clone()),
        None => (!events.progress.is_whole()).then(|| lost("the stream broke off")),
    }
}

fn lost(what: &str) -> Failure {
    Failure::new(FailureClass::Protocol, Phase::Body, what)
}

/// The end of a stream's body behind an error event. Nothing is wrong with the bytes: they must end
/// well, or clients would take the connection for broken and try again. But the connection must end behind the body.
#[derive(Debug, Error)]
#[error("the stream failed, and its client has seen the error")]
pub struct FailureShown;

/// Returns the end of a stream with a failure: clients take a mere end for a success. `is_shown`: the upstream's own error was passed on.
fn last_piece(events: &EventStream, is_shown: bool, failure: &Failure) -> Option<Bytes> {
    let error = || abort_error(events.format(), failure.class);
    match (events.is_list(), is_shown) {
        (false, true) => None,
        (false, false) => Some(error_event(events.format(), &error())),
        // The list has begun: nothing was passed on before the first element.
        (true, true) => Some(Bytes::from_static(b"]")),
        (true, false) => Some(format!(",{}]", error()).into()),
    }
}

impl MessageBody for RelayedBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        match (self.expected, &self.reader) {
            (Some(length), BodyReader::Opaque | BodyReader::Large(_)) => BodySize::Sized(length),
            (None, _) | (_, BodyReader::Events(_)) => BodySize::Stream,
        }
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        loop {
            if let Some(bytes) = this.buffered.pop_front() {
                this.passed += bytes.len() as u64;
                return Poll::Ready(Some(Ok(bytes)));
            }
            if let Some(error) = this.last.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if this.upstream.is_none() {
                this.settle(None);
                return Poll::Ready(None);
            }
            if this.reader.events().is_some_and(|events| events.progress.failed().is_some()) {
                this.end(None);
                continue;
            }
            std::task::ready!(this.poll_upstream(cx));
        }
    }
}

impl Drop for RelayedBody {
    /// Settles an answer without its end: the client left. If the client has the whole answer, or nothing more was to
    /// come, the upstream's work was done all the same.
    fn drop(&mut self) {
        let has_answered = self.reader.events().is_some_and(|events| events.progress.has_answered());
        let outcome = (self.upstream.is_some() && !has_answered).then_some(Outcome::ClientClosed);
        self.settle(outcome);
    }
}
