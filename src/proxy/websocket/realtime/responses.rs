//! The responses of one connection: asked for and not begun, and under way. Each is settled once, at any end.

use std::collections::VecDeque;

use actix_web::http::StatusCode;

use crate::dialect::openai::realtime::RealtimeEnd;
use crate::proxy::response::settle::SettleOnDrop;
use crate::records::{AttemptResult, OpenRecord, RequestEnd};
use crate::types::{Failure, FailureClass, Now, Outcome, Phase, Settlement, Usage};
use crate::upstream::Permit;

/// So many responses of one connection may be under way.
pub(super) const MOST_OPEN: usize = 32;

/// The right to one response.
pub(super) struct Reserved<S> {
    pub(super) permit: Permit,
    pub(super) record: OpenRecord,
    /// A place among the requests that are served at the same time.
    pub(super) slot: S,
}

impl<S> Reserved<S> {
    /// Counts the response as of now. Returns whether there was still time.
    pub(super) fn begin(&self) -> bool {
        let now = Now::read_mono();
        let is_in_time = self.permit.sent_at.begin(now);
        self.permit.sent_at.finish(now);
        is_in_time
    }

    fn settle_as(mut self, failure: Failure) {
        self.record.with(|record| record.end = RequestEnd::Failed(failure.to_string()));
        self.record.attempt_ended(0, AttemptResult::Failed(failure.clone()));
        let duration = self.permit.elapsed();
        self.permit.settle(Settlement::of(Outcome::Failed(failure), duration));
    }
}

/// The responses of one connection.
pub(super) struct Responses<S> {
    /// Asked for, and not begun: with the client's own name for the message.
    waiting: VecDeque<(Option<String>, Reserved<S>)>,
    open: Vec<OpenResponse<S>>,
    /// The tokens of the last response. The next one reads them again.
    last_tokens: u64,
    /// The connection itself, where there are no responses.
    connection: Option<OpenResponse<S>>,
}

struct OpenResponse<S> {
    id: String,
    /// Open until the response is settled.
    settle: Option<SettleOnDrop>,
    has_content: bool,
    _slot: S,
}

impl<S> OpenResponse<S> {
    fn new(id: String, reserved: Reserved<S>) -> Self {
        let Reserved { permit, mut record, slot } = reserved;
        record.answered(StatusCode::OK);
        record.attempt_ended(0, AttemptResult::Served);
        permit.responded(true, None);
        let first_token = permit.elapsed();
        let settle = SettleOnDrop { permit, record, outcome: Outcome::Completed, usage: None, first_token, made: None };
        OpenResponse { id, settle: Some(settle), has_content: false, _slot: slot }
    }

    fn settle(&mut self, outcome: Outcome, usage: Option<Usage>) {
        if let Some(settle) = self.settle.take() {
            settle.settle(Some(outcome), usage);
        }
    }
}

impl<S> Drop for OpenResponse<S> {
    /// Settles a response without its end: the client left, or the server stops.
    fn drop(&mut self) {
        self.settle(Outcome::ClientClosed, None);
    }
}

impl<S> Responses<S> {
    pub(super) fn new() -> Self {
        Responses { waiting: VecDeque::new(), open: Vec::new(), last_tokens: 0, connection: None }
    }

    /// Counts the connection itself, up to its end.
    pub(super) fn begin_connection(&mut self, reserved: Reserved<S>) {
        self.connection = Some(OpenResponse::new(String::new(), reserved));
    }

    /// Settles the connection itself. Nobody reports what it took.
    pub(super) fn end_connection(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.settle(Outcome::Completed, None);
        }
    }

    /// Returns whether none is asked for or under way.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.open.is_empty()
    }

    /// Returns whether no more may be asked for.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() + self.open.len() >= MOST_OPEN
    }

    /// Returns the likely prompt of the next response, in tokens.
    pub(super) fn likely_prompt(&self) -> u64 {
        self.last_tokens
    }

    /// Keeps the right to a response that the client has asked for.
    pub(super) fn asked(&mut self, event_id: Option<String>, reserved: Reserved<S>) {
        self.waiting.push_back((event_id, reserved));
    }

    /// Begins the response that was asked for first. Returns whether one was.
    pub(super) fn begin_asked(&mut self, id: &str) -> bool {
        let Some((_, reserved)) = self.waiting.pop_front() else { return false };
        self.begin(id.to_owned(), reserved);
        true
    }

    /// Returns whether a response is under way.
    pub(super) fn is_open(&self, id: &str) -> bool {
        self.open.iter().any(|response| response.id == id)
    }

    /// Returns the responses under way.
    pub(super) fn open_ids(&self) -> Vec<String> {
        self.open.iter().map(|response| response.id.clone()).collect()
    }

    /// Begins a response. Where the upstream begins many and ends none, the first one is given up.
    pub(super) fn begin(&mut self, id: String, reserved: Reserved<S>) {
        if self.open.len() >= MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(OpenResponse::new(id, reserved));
    }

    /// Records the content of a response.
    pub(super) fn has_content(&mut self, id: &str) {
        let found = self.open.iter_mut().find(|response| response.id == id && !response.has_content);
        if let Some(response) = found {
            response.has_content = true;
            if let Some(settle) = &mut response.settle {
                settle.first_token = settle.permit.elapsed();
            }
        }
    }

    /// Settles a response that has ended: with this outcome, if not failed.
    pub(super) fn end(&mut self, end: RealtimeEnd, outcome: Outcome) {
        let RealtimeEnd { id, usage, failure } = end;
        self.last_tokens = usage.map_or(self.last_tokens, |usage| usage.total);
        let place = match &id {
            Some(id) => self.open.iter().position(|response| response.id == *id),
            // Which one ends is certain if there is but one.
            None => (self.open.len() == 1).then_some(0),
        };
        if let Some(at) = place {
            let mut response = self.open.swap_remove(at);
            response.settle(failure.map_or(outcome, Outcome::Failed), usage);
        }
    }

    /// Gives back the right to a response that the upstream refuses: the named one, or the first if no name is told.
    pub(super) fn refuse(&mut self, event_id: Option<&str>) {
        let is_it = |known: &(Option<String>, _)| event_id.is_none_or(|id| known.0.as_deref() == Some(id));
        if let Some(at) = self.waiting.iter().position(is_it)
            && let Some((_, mut reserved)) = self.waiting.remove(at)
        {
            reserved.record.answered(StatusCode::BAD_REQUEST);
            reserved.settle_as(Failure::new(FailureClass::Rejected, Phase::Head, "an error event"));
        }
    }

    /// Settles all responses of a connection that the upstream has ended. Returns whether there was one.
    pub(super) fn lose(&mut self, failure: &Failure) -> bool {
        let was_idle = self.is_idle();
        for (_, reserved) in self.waiting.drain(..) {
            reserved.settle_as(failure.clone());
        }
        for mut response in self.open.drain(..) {
            response.settle(Outcome::Failed(failure.clone()), None);
        }
        !was_idle
    }

    /// Settles what was written down beside the responses: there is no event for its begin.
    pub(super) fn transcribed(&mut self, reserved: Reserved<S>, usage: Option<Usage>) {
        OpenResponse::new(String::new(), reserved).settle(Outcome::Completed, usage);
    }
}
