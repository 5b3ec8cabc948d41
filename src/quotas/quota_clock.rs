//! The clock of all quotas: the shared store's if there is one. Then the days of all servers begin at once.

use std::cell::Cell;

use crate::types::Now;

/// This machine's clocks, with the wall clock set by the store.
#[derive(Default)]
pub(super) struct QuotaClock {
    /// What the store's wall clock reads when this machine's monotonic clock reads 0 (ms).
    store_offset: Cell<Option<i64>>,
}

impl QuotaClock {
    /// Reads the clock.
    pub(super) fn now(&self) -> Now {
        self.at(Now::read())
    }

    /// Returns what this clock reads when the machine's clocks read `now`.
    pub(super) fn at(&self, now: Now) -> Now {
        match self.store_offset.get() {
            Some(offset) => Now { wall: now.mono as i64 + offset, ..now },
            None => now,
        }
    }

    /// Sets the wall clock to `wall`, the store's time (ms since the Unix epoch).
    pub(super) fn set(&self, wall: i64) {
        self.store_offset.set(Some(wall - Now::read_mono() as i64));
    }
}
