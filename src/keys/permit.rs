//! The right of one request to be served, as a value.

use std::sync::Arc;

use quota::{ActualUsage, Demand};

use super::path::{KeyEvent, KeyPath};
use crate::quotas::Urgency;
use crate::types::{Cost, KeyName, RateLimitSummary, SentAt};

/// One admitted request of a key: counted in all quotas of the key before the permit existed.
///
/// # Invariants
/// Settled exactly once: by [`KeyPermit::settle`], or by the drop, which gives everything back.
#[derive(Debug)]
pub struct KeyPermit {
    path: Arc<KeyPath>,
    /// Names the request to the actor.
    request: SentAt,
    demand: Demand,
    settled: bool,
}

/// What all attempts of a request took together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeySpending {
    /// Attempts that may have reached an upstream.
    pub attempts: u64,
    /// The attempts among these of which nobody knows the tokens. The reservation stands for each.
    pub unknown_tokens: u64,
    /// The attempts among these of which nobody knows the cost. The reservation stands for each.
    pub unknown_cost: u64,
    /// Known tokens.
    pub tokens: u64,
    /// The cost of these.
    pub cost: Cost,
    /// The generated tokens of the answer.
    pub completion: Option<u64>,
}

impl KeyPermit {
    /// Creates the permit of a request that the quotas have admitted at `now` (ms, monotonic). The request counts as of then.
    pub(super) fn new(path: Arc<KeyPath>, request: SentAt, demand: Demand, now: u64) -> KeyPermit {
        request.begin(now);
        request.finish(now);
        KeyPermit { path, request, demand, settled: false }
    }

    /// Returns whose request is admitted.
    pub fn key(&self) -> &KeyName {
        &self.path.key
    }

    /// Returns what the key's tightest limit on requests leaves at `now` (ms, monotonic); `None` without such a limit.
    pub fn rate(&self, now: u64) -> Option<RateLimitSummary> {
        self.path.rate(now)
    }

    /// Settles the request.
    pub fn settle(mut self, spending: KeySpending) {
        self.close(spending);
    }

    fn close(&mut self, spending: KeySpending) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let KeySpending { attempts, unknown_tokens, unknown_cost, tokens, cost, completion } = spending;
        let used = Demand {
            tokens: tokens.saturating_add(self.demand.tokens.saturating_mul(unknown_tokens)),
            cost: cost.nanodollars().saturating_add(self.demand.cost.saturating_mul(unknown_cost)),
        };
        let actual = ActualUsage { counts: attempts > 0, tokens: Some(used.tokens), cost: Some(used.cost) };
        let urgency = if self.path.is_overshoot(self.demand, used) {
            // An overshoot may fill a window.
            Urgency::Blocking
        } else if self.path.asks_always {
            // Somebody may wait for the place.
            Urgency::Immediate
        } else {
            Urgency::Batched
        };
        self.path.events.push(KeyEvent::Settled { request: self.request.clone(), actual, completion }, urgency);
    }
}

impl Drop for KeyPermit {
    fn drop(&mut self) {
        self.close(KeySpending::default());
    }
}
