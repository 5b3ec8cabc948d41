//! What clients are told of the pool's limits: summed up now and then for each model, and counted down in between.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::types::{Now, RateLimit};

/// How long a sum is counted down before it is made anew (ms).
const FRESH_MS: u64 = 100;

/// So many models are kept: where an upstream takes any name, clients make them up.
pub(super) const MOST_MODELS: usize = 1_000;

/// What was left for a model when it was last summed up, counted down by all who admit.
#[derive(Debug)]
pub(super) struct Rate {
    made: u64,
    left: Option<RateLimit>,
    admitted: AtomicU64,
}

impl Rate {
    /// May it still be told?
    pub(super) fn is_fresh(&self, now: Now) -> bool {
        now.mono < self.made + FRESH_MS
    }

    /// What is left after one more request was admitted.
    pub(super) fn after_one_more(&self) -> Option<RateLimit> {
        self.admitted.fetch_add(1, Ordering::Relaxed);
        self.now()
    }

    /// What is left.
    pub(super) fn now(&self) -> Option<RateLimit> {
        let admitted = self.admitted.load(Ordering::Relaxed);
        self.left.map(|left| RateLimit { remaining: left.remaining.saturating_sub(admitted), ..left })
    }
}

/// The last sums.
#[derive(Default)]
pub(super) struct Rates(HashMap<Arc<str>, Arc<Rate>>);

impl Rates {
    /// What is left for a model, after a request for it was `admitted` or refused, and whence to count it down. `sum` sums
    /// up what the limits of its upstreams leave.
    pub(super) fn after(
        &mut self,
        model: &Arc<str>,
        admitted: bool,
        sum: impl FnOnce() -> Option<RateLimit>,
    ) -> (Option<RateLimit>, Arc<Rate>) {
        let now = Now::read();
        if let Some(rate) = self.0.get(model).filter(|rate| rate.is_fresh(now)) {
            return (if admitted { rate.after_one_more() } else { rate.now() }, rate.clone());
        }
        if self.0.len() > MOST_MODELS {
            self.0.clear();
        }
        let rate = Arc::new(Rate { made: now.mono, left: sum(), admitted: AtomicU64::new(0) });
        self.0.insert(model.clone(), rate.clone());
        (rate.left, rate)
    }

    /// Other limits are in force.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
