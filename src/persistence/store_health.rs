//! How a store is, as far as its batches tell.

use std::cell::Cell;

use actix::prelude::*;

use super::PersistenceActor;
use crate::types::Now;

/// Whether the last batch succeeded, and since when the present one runs.
#[derive(Debug, Default)]
pub(super) struct StoreHealth {
    is_failing: Cell<bool>,
    /// ms, monotonic.
    busy_since: Cell<Option<u64>>,
}

impl StoreHealth {
    /// Records the begin of a batch.
    pub(super) fn batch_began(&self) {
        self.busy_since.set(Some(Now::read_mono()));
    }

    /// Records the end of a batch.
    pub(super) fn batch_ended(&self, failed: bool) {
        self.is_failing.set(failed);
        self.busy_since.set(None);
    }

    /// Returns the report of the store with this name.
    fn report(&self, store: &'static str) -> StoreReport {
        let now = Now::read_mono();
        let lag_ms = self.busy_since.get().map_or(0, |since| now.saturating_sub(since));
        StoreReport { store, is_up: !self.is_failing.get(), lag_ms }
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
