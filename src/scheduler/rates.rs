//! What clients are told of the pool's limits: summed up now and then for each model, and counted down in between.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::types::{Now, RateLimitSummary};

/// How long a sum is counted down before it is made anew (ms): a millisecond for each upstream, so that summing up stays a
/// small part of the supervisor's time, and at least this.
const FRESH_MS: u64 = 100;

/// So many times as long a sum may still be told while a new one is made.
const USABLE: u64 = 10;

/// So many models are kept: where an upstream takes any name, clients make them up.
pub(super) const MOST_MODELS: usize = 1_000;

/// What was left for a model when it was last summed up, counted down by all who admit.
#[derive(Debug)]
pub(super) struct Rate {
    made: u64,
    fresh_ms: u64,
    left: Option<RateLimitSummary>,
    admitted: AtomicU64,
}

impl Rate {
    /// Need no new one be made?
    pub(super) fn is_fresh(&self, now: Now) -> bool {
        now.mono < self.made + self.fresh_ms
    }

    /// May it still be told?
    pub(super) fn is_usable(&self, now: Now) -> bool {
        now.mono < self.made + USABLE * self.fresh_ms
    }

    /// What is left after one more request was admitted.
    pub(super) fn after_one_more(&self) -> Option<RateLimitSummary> {
        self.admitted.fetch_add(1, Ordering::Relaxed);
        self.now()
    }

    /// What is left.
    pub(super) fn now(&self) -> Option<RateLimitSummary> {
        let admitted = self.admitted.load(Ordering::Relaxed);
        self.left.map(|left| RateLimitSummary { remaining: left.remaining.saturating_sub(admitted), ..left })
    }
}

/// The last sums.
#[derive(Default)]
pub(super) struct Rates(HashMap<Arc<str>, Arc<Rate>>);

impl Rates {
    /// What is left for a model, and whence to count it down: a fresh sum, and whether it was just made. `sum` sums up what the
    /// limits of its upstreams leave, and says how many these are.
    pub(super) fn fresh(
        &mut self,
        model: &Arc<str>,
        sum: impl FnOnce() -> (usize, Option<RateLimitSummary>),
    ) -> (Arc<Rate>, bool) {
        let now = Now::read();
        if let Some(rate) = self.0.get(model).filter(|rate| rate.is_fresh(now)) {
            return (rate.clone(), false);
        }
        if self.0.len() > MOST_MODELS {
            self.0.clear();
        }
        let (many, left) = sum();
        let fresh_ms = FRESH_MS.max(many as u64);
        let rate = Arc::new(Rate { made: now.mono, fresh_ms, left, admitted: AtomicU64::new(0) });
        self.0.insert(model.clone(), rate.clone());
        (rate, true)
    }

    /// Other limits are in force.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
