//! What the workers report to an upstream's actor, without waking it for each event.
//!
//! 1. Events are queued in order, and the actor applies all before any decision.
//! 2. The first end of an attempt after a silence wakes the actor. Closely following events are applied together,
//!    [`BATCH_INTERVAL`] later at most, or as soon as anything is asked of the actor. So a load costs 50 wakes a second.
//! 3. An admission wakes nobody: the quota units are taken already.
//! 4. A blocking event (a failure, a limit named in an answer) holds from the moment of queueing. Until the actor has applied
//!    the event, the published state is out of date, and every attempt asks the actor.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix::prelude::*;
use quota::Demand;

use super::ModelCredits;
use crate::types::{Failure, Now, RouteId, SentAt, Settlement};

/// How long events may wait.
pub(in crate::upstream) const BATCH_INTERVAL: Duration = Duration::from_millis(20);

/// A worker's report.
#[derive(Debug)]
pub(in crate::upstream) enum UpstreamEvent {
    /// An attempt was admitted by a fast path, and takes so much at most.
    Admitted {
        credits: Arc<ModelCredits>,
        route: RouteId,
        sent_at: SentAt,
        demand: Demand,
        /// ms, monotonic.
        admitted_at: u64,
    },
    /// An attempt was not admitted: the first quotas of a fast path had room, and the next had none.
    Refunded {
        credits: Arc<ModelCredits>,
        /// How many quotas get units back.
        count: usize,
        demand: Demand,
    },
    /// An attempt had an answer for the client.
    Responded {
        sent_at: SentAt,
        at: Now,
        /// The answer says how long the upstream has nothing left.
        exhausted_for: Option<Duration>,
    },
    /// An attempt ended.
    Settled { sent_at: SentAt, settlement: Settlement },
    /// Another upstream served what this one had refused.
    Confirmed(ConfirmedRefusal),
}

/// A refusal by one upstream of a request served by another.
#[derive(Debug)]
pub(in crate::upstream) struct ConfirmedRefusal {
    /// Of the refusing endpoint: a changed entry has another one.
    pub(in crate::upstream) endpoint_serial: u64,
    /// By the upstream's own name.
    pub(in crate::upstream) model: Arc<str>,
    pub(in crate::upstream) route: RouteId,
    /// ms, monotonic.
    pub(in crate::upstream) admitted_at: u64,
    pub(in crate::upstream) failure: Failure,
}

/// How soon an event is to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::upstream) enum Urgency {
    /// With the next: before any answer, the actor applies all events.
    Lazy,
    /// Within [`BATCH_INTERVAL`]: there is something to save.
    Batched,
    /// Now: somebody may wait for the change.
    Immediate,
    /// Now, and until then only the actor admits: the event changes the answer to the next request.
    Blocking,
}

/// Events are queued. Sent by a worker with an event; if lost, the events wait for the next.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(in crate::upstream) struct Drain;

/// The queue of one upstream's events.
#[derive(Debug)]
pub(in crate::upstream) struct EventQueue {
    actor: Recipient<Drain>,
    events: mpsc::Sender<UpstreamEvent>,
    /// The actor polls the queue by itself.
    awake: AtomicBool,
    /// Blocking events the actor has not applied yet.
    pending_blocking: AtomicU32,
}

impl EventQueue {
    /// Creates the queue of an actor. Returns the queue, and the actor's end.
    pub(in crate::upstream) fn new(actor: Recipient<Drain>) -> (Arc<EventQueue>, mpsc::Receiver<UpstreamEvent>) {
        let (events, receiver) = mpsc::channel();
        let (awake, pending_blocking) = (AtomicBool::new(false), AtomicU32::new(0));
        (Arc::new(EventQueue { actor, events, awake, pending_blocking }), receiver)
    }

    /// Queues an event.
    pub(in crate::upstream) fn push(&self, event: UpstreamEvent, urgency: Urgency) {
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
            self.actor.do_send(Drain);
        }
    }

    /// Returns how many blocking events are not applied yet. The actor reads this first, then applies all events, then
    /// calls [`EventQueue::applied`].
    pub(in crate::upstream) fn pending_blocking(&self) -> u32 {
        self.pending_blocking.load(Ordering::Acquire)
    }

    /// Records how many blocking events are in the published state.
    pub(in crate::upstream) fn applied(&self, blocking: u32) {
        // Without any, the cache line stays with the workers.
        if blocking > 0 {
            self.pending_blocking.fetch_sub(blocking, Ordering::AcqRel);
        }
    }

    /// Records whether the actor polls the queue by itself (`true`), or is to be woken.
    pub(in crate::upstream) fn set_awake(&self, awake: bool) {
        // A swap rather than a store: an event pushed before the swap is drained right after; a later one finds
        // `awake == false` and wakes the actor.
        self.awake.swap(awake, Ordering::AcqRel);
    }
}
