//! What one exchange saw of its connection: when the request was written, and whether the connection was stale.

use std::cell::Cell;
use std::rc::Rc;

use super::fault::ConnectionLost;
use crate::types::{Now, SendProgress, SentAt};

tokio::task_local! {
    /// The exchange whose task is polling: awc writes and reads in the task that asked it to.
    static WIRE: Wire;
}

/// The witness of one exchange.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    stamp: SentAt,
    facts: Rc<Facts>,
}

#[derive(Debug, Default)]
struct Facts {
    reused: Cell<bool>,
    answered: Cell<bool>,
    unfree: Cell<bool>,
    shared_end: Cell<Option<ConnectionLost>>,
    refused: Cell<bool>,
    last_write: Cell<u64>,
}

impl Wire {
    /// A witness that sets `stamp` when the request is written.
    pub(crate) fn new(stamp: SentAt) -> Self {
        Wire { stamp, facts: Rc::default() }
    }

    /// Runs an exchange under this witness.
    pub(crate) async fn watch<F: Future>(&self, exchange: F) -> F::Output {
        WIRE.scope(self.clone(), exchange).await
    }

    /// Did the request go out on a connection that had served another, and end without a byte of an answer? Then the
    /// upstream had closed it in the meantime, and most likely has seen nothing. (Or the connection was not free, and
    /// nothing went out; or the upstream said that it had not begun with it.)
    pub(crate) fn was_stale(&self) -> bool {
        let silent = self.facts.reused.get() && !self.facts.answered.get();
        self.facts.unfree.get()
            || self.facts.refused.get() && !self.facts.answered.get()
            || silent && self.stamp.read() != SendProgress::NotStarted
    }

    /// Returns how the end of the connection counts, if others were on it, too.
    pub(crate) fn connection_lost(&self) -> Option<ConnectionLost> {
        self.facts.shared_end.get()
    }

    /// The connection ended, with all that ran on it. The upstream may have been at work for each.
    pub(super) fn shared_end(&self, lost: Option<ConnectionLost>) {
        self.facts.shared_end.set(lost);
        self.answered();
    }

    /// Did the upstream say that it had not begun with the request? That tells nothing of other connections.
    pub(crate) fn was_refused(&self) -> bool {
        self.facts.refused.get()
    }

    /// Such a request may be begun anew for the same attempt, unless that is too late: then it is open again.
    pub(super) fn begins_anew(&self) -> bool {
        let may = self.was_refused() && !self.stamp.is_too_late(Now::read_mono());
        if may {
            self.facts.refused.set(false);
            self.facts.answered.set(false);
        }
        may
    }

    /// Bytes are about to be written. Says whether they may: a request must not begin too late.
    pub(super) fn writing(&self, reused: bool) -> bool {
        let now = Now::read_mono();
        self.facts.reused.set(reused);
        self.facts.last_write.set(now);
        self.stamp.begin(now)
    }

    /// awc reads the answer only after it has written all of the request: the first read ends the writing.
    pub(super) fn reading(&self) {
        if self.stamp.read() == SendProgress::InProgress {
            self.stamp.finish(self.facts.last_write.get());
        }
    }

    /// The last byte of the request was written at `mono`.
    pub(super) fn written(&self, mono: u64) {
        self.stamp.finish(mono);
    }

    /// The upstream says that it has not begun with the request.
    pub(super) fn refused(&self) {
        self.facts.refused.set(true);
    }

    /// A byte of an answer has come, or a word about the request.
    pub(super) fn answered(&self) {
        self.facts.answered.set(true);
    }

    /// The connection was not free, and nothing was written.
    pub(super) fn unfree(&self) {
        self.facts.unfree.set(true);
    }
}

/// Tells the exchange. Outside of one (the pool's check of an idle connection, a body's later reads) there is nobody.
pub(super) fn witness<T>(f: impl FnOnce(&Wire) -> T) -> Option<T> {
    WIRE.try_with(f).ok()
}
