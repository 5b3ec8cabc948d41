//! The answer on its way to the client. It owns the permit: however it ends, here the account is closed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use futures_util::Stream;
use thiserror::Error;
use tokio::time::{Instant, Sleep, sleep_until};

use super::access_log::AccessLog;
use super::exchange::{Answer, Source, cut, stalled};
use super::stream::EventStream;
use crate::error::abort_error;
use crate::types::{Failure, FailureClass, Outcome, Phase, Settlement, Usage};
use crate::upstream::Permit;

/// How long a stream's body may take to end when `[DONE]` has come: clients have stopped reading by then.
const AFTER_DONE: Duration = Duration::from_millis(200);

/// The response that passes an answer on.
pub(super) fn relay(answer: Answer, permit: Permit, prompt_bytes: usize, mut log: AccessLog) -> HttpResponse<BoxBody> {
    if let Some(id) = answer.headers.get("x-request-id").and_then(|id| id.to_str().ok()) {
        log.upstream_id(id);
    }
    log.status(answer.status);
    let lasts = answer.rest.is_some() || answer.events.is_some();
    permit.responded(lasts, answer.closed_for);
    let mut response = HttpResponse::new(answer.status);
    *response.headers_mut() = answer.headers;
    let account =
        Account { permit, log, outcome: answer.outcome, usage: answer.usage, first_token: answer.first_token };
    if !lasts {
        return whole(response, answer.held, account);
    }
    let done = is_done(answer.events.as_ref());
    let timer = answer.rest.as_ref().map(|rest| Box::pin(sleep_until(rest.patience(done))));
    let body = RelayBody {
        held: answer.held,
        rest: answer.rest,
        timer,
        expected: answer.length,
        passed: 0,
        events: answer.events,
        prompt_bytes,
        account: Some(account),
        last: None,
    };
    response.set_body(BoxBody::new(body))
}

/// An answer of which nothing is outstanding: the upstream's work is done, whatever becomes of the client.
fn whole(response: HttpResponse, held: VecDeque<Bytes>, account: Account) -> HttpResponse<BoxBody> {
    account.close(None, None);
    let mut pieces: Vec<Bytes> = held.into();
    let body = if pieces.len() == 1 { pieces.pop().unwrap_or_default() } else { Bytes::from(pieces.concat()) };
    response.set_body(body).map_into_boxed_body()
}

/// A body that passes bytes, watches for silence, and settles.
struct RelayBody {
    held: VecDeque<Bytes>,
    rest: Option<Source>,
    /// Ends the wait for the next piece.
    timer: Option<Pin<Box<Sleep>>>,
    expected: Option<u64>,
    passed: u64,
    events: Option<EventStream>,
    prompt_bytes: usize,
    /// Open until the attempt is settled.
    account: Option<Account>,
    /// With what it ends, if it does not end well.
    last: Option<Box<dyn std::error::Error>>,
}

struct Account {
    permit: Permit,
    log: AccessLog,
    outcome: Outcome,
    usage: Option<Usage>,
    first_token: Duration,
}

impl Account {
    fn close(mut self, outcome: Option<Outcome>, usage: Option<Usage>) {
        let usage = usage.or(self.usage);
        let outcome = outcome.unwrap_or(self.outcome);
        let first_token = matches!(outcome, Outcome::Completed).then_some(self.first_token);
        self.log.answered(Some(self.first_token), usage);
        match &outcome {
            Outcome::Failed(failure) if failure.class != FailureClass::Rejected => self.log.note(failure.to_string()),
            Outcome::ClientClosed => self.log.note("the client left"),
            Outcome::Completed | Outcome::Failed(_) | Outcome::Abandoned => {}
        }
        let duration = self.permit.elapsed();
        self.permit.settle(Settlement { outcome, usage, first_token, duration });
    }
}

impl RelayBody {
    fn settle(&mut self, outcome: Option<Outcome>) {
        if let Some(account) = self.account.take() {
            let usage = self.events.as_ref().and_then(|events| events.meter.usage(self.prompt_bytes));
            account.close(outcome, usage);
        }
    }

    /// Takes in what came from the upstream.
    fn feed(&mut self, chunk: Bytes) {
        match &mut self.events {
            Some(events) => events.feed(&chunk, &mut self.held),
            None => self.held.push_back(chunk),
        }
    }

    /// The upstream's body has ended, or broken off, or has told an error.
    fn end(&mut self, failure: Option<Failure>) {
        self.rest = None;
        let failure = match &mut self.events {
            Some(events) if events.meter.done() => None,
            Some(events) => {
                let is_told = events.meter.failed().is_some_and(|fault| fault.is_plain);
                let rest = if failure.is_none() { events.finish() } else { None };
                let failure = failure.or_else(|| ended_badly(events));
                match &failure {
                    None => self.held.extend(rest),
                    // Half an event, and the error behind it, would be one event that no client can read.
                    Some(failure) if !is_told => self.held.push_back(error_event(failure)),
                    Some(_) => {}
                }
                self.last = failure.is_some().then(|| FailureTold.into());
                failure
            }
            None => {
                let arrived = self.passed + self.held.iter().map(|held| held.len() as u64).sum::<u64>();
                let short = self.expected.is_some_and(|expected| arrived < expected);
                let failure = failure.or_else(|| short.then(|| lost("the answer was cut short")));
                // Breaks the connection off: the client must not take a part for the whole.
                self.last = failure.as_ref().map(|failure| failure.to_string().into());
                failure
            }
        };
        self.settle(failure.map(Outcome::Failed));
    }

    /// Waits for the next piece from the upstream; `Ready` when there is something new to do.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(()) };
        match Pin::new(&mut rest.payload).poll_next(cx) {
            Poll::Ready(Some(Ok(chunk))) => {
                self.feed(chunk);
                let done = is_done(self.events.as_ref());
                if let (Some(timer), Some(rest)) = (&mut self.timer, &self.rest) {
                    timer.as_mut().reset(rest.patience(done));
                }
            }
            Poll::Ready(Some(Err(error))) => self.end(Some(cut(&error))),
            Poll::Ready(None) => self.end(None),
            Poll::Pending => match self.timer.as_mut().map(|timer| timer.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => self.end(Some(stalled())),
                Some(Poll::Pending) | None => return Poll::Pending,
            },
        }
        Poll::Ready(())
    }
}

/// Is the answer complete, though its body has not ended?
fn is_done(events: Option<&EventStream>) -> bool {
    events.is_some_and(|events| events.meter.done())
}

impl Source {
    /// Until when the next piece may take.
    fn patience(&self, done: bool) -> Instant {
        let idle = if done { self.idle.min(AFTER_DONE) } else { self.idle };
        self.deadline.min(Instant::now() + idle)
    }
}

/// Why a stream that ended without an error is no success all the same.
fn ended_badly(events: &EventStream) -> Option<Failure> {
    match events.meter.failed() {
        Some(fault) => Some(fault.failure.clone()),
        None => (!events.meter.is_whole()).then(|| lost("the stream broke off")),
    }
}

fn lost(what: &str) -> Failure {
    Failure::new(FailureClass::Protocol, Phase::Body, what)
}

/// The end of a stream's body whose client was told of its failure, as an event. There is nothing wrong with its bytes: they are to be
/// ended well, or clients would take the connection for broken and try again; but the connection is to end behind them.
#[derive(Debug, Error)]
#[error("the stream failed, and its client was told so")]
pub struct FailureTold;

/// Tells the client of a stream that it failed: clients take a mere end for a success.
fn error_event(failure: &Failure) -> Bytes {
    Bytes::from(format!("data: {}\n\n", abort_error(failure.class)))
}

impl MessageBody for RelayBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        match (self.expected, &self.events) {
            (Some(length), None) => BodySize::Sized(length),
            (None, _) | (_, Some(_)) => BodySize::Stream,
        }
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        loop {
            if let Some(bytes) = this.held.pop_front() {
                this.passed += bytes.len() as u64;
                return Poll::Ready(Some(Ok(bytes)));
            }
            if let Some(error) = this.last.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if this.rest.is_none() {
                this.settle(None);
                return Poll::Ready(None);
            }
            if this.events.as_ref().is_some_and(|events| events.meter.failed().is_some()) {
                this.end(None);
                continue;
            }
            match this.poll_rest(cx) {
                Poll::Ready(()) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for RelayBody {
    /// Dropped before its end: the client left. If nothing was outstanding, the upstream's work was done all the same.
    fn drop(&mut self) {
        let outcome = (self.rest.is_some() && !is_done(self.events.as_ref())).then_some(Outcome::ClientClosed);
        self.settle(outcome);
    }
}
