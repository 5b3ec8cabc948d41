//! What workers report to the owner of quotas, without waking the owner for each event.
//!
//! 1. Events are queued in order, and the owner applies all before any decision.
//! 2. The first end of a request after a silence wakes the owner. Closely following events are applied together,
//!    [`BATCH_INTERVAL`] later at most, or as soon as anything is asked of the owner. So a load costs 50 wakes a second, and the
//!    same 50 for all owners together.
//! 3. An admission wakes nobody: the quota units are taken already.
//! 4. A blocking event (a failure, an overshoot) holds from the moment of queueing. Until the owner has applied the event, the
//!    published state is out of date, and every request asks the owner.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

use actix::prelude::*;

use super::handle::Paused;
#[cfg(doc)]
use crate::mailbox::BATCH_INTERVAL;
use crate::mailbox::{LivesInMailbox, ReadsInBatches};
use crate::types::Now;

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

/// The owner's end of an [`EventQueue`].
#[derive(Debug)]
pub(crate) struct OwnedEvents<E> {
    pub(crate) queue: Arc<EventQueue<E>>,
    receiver: mpsc::Receiver<E>,
    is_reading: bool,
}

impl<E> OwnedEvents<E> {
    /// Creates the queue of an owner.
    pub(crate) fn new(owner: Recipient<Drain>) -> OwnedEvents<E> {
        let (queue, receiver) = EventQueue::new(owner);
        OwnedEvents { queue, receiver, is_reading: false }
    }
}

/// An owner of quotas, who applies what workers report.
pub(crate) trait AppliesEvents: LivesInMailbox {
    /// A report.
    type Event;

    /// Returns the owner's end of the queue.
    fn events(&mut self) -> &mut OwnedEvents<Self::Event>;

    /// Applies an event. `held`: the quotas of several events are looked at once for all.
    fn apply(&mut self, event: Self::Event, held: &mut Vec<Paused>, now: Now);

    /// Asks the store ahead, and publishes what changed: all queued events are applied.
    fn applied_all(&mut self, now: Now);

    /// Sends what changed to the store.
    fn save(&mut self);

    /// Applies all queued events. Returns whether there were any.
    fn drain_events(&mut self) -> bool {
        // The count is read before the events: a later event goes on blocking.
        let blocking = self.events().queue.pending_blocking();
        let mut next = self.events().receiver.try_recv().ok();
        let any = next.is_some();
        if any {
            let (now, mut held) = (Now::read(), Vec::new());
            while let Some(event) = next {
                self.apply(event, &mut held, now);
                next = self.events().receiver.try_recv().ok();
            }
            drop(held);
            self.applied_all(now);
        }
        self.events().queue.applied(blocking);
        any
    }
}

impl<A: AppliesEvents> ReadsInBatches for A {
    fn read_batch(&mut self) -> bool {
        self.drain_events()
    }

    fn save_batches(&mut self) {
        self.save();
    }

    fn is_reading(&mut self) -> &mut bool {
        &mut self.events().is_reading
    }

    fn set_awake(&mut self, awake: bool) {
        self.events().queue.set_awake(awake);
    }
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
