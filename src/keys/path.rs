//! The short way to a key's quotas: credits that any worker takes, without a message to anybody.
//!
//! 1. A path stands for one key under one configuration. Another configuration makes another path, and the old one only asks.
//! 2. The units were issued by the quotas before, so no limit is passed.
//! 3. The actor decides all else: a limit on requests at the same time, a quota with nothing issued, a store to wait for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use quota::{ActualUsage, Credits, Demand, TakeError};

use super::refusal::{KeyReason, RefusalCounts};
use crate::quotas::{EventQueue, Urgency};
use crate::types::{KeyName, RateLimitSummary, SentAt};

/// An overshoot of less than this part of the tightest limit may be reported with the next batch.
const LAZY_OVERSHOOT: u64 = 50;

/// A worker's report to the owner of the quotas.
#[derive(Debug)]
pub(crate) enum KeyEvent {
    /// A request was admitted by a path.
    Admitted { path: Arc<KeyPath>, request: SentAt, demand: Demand },
    /// A request was not admitted: the first quotas of a path had room, and the next had none.
    Refunded {
        path: Arc<KeyPath>,
        /// How many quotas get units back.
        count: usize,
        demand: Demand,
    },
    /// A request ended.
    Settled { request: SentAt, actual: ActualUsage, completion: Option<u64> },
}

/// The short way to the quotas of one key.
#[derive(Debug)]
pub(crate) struct KeyPath {
    pub(super) key: KeyName,
    /// By quota, in order; `None` for a quota without bounds.
    pub(super) credits: Vec<Option<Arc<Credits>>>,
    /// The end of each request may free a place, and only the quotas see the place: all requests ask the actor.
    pub(super) asks_always: bool,
    /// Another path has taken the place of this one.
    superseded: AtomicBool,
    /// Tokens of an answer whose request bounds none.
    expected_completion: AtomicU64,
    /// Requests that were refused, of all workers.
    pub(super) refused: Arc<RefusalCounts>,
    pub(super) events: Arc<EventQueue<KeyEvent>>,
}

/// What a new path is made of.
pub(super) struct PathParts {
    pub(super) key: KeyName,
    pub(super) credits: Vec<Option<Arc<Credits>>>,
    pub(super) asks_always: bool,
    pub(super) refused: Arc<RefusalCounts>,
    pub(super) events: Arc<EventQueue<KeyEvent>>,
}

impl KeyPath {
    /// Creates the path to the quotas with these credits.
    pub(super) fn new(parts: PathParts) -> KeyPath {
        let PathParts { key, credits, asks_always, refused, events } = parts;
        KeyPath {
            key,
            credits,
            asks_always,
            superseded: AtomicBool::new(false),
            expected_completion: AtomicU64::new(0),
            refused,
            events,
        }
    }

    /// Takes the units of a request from all quotas, or from none, at `now` (ms, monotonic).
    ///
    /// # Errors
    /// When the request can't be admitted here: whether to ask the actor instead.
    pub(super) fn try_admit(self: &Arc<Self>, demand: Demand, now: u64) -> Result<SentAt, TakeError> {
        if self.asks_always || self.superseded.load(Ordering::Acquire) || self.events.pending_blocking() > 0 {
            return Err(TakeError::AskActor);
        }
        if self.never_pay(demand) {
            return Err(TakeError::AskActor);
        }
        let mut begin_by = u64::MAX;
        for (count, credits) in self.credits.iter().enumerate() {
            match credits.as_ref().map_or(Ok(u64::MAX), |credits| credits.take(demand, now)) {
                Ok(by) => begin_by = begin_by.min(by),
                Err(why) => {
                    self.refund(count, demand, why);
                    return Err(why);
                }
            }
        }
        let request = SentAt::to_begin_by(begin_by);
        let admitted = KeyEvent::Admitted { path: self.clone(), request: request.clone(), demand };
        self.events.push(admitted, Urgency::Lazy);
        Ok(request)
    }

    /// Reports that the first quotas had room, and the next had none. Only the actor can put units back.
    fn refund(self: &Arc<Self>, count: usize, demand: Demand, why: TakeError) {
        // An actor that is asked next applies the event then.
        let urgency = if why == TakeError::AskActor { Urgency::Lazy } else { Urgency::Batched };
        if self.credits.iter().take(count).any(Option::is_some) {
            self.events.push(KeyEvent::Refunded { path: self.clone(), count, demand }, urgency);
        }
    }

    /// Returns whether `used` is so much more than `demand` that a window may be full now.
    pub(super) fn is_overshoot(&self, demand: Demand, used: Demand) -> bool {
        let over =
            Demand { tokens: used.tokens.saturating_sub(demand.tokens), cost: used.cost.saturating_sub(demand.cost) };
        let is_large = |credits: &Arc<Credits>| {
            credits.tightest_tokens().is_some_and(|most| credits.part(over) > most / LAZY_OVERSHOOT)
        };
        self.credits.iter().flatten().any(is_large)
    }

    /// Returns whether a budget is smaller than the demand: then the request is never admitted.
    pub(super) fn never_pay(&self, demand: Demand) -> bool {
        self.credits.iter().flatten().any(|credits| credits.never_pay(demand))
    }

    /// Returns what the tightest limit on requests leaves at `now` (ms, monotonic).
    pub(super) fn rate(&self, now: u64) -> Option<RateLimitSummary> {
        let limits = self.credits.iter().flatten().filter_map(|credits| credits.summary(now));
        limits.min_by_key(RateLimitSummary::tightness)
    }

    /// Returns whether the path is in force for quotas with these credits.
    pub(super) fn matches(&self, credits: &[Option<Arc<Credits>>]) -> bool {
        let place = |credits: &Option<Arc<Credits>>| credits.as_ref().map(Arc::as_ptr);
        let is_same = self.credits.iter().map(place).eq(credits.iter().map(place));
        is_same && !self.superseded.load(Ordering::Relaxed)
    }

    /// Sends every further request to the actor.
    pub(super) fn supersede(&self) {
        self.superseded.store(true, Ordering::Release);
    }

    /// Returns the tokens of an answer whose request bounds none.
    pub(super) fn expected_completion(&self) -> u64 {
        self.expected_completion.load(Ordering::Relaxed)
    }

    /// Publishes the tokens of an answer whose request bounds none.
    pub(super) fn set_expected_completion(&self, tokens: u64) {
        if self.expected_completion.load(Ordering::Relaxed) != tokens {
            self.expected_completion.store(tokens, Ordering::Relaxed);
        }
    }

    /// Counts a refusal.
    pub(super) fn count_refusal(&self, reason: KeyReason) {
        self.refused.count(reason);
    }
}
