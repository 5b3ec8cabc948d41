//! What the schedulers of all workers go by: who serves which model, and a few signs of the supervisor's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix::prelude::*;

use super::routes::Routes;
use crate::types::ApiId;
use crate::upstream::UpstreamActor;

/// A state of the pool; a change makes a new one. Sent by the supervisor to every scheduler; a lost one leaves a scheduler
/// with lanes that are shut, which makes it ask.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct BoardChanged(pub(super) Arc<Board>);

/// Tell me the board, now and at each change. Sent by each scheduler at its start.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Follow(pub(super) Recipient<BoardChanged>);

/// Who serves which model.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Of two, the newer has the larger.
    pub(super) serial: u64,
    pub(super) routes: Routes,
    /// In the order of the configuration, which is that of the positions in `routes`.
    pub(super) seats: Vec<Seat>,
    /// How long a request may wait for a limit to free.
    pub(super) max_wait: Duration,
    pub(super) signs: Arc<Signs>,
}

/// One upstream.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) api: ApiId,
    pub(super) upstream: Addr<UpstreamActor>,
}

/// What changes too often for a new board.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Somebody waits in a line: who comes later goes behind.
    pub(super) queueing: AtomicBool,
    /// Requests in the supervisor's mailbox, now and at most so far.
    depth: AtomicUsize,
    deepest: AtomicUsize,
    /// Requests that found it full.
    refused: AtomicU64,
}

/// How the mailbox of an actor fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, MessageResponse)]
pub struct MailboxReport {
    /// Messages that wait in it.
    pub depth: usize,
    /// The most that ever did.
    pub deepest: usize,
    /// Messages that it had no room for.
    pub refused: u64,
}

impl Signs {
    /// It was full.
    pub(super) fn mailbox_was_full(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// For `/v1/status`.
    pub(super) fn report(&self) -> MailboxReport {
        let (depth, deepest) = (self.depth.load(Ordering::Relaxed), self.deepest.load(Ordering::Relaxed));
        MailboxReport { depth, deepest, refused: self.refused.load(Ordering::Relaxed) }
    }
}

/// A place in the mailbox, until it is dropped.
#[derive(Debug)]
pub(super) struct Mailed(Arc<Signs>);

impl Mailed {
    /// A request is put into the mailbox.
    pub(super) fn new(signs: &Arc<Signs>) -> Mailed {
        let depth = signs.depth.fetch_add(1, Ordering::Relaxed) + 1;
        signs.deepest.fetch_max(depth, Ordering::Relaxed);
        Mailed(signs.clone())
    }
}

impl Drop for Mailed {
    fn drop(&mut self) {
        self.0.depth.fetch_sub(1, Ordering::Relaxed);
    }
}
