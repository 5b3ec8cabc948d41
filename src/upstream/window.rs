//! A sliding log of dispatches: how many lie within the last minute, exactly.
//!
//! Satisfies a fixed minute, a sliding minute and a token bucket at once; a counter per calendar minute would let
//! twice the limit through at the edge.

use std::collections::VecDeque;

/// The minute that providers count in, and a second more: two requests sent 60.0 s apart may arrive closer.
pub(super) const WINDOW_MS: u64 = 61_000;

/// Up to this limit every dispatch has an entry of its own; above it, they share entries of [`COARSE_MS`].
const EXACT_UP_TO: u32 = 4_096;

/// The width of a shared entry. Stamps are rounded up, so that an entry never leaves the window too early.
const COARSE_MS: u64 = 100;

/// Dispatch times of the last [`WINDOW_MS`], oldest first. Memory: 16 bytes an entry, at most 4,096 or 611 entries.
#[derive(Debug, Clone, Default)]
pub(super) struct SlidingLog {
    entries: VecDeque<Entry>,
    total: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    at: u64,
    count: u32,
}

impl SlidingLog {
    /// Notes `count` dispatches at `at` (ms, monotonic). `limit` decides how exactly.
    pub(super) fn insert(&mut self, at: u64, count: u32, limit: Option<u32>) {
        if count == 0 {
            return;
        }
        let coarse = limit.is_none_or(|limit| limit > EXACT_UP_TO);
        let at = if coarse { at.next_multiple_of(COARSE_MS) } else { at };
        self.total = self.total.saturating_add(count);
        // Stamps come almost in order: the place is at the end or a step before it.
        let place = self.entries.iter().rposition(|e| e.at <= at).map_or(0, |i| i + 1);
        match place.checked_sub(1).and_then(|i| self.entries.get_mut(i)) {
            Some(entry) if entry.at == at => entry.count = entry.count.saturating_add(count),
            Some(_) | None => self.entries.insert(place, Entry { at, count }),
        }
    }

    /// How many dispatches lie in the window that ends at `now`.
    pub(super) fn count(&mut self, now: u64) -> u32 {
        while let Some(oldest) = self.entries.front().filter(|e| e.at + WINDOW_MS <= now) {
            self.total = self.total.saturating_sub(oldest.count);
            self.entries.pop_front();
        }
        self.total
    }

    /// When the `units` oldest dispatches have left the window; `None` if it doesn't hold so many.
    pub(super) fn frees(&self, units: u32) -> Option<u64> {
        let mut freed = 0_u32;
        let last = self.entries.iter().find(|e| {
            freed = freed.saturating_add(e.count);
            freed >= units
        });
        last.map(|e| e.at + WINDOW_MS)
    }

    /// The dispatches in the window as (time, count), at most 611 of them: what is saved many times a second must be
    /// small. Rounded up, like every shared entry.
    pub(super) fn coarse_entries(&self) -> Vec<(u64, u32)> {
        let mut coarse: Vec<(u64, u32)> = Vec::new();
        for Entry { at, count } in &self.entries {
            let at = at.next_multiple_of(COARSE_MS);
            match coarse.last_mut() {
                Some(last) if last.0 == at => last.1 = last.1.saturating_add(*count),
                Some(_) | None => coarse.push((at, *count)),
            }
        }
        coarse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_counts_for_a_minute_and_a_second() {
        let mut log = SlidingLog::default();
        log.insert(1_000, 1, Some(2));
        log.insert(500, 1, Some(2));
        assert_eq!(log.count(61_499), 2);
        assert_eq!((log.frees(1), log.frees(2), log.frees(3)), (Some(61_500), Some(62_000), None));
        assert_eq!(log.count(61_500), 1);
        assert_eq!(log.count(62_000), 0);
    }

    #[test]
    fn high_rates_take_bounded_memory_and_round_to_the_safe_side() {
        let mut log = SlidingLog::default();
        for at in 0..200_000 {
            log.insert(at, 1, None);
            log.count(at);
        }
        assert!(log.entries.len() <= 612, "{}", log.entries.len());
        assert!(log.count(200_000) >= 60_999, "one a millisecond");
    }
}
