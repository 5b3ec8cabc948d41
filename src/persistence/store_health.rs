//! How a store is, as far as its batches tell. Failures are logged once, and people are told of those that last.

use std::cell::Cell;

use actix::prelude::*;

use super::{PersistenceActor, StoreError};
use crate::alerts::{Alert, AlertFacts, AlertSender};
use crate::types::{AlertEvent, Now};

/// How long a store must fail until people are told: a single failure comes and goes (ms).
const TOLD_AFTER_MS: u64 = 10_000;

/// Whether a store fails, and since when the present batch runs. All times are monotonic (ms).
pub(super) struct StoreHealth {
    /// What failures mean for requests.
    consequence: &'static str,
    alerts: AlertSender,
    /// When the first failure in a row came.
    failing_since: Cell<Option<u64>>,
    is_told: Cell<bool>,
    busy_since: Cell<Option<u64>>,
}

impl StoreHealth {
    /// Creates the state of a store that works. `consequence` says what failures mean for requests.
    pub(super) fn new(consequence: &'static str, alerts: AlertSender) -> StoreHealth {
        let (failing_since, is_told, busy_since) = Default::default();
        StoreHealth { consequence, alerts, failing_since, is_told, busy_since }
    }

    /// Records the begin of a batch.
    pub(super) fn batch_began(&self) {
        self.busy_since.set(Some(Now::read_mono()));
    }

    /// Records the end of a batch.
    pub(super) fn batch_ended(&self, failure: Option<&StoreError>) {
        self.busy_since.set(None);
        let now = Now::read();
        match (failure, self.failing_since.get()) {
            (None, None) => {}
            (None, Some(_)) => {
                log::info!("persistence: the store works again");
                self.failing_since.set(None);
                if self.is_told.take() {
                    self.alerts.send(Alert::new(AlertEvent::StoreUp, now.wall, AlertFacts::default()));
                }
            }
            (Some(error), None) => {
                log::error!("persistence: {error}; {}", self.consequence);
                self.failing_since.set(Some(now.mono));
            }
            (Some(_), Some(since)) if now.mono >= since + TOLD_AFTER_MS && !self.is_told.replace(true) => {
                let facts = AlertFacts { detail: Some(self.consequence.to_owned()), ..AlertFacts::default() };
                self.alerts.send(Alert::new(AlertEvent::StoreDown, now.wall, facts));
            }
            (Some(_), Some(_)) => {}
        }
    }

    /// Returns the report of the store with this name.
    fn report(&self, store: &'static str) -> StoreReport {
        let now = Now::read_mono();
        let lag_ms = self.busy_since.get().map_or(0, |since| now.saturating_sub(since));
        StoreReport { store, is_up: self.failing_since.get().is_none(), lag_ms }
    }
}

/// How one store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreReport {
    /// `disk` or `shared`.
    pub store: &'static str,
    /// The last batch succeeded.
    pub is_up: bool,
    /// How long the batch under way has taken so far.
    pub lag_ms: u64,
}

/// Return how the stores are. Sent by the handler of `/metrics`.
#[derive(Debug, Message)]
#[rtype(result = "Vec<StoreReport>")]
pub struct GetStores;

impl Handler<GetStores> for PersistenceActor {
    type Result = MessageResult<GetStores>;

    fn handle(&mut self, _: GetStores, _: &mut Self::Context) -> Self::Result {
        let shared = self.shared.as_ref().map(|shared| shared.health().report("shared"));
        MessageResult([self.records_health().report("disk")].into_iter().chain(shared).collect())
    }
}
