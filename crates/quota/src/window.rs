//! A sliding log of used units: exactly how many lie in the last minute, burst or period.
//!
//! A sliding log satisfies providers with a fixed minute, with a sliding minute and with a token bucket at once. A counter per
//! calendar minute would let twice the limit through at the minute's edge.

use std::collections::{BTreeMap, VecDeque};

use clock::Now;

use crate::limits::guarded;

/// Up to this limit each request has its own entry. Above, requests share entries of [`Span::coarse_ms`].
const EXACT_UP_TO: u64 = 4_096;

/// The grain of saved times (ms): a log saved many times a second must be small. After a restart a unit leaves the window later by
/// so much. With more than [`MAX_EXACTLY_SAVED`] entries the grain is the one of shared entries, if that is coarser.
const SAVED_GRAIN_MS: u64 = 1_000;

/// Up to so many entries are saved to the second.
const MAX_EXACTLY_SAVED: usize = 610;

/// The most windows to pay an overshoot back. The last one takes the rest.
pub(crate) const MAX_DEBT_WINDOWS: u64 = 10;

/// The length of a window, and the grain of shared entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The provider's span, with a guard.
    pub(crate) window_ms: u64,
    /// The width of a shared entry. Times are rounded up: no entry leaves the window too early.
    pub(crate) coarse_ms: u64,
}

impl Span {
    /// Any 60 seconds.
    pub(crate) const MINUTE: Span = Span::of(60_000);

    /// Returns the span of `ms` milliseconds.
    pub(crate) const fn of(ms: u64) -> Span {
        let coarse_ms = if ms < 600 { 1 } else { ms / 600 };
        Span { window_ms: guarded(ms), coarse_ms }
    }
}

/// What was used in the last [`Span::window_ms`], oldest first. An entry takes 16 bytes. There are at most 4,096, or some 610 shared
/// ones, and of tokens one more for each window with a debt.
#[derive(Debug, Clone)]
pub(crate) struct SlidingLog {
    span: Span,
    entries: VecDeque<Entry>,
    total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    at: u64,
    count: u64,
}

impl SlidingLog {
    /// Creates an empty window.
    pub(crate) fn new(span: Span) -> Self {
        SlidingLog { span, entries: VecDeque::new(), total: 0 }
    }

    /// Records `count` units used at `at` (ms, monotonic). `limit` decides how exactly.
    pub(crate) fn insert(&mut self, at: u64, count: u64, limit: Option<u64>) {
        self.insert_at(self.rounded(at, limit), count);
    }

    fn insert_at(&mut self, at: u64, count: u64) {
        if count == 0 {
            return;
        }
        self.total = self.total.saturating_add(count);
        // Times come almost in order: the place is at the end or a step before.
        let place = self.entries.iter().rposition(|e| e.at <= at).map_or(0, |i| i + 1);
        match place.checked_sub(1).and_then(|i| self.entries.get_mut(i)) {
            Some(entry) if entry.at == at => entry.count = entry.count.saturating_add(count),
            Some(_) | None => self.entries.insert(place, Entry { at, count }),
        }
    }

    /// Records an overshoot of `count` units. Each of the next windows begins with a part of the debt, as much as earlier debts
    /// leave of the limit.
    pub(crate) fn carry_debt(&mut self, at: u64, count: u64, limit: Option<u64>) {
        let part = limit.unwrap_or(u64::MAX).max(1);
        let mut left = count;
        for windows in 1..=MAX_DEBT_WINDOWS {
            if left == 0 {
                return;
            }
            let end = at + windows * self.span.window_ms;
            let room = part.saturating_sub(self.between(end - self.span.window_ms, end));
            let here = if windows == MAX_DEBT_WINDOWS { left } else { left.min(room) };
            self.insert(end, here, limit);
            left -= here;
        }
    }

    /// Returns the units after `from`, up to and including `to`.
    fn between(&self, from: u64, to: u64) -> u64 {
        let late = self.entries.iter().rev().take_while(|entry| entry.at > from);
        late.filter(|entry| entry.at <= to).map(|entry| entry.count).sum()
    }

    /// Takes back `count` units recorded at `at`, if the entry is still there.
    pub(crate) fn remove(&mut self, at: u64, count: u64, limit: Option<u64>) {
        let at = self.rounded(at, limit);
        if let Some(i) = self.entries.iter().rposition(|e| e.at == at)
            && let Some(entry) = self.entries.get_mut(i)
        {
            let taken = entry.count.min(count);
            entry.count -= taken;
            self.total = self.total.saturating_sub(taken);
            if entry.count == 0 {
                self.entries.remove(i);
            }
        }
    }

    fn rounded(&self, at: u64, limit: Option<u64>) -> u64 {
        let coarse = limit.is_none_or(|limit| limit > EXACT_UP_TO);
        if coarse { at.next_multiple_of(self.span.coarse_ms) } else { at }
    }

    /// Returns the units in the window up to `now`, and forgets older ones.
    pub(crate) fn count(&mut self, now: u64) -> u64 {
        while let Some(oldest) = self.entries.front().filter(|e| e.at + self.span.window_ms <= now) {
            self.total = self.total.saturating_sub(oldest.count);
            self.entries.pop_front();
        }
        self.total
    }

    /// Returns when the oldest `units` have left the window; `None` if there are fewer.
    pub(crate) fn frees(&self, units: u64) -> Option<u64> {
        let mut freed = 0_u64;
        let last = self.entries.iter().find(|e| {
            freed = freed.saturating_add(e.count);
            freed >= units
        });
        last.map(|e| e.at + self.span.window_ms)
    }

    /// Raises the log to `other`: from now on, no window holds fewer units than in either log.
    pub(crate) fn raise(&mut self, other: &SlidingLog) {
        let mut counts: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for Entry { at, count } in &self.entries {
            counts.entry(*at).or_default().0 = *count;
        }
        for Entry { at, count } in &other.entries {
            counts.entry(*at).or_default().1 = *count;
        }
        *self = SlidingLog::new(self.span);
        // Every window ends with the newest entry, so the larger sum of the newest ones holds at each place.
        let (mut own, mut others) = (0_u64, 0_u64);
        for (at, (of_own, of_other)) in counts.into_iter().rev() {
            own = own.saturating_add(of_own);
            others = others.saturating_add(of_other);
            self.insert_at(at, own.max(others) - self.total);
        }
    }

    /// Returns the same log with a shorter span.
    pub(crate) fn within(&self, span: Span, limit: Option<u64>) -> SlidingLog {
        let mut shorter = SlidingLog::new(span);
        self.entries.iter().for_each(|entry| shorter.insert(entry.at, entry.count, limit));
        shorter
    }

    /// Returns the length of the window.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Returns when the window will be empty, if nothing is added; `None` for an empty one.
    pub(crate) fn empties(&self) -> Option<u64> {
        self.entries.back().map(|newest| newest.at + self.span.window_ms)
    }

    /// Adds what [`SlidingLog::saved`] returned. These times are rounded already.
    pub(crate) fn restore(&mut self, saved: &[(i64, u64)], now: Now) {
        for &(wall, count) in saved {
            self.insert_at(now.mono_at(wall), count);
        }
    }

    /// Returns the window as (wall time in ms, count), at most some 610 pairs. Times are rounded up: to the second, or with more
    /// entries than that as in every shared entry.
    pub(crate) fn saved(&self, now: Now) -> Vec<(i64, u64)> {
        let is_long = self.entries.len() > MAX_EXACTLY_SAVED;
        let grain = if is_long { self.span.coarse_ms.max(SAVED_GRAIN_MS) } else { SAVED_GRAIN_MS };
        let mut saved: Vec<(i64, u64)> = Vec::new();
        for Entry { at, count } in &self.entries {
            let at = now.wall_at(at.next_multiple_of(grain));
            match saved.last_mut() {
                Some(last) if last.0 == at => last.1 = last.1.saturating_add(*count),
                Some(_) | None => saved.push((at, *count)),
            }
        }
        saved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_counts_for_a_minute_and_its_guard() {
        let mut log = SlidingLog::new(Span::MINUTE);
        log.insert(1_000, 1, Some(2));
        log.insert(500, 1, Some(2));
        assert_eq!(log.count(61_499), 2);
        assert_eq!((log.frees(1), log.frees(2), log.frees(3)), (Some(61_500), Some(62_000), None));
        assert_eq!(log.count(61_500), 1);
        assert_eq!(log.count(62_000), 0);
    }

    #[test]
    fn a_high_rate_takes_bounded_memory_and_rounds_to_the_safe_side() {
        let mut log = SlidingLog::new(Span::MINUTE);
        for at in 0..200_000 {
            log.insert(at, 1, None);
            log.count(at);
        }
        assert!(log.entries.len() <= 612, "{}", log.entries.len());
        assert!(log.count(200_000) >= 60_999, "one a millisecond");
    }

    #[test]
    fn a_saved_log_has_an_entry_a_second_and_rounds_to_the_safe_side() {
        let (now, mut log) = (Now { mono: 60_000, wall: 1_060_000 }, SlidingLog::new(Span::MINUTE));
        (0..60_000).for_each(|at| log.insert(at, 1, None));
        let saved = log.saved(now);
        assert_eq!((saved.len(), saved.iter().map(|(_, count)| count).sum::<u64>()), (61, 60_000));
        let mut restored = SlidingLog::new(Span::MINUTE);
        restored.restore(&saved, now);
        for later in (60_000..125_000).step_by(100) {
            assert!(restored.count(later) >= log.count(later), "at {later}");
        }
        assert_eq!(restored.count(121_000), 0);
    }

    #[test]
    fn an_overshoot_is_paid_back_by_the_next_windows_one_debt_after_the_other() {
        let mut log = SlidingLog::new(Span::MINUTE);
        log.insert(0, 100, Some(100));
        log.carry_debt(0, 150, Some(100));
        assert_eq!(log.count(60_999), 250);
        assert_eq!(log.count(61_000), 150);
        assert_eq!(log.count(122_000), 50);
        assert_eq!(log.count(183_000), 0);
        let mut twice = SlidingLog::new(Span::MINUTE);
        twice.carry_debt(0, 150, Some(100));
        twice.carry_debt(1, 150, Some(100));
        assert_eq!(twice.count(61_001 + 61_000), 200, "two debts that overlap are paid one after the other");
        assert_eq!(twice.count(61_001 + 3 * 61_000), 0);
    }

    #[test]
    fn a_raised_log_holds_in_every_window_as_much_as_the_larger_one() {
        let log = |entries: &[(u64, u64)]| {
            let mut log = SlidingLog::new(Span::MINUTE);
            entries.iter().for_each(|(at, count)| log.insert(*at, *count, Some(100)));
            log
        };
        let (own, other) = ([(0, 10), (30_000, 1)], [(20_000, 3), (40_000, 5), (90_000, 1)]);
        let mut raised = log(&own);
        raised.raise(&log(&other));
        let (mut own, mut other) = (log(&own), log(&other));
        for at in (50_000..160_000).step_by(500) {
            assert_eq!(raised.count(at), own.count(at).max(other.count(at)), "at {at}");
        }
    }

    #[test]
    fn a_unit_is_taken_back_only_from_the_entry_of_its_time() {
        let mut log = SlidingLog::new(Span::MINUTE);
        log.insert(200_000, 3, Some(100));
        log.remove(200_000, 1, Some(100));
        log.remove(200_001, 1, Some(100));
        assert_eq!(log.count(200_002), 2);
    }

    #[test]
    fn the_guard_of_a_short_window_is_a_tenth_of_its_span() {
        assert_eq!(Span::of(1_000).window_ms, 1_100);
        assert_eq!(Span::MINUTE.window_ms, 61_000);
        assert_eq!(Span::of(86_400_000).window_ms, 86_401_000);
    }
}
