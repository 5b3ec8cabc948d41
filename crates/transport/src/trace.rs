//! What one exchange learned of its connection: when the request was written, and whether the connection was stale.
//!
//! awc says neither. The I/O type below awc knows both, and awc polls the I/O in the exchange's own task. So a task-local
//! value leads from the I/O to the exchange.

use std::cell::Cell;
use std::rc::Rc;

use clock::{Now, SendProgress, SentAt};

use super::error::ConnectionLost;

tokio::task_local! {
    /// The exchange whose task is being polled.
    static CURRENT: ExchangeTrace;
}

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
    /// Was the connection not idle? Then nothing was written.
    connection_busy: Cell<bool>,
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

    /// Runs an exchange. All I/O below reports to this record.
    pub(crate) async fn run<F: Future>(&self, exchange: F) -> F::Output {
        CURRENT.scope(self.clone(), exchange).await
    }

    /// Returns whether the request most likely never reached the upstream's program. Three cases:
    /// - the connection had served another request and ended without a byte of a response: the upstream had closed it;
    /// - the connection was not idle, so nothing was written;
    /// - the upstream refused the request before any work.
    pub(crate) fn was_stale(&self) -> bool {
        let answered = self.flags.answered.get();
        let closed = self.flags.reused.get() && self.sent_at.read() != SendProgress::NotStarted;
        self.flags.connection_busy.get() || !answered && (closed || self.was_refused())
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

    /// Records a read by awc: awc reads only after all of the request is written.
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

    /// Records a connection that was not idle: nothing was written.
    pub(crate) fn note_connection_busy(&self) {
        self.flags.connection_busy.set(true);
    }
}

/// Calls `f` with the exchange being polled. Outside of an exchange nobody listens: the pool looks at an idle connection, or
/// a body is read on.
pub(crate) fn with_current_exchange<T>(f: impl FnOnce(&ExchangeTrace) -> T) -> Option<T> {
    CURRENT.try_with(f).ok()
}
