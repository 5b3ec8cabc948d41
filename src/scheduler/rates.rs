//! What clients are told of the pool's limits: summed up now and then for each model, and counted down in between.

use std::collections::HashMap;
use std::sync::Arc;

use crate::types::{Now, RateLimit};

/// How long a sum is counted down before it is made anew (ms).
const FRESH_MS: u64 = 100;

/// So many models are kept: where an upstream takes any name, clients make them up.
const MOST_MODELS: usize = 1_000;

/// The last sums.
#[derive(Default)]
pub(super) struct Rates(HashMap<Arc<str>, (u64, Option<RateLimit>)>);

impl Rates {
    /// What is left for a model, after a request for it was `admitted` or refused. `sum` sums up what the limits of its
    /// upstreams leave.
    pub(super) fn after(
        &mut self,
        model: &Arc<str>,
        admitted: bool,
        sum: impl FnOnce() -> Option<RateLimit>,
    ) -> Option<RateLimit> {
        if self.0.len() > MOST_MODELS {
            self.0.clear();
        }
        let now = Now::read().mono;
        let (made, rate) = self.0.entry(model.clone()).or_insert((0, None));
        if *made + FRESH_MS <= now {
            (*made, *rate) = (now, sum());
        } else if let Some(rate) = rate.as_mut().filter(|_| admitted) {
            rate.remaining = rate.remaining.saturating_sub(1);
        }
        *rate
    }

    /// Other limits are in force.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
