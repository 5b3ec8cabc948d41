//! What one exchange learned of its connection: when the request was written, and whether the connection was stale.

use std::cell::Cell;
use std::rc::Rc;

use clock::{Now, SendProgress, SentAt};

use super::error::ConnectionLost;

/// The record of one exchange, shared by clones.
#[derive(Debug, Clone)]
pub(crate) struct ExchangeTrace {
    sent_at: SentAt,
    flags: Rc<TraceFlags>,
}

#[derive(Debug, Default)]
struct TraceFlags {
    /// Had the connection served another request?
    reused: Cell<bool>,
    /// Has a byte of a response come, or a frame about this request?
    answered: Cell<bool>,
    connection_lost: Cell<Option<ConnectionLost>>,
    /// Did the upstream refuse the request before any work?
    refused: Cell<bool>,
    /// When bytes were last handed to the socket (ms, monotonic).
    last_write: Cell<u64>,
}

impl ExchangeTrace {
    /// Creates the record of an exchange. `sent_at` is set when the request is written.
    pub(crate) fn new(sent_at: SentAt) -> Self {
        ExchangeTrace { sent_at, flags: Rc::default() }
    }

    /// Returns whether the request most likely never reached the upstream's program. Two cases:
    /// - the connection had served another request and ended without a byte of a response: the upstream had closed it;
    /// - the upstream refused the request before any work.
    pub(crate) fn was_stale(&self) -> bool {
        let answered = self.flags.answered.get();
        let closed = self.flags.reused.get() && self.sent_at.read() != SendProgress::NotStarted;
        !answered && (closed || self.was_refused())
    }

    /// Returns whether the upstream refused the request before any work. Other connections may be sound.
    pub(crate) fn was_refused(&self) -> bool {
        self.flags.refused.get()
    }

    /// Returns what the connection's end counts for, if other requests were on the connection.
    pub(crate) fn connection_lost(&self) -> Option<ConnectionLost> {
        self.flags.connection_lost.get()
    }

    /// Records that the connection ended with all requests on it. The upstream may have been at work for each.
    pub(crate) fn note_connection_lost(&self, lost: Option<ConnectionLost>) {
        self.flags.connection_lost.set(lost);
        self.note_answered();
    }

    /// Returns whether a refused request may be sent again for the same attempt, and prepares the record. Not where the
    /// time to begin is over.
    pub(crate) fn reopen_for_replay(&self) -> bool {
        let may = self.was_refused() && !self.sent_at.is_too_late(Now::read_mono());
        if may {
            self.flags.refused.set(false);
            self.flags.answered.set(false);
        }
        may
    }

    /// Records an imminent write. Returns whether the write may go on: a request must not begin too late.
    pub(crate) fn note_writing(&self, reused: bool) -> bool {
        let now = Now::read_mono();
        self.flags.reused.set(reused);
        self.flags.last_write.set(now);
        self.sent_at.begin(now)
    }

    /// Records a read: only after all of the request is written is anything read.
    pub(crate) fn note_reading(&self) {
        if self.sent_at.read() == SendProgress::InProgress {
            self.sent_at.finish(self.flags.last_write.get());
        }
    }

    /// Records that the last byte of the request was written at `mono`.
    pub(crate) fn note_written(&self, mono: u64) {
        self.sent_at.finish(mono);
    }

    /// Records a refusal before any work.
    pub(crate) fn note_refused(&self) {
        self.flags.refused.set(true);
    }

    /// Records the first byte of a response, or a frame about this request.
    pub(crate) fn note_answered(&self) {
        self.flags.answered.set(true);
    }
}
