//! What workers report to the owner of quotas, without waking the owner for each event.
//!
//! 1. Events are queued in order, and the owner applies all before any decision.
//! 2. The first end of a request after a silence wakes the owner. Closely following events are applied together,
//!    [`BATCH_INTERVAL`] later at most, or as soon as anything is asked of the owner. So a load costs 50 wakes a second.
//! 3. An admission wakes nobody: the quota units are taken already.
//! 4. A blocking event (a failure, an overshoot) holds from the moment of queueing. Until the owner has applied the event, the
//!    published state is out of date, and every request asks the owner.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix::prelude::*;

/// How long events may wait.
pub(crate) const BATCH_INTERVAL: Duration = Duration::from_millis(20);

/// How soon an event is to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// With the next: before any answer, the owner applies all events.
    Lazy,
    /// Within [`BATCH_INTERVAL`]: there is something to save.
    Batched,
    /// Now: somebody may wait for the change.
    Immediate,
    /// Now, and until then only the owner admits: the event changes the answer to the next request.
    Blocking,
}

/// Events are queued. Sent by a worker with an event; if lost, the events wait for the next.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// The queue of one owner's events.
#[derive(Debug)]
pub(crate) struct EventQueue<E> {
    owner: Recipient<Drain>,
    events: mpsc::Sender<E>,
    /// The owner polls the queue by itself.
    awake: AtomicBool,
    /// Blocking events the owner has not applied yet.
    pending_blocking: AtomicU32,
}

impl<E> EventQueue<E> {
    /// Creates the queue of an actor. Returns the queue, and the actor's end.
    pub(crate) fn new(owner: Recipient<Drain>) -> (Arc<EventQueue<E>>, mpsc::Receiver<E>) {
        let (events, receiver) = mpsc::channel();
        let (awake, pending_blocking) = (AtomicBool::new(false), AtomicU32::new(0));
        (Arc::new(EventQueue { owner, events, awake, pending_blocking }), receiver)
    }

    /// Queues an event.
    pub(crate) fn push(&self, event: E, urgency: Urgency) {
        // The receiver is gone when the actor has ended: then nobody is left to apply the event.
        let _ = self.events.send(event);
        let wakes = match urgency {
            Urgency::Lazy => false,
            Urgency::Batched => !self.awake.swap(true, Ordering::AcqRel),
            Urgency::Immediate => true,
            Urgency::Blocking => {
                // Counted once the event is in the queue: a reader of the count finds the event.
                self.pending_blocking.fetch_add(1, Ordering::AcqRel);
                true
            }
        };
        if wakes {
            self.owner.do_send(Drain);
        }
    }

    /// Returns how many blocking events are not applied yet. The owner reads this first, then applies all events, then
    /// calls [`EventQueue::applied`].
    pub(crate) fn pending_blocking(&self) -> u32 {
        self.pending_blocking.load(Ordering::Acquire)
    }

    /// Records how many blocking events are in the published state.
    pub(crate) fn applied(&self, blocking: u32) {
        // Without any, the cache line stays with the workers.
        if blocking > 0 {
            self.pending_blocking.fetch_sub(blocking, Ordering::AcqRel);
        }
    }

    /// Records whether the owner polls the queue by itself (`true`), or is to be woken.
    pub(crate) fn set_awake(&self, awake: bool) {
        // A swap rather than a store: an event pushed before the swap is drained right after; a later one finds
        // `awake == false` and wakes the owner.
        self.awake.swap(awake, Ordering::AcqRel);
    }
}
