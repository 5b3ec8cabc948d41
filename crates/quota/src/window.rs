//! A sliding log of what was spent, requests or tokens: how much lies within the last minute (or second, or day), exactly.
//!
//! Satisfies a fixed minute, a sliding minute and a token bucket at once; a counter per calendar minute would let
//! twice the limit through at the edge.

use std::collections::VecDeque;

use clock::Now;

use crate::limits::guarded;

/// Up to this limit every dispatch has an entry of its own; above it, they share entries of [`Span::coarse_ms`].
const EXACT_UP_TO: u64 = 4_096;

/// An overshoot is carried over so many windows at most: what is left then lies on the last of them.
pub(super) const CARRIED_OVER: u64 = 10;

/// How long a window is, and how fine it is kept above the exact limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// The length that the provider counts in, and a guard more.
    pub(super) window_ms: u64,
    /// The width of a shared entry. Stamps are rounded up, so that an entry never leaves the window too early.
    pub(super) coarse_ms: u64,
}

impl Span {
    /// Any 60 seconds.
    pub(super) const MINUTE: Span = Span::of(60_000);

    /// Any 24 hours.
    pub(super) const DAY: Span = Span::of(86_400_000);

    /// So many ms.
    pub(super) const fn of(ms: u64) -> Span {
        let coarse_ms = if ms < 600 { 1 } else { ms / 600 };
        Span { window_ms: guarded(ms), coarse_ms }
    }
}

/// What was spent in the last [`Span::window_ms`], oldest first. Memory: 16 bytes an entry, at most 4,096 or some 610
/// (and for tokens one for each window that an overshoot is carried over).
#[derive(Debug, Clone)]
pub(super) struct SlidingLog {
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
    /// An empty window.
    pub(super) fn new(span: Span) -> Self {
        SlidingLog { span, entries: VecDeque::new(), total: 0 }
    }

    /// Notes `count` units spent at `at` (ms, monotonic). `limit` decides how exactly.
    pub(super) fn insert(&mut self, at: u64, count: u64, limit: Option<u64>) {
        if count == 0 {
            return;
        }
        let at = self.rounded(at, limit);
        self.total = self.total.saturating_add(count);
        // Stamps come almost in order: the place is at the end or a step before it.
        let place = self.entries.iter().rposition(|e| e.at <= at).map_or(0, |i| i + 1);
        match place.checked_sub(1).and_then(|i| self.entries.get_mut(i)) {
            Some(entry) if entry.at == at => entry.count = entry.count.saturating_add(count),
            Some(_) | None => self.entries.insert(place, Entry { at, count }),
        }
    }

    /// Notes an overshoot of `count` units: it counts from now on, and as if each next window had spent its part of it, behind
    /// what an earlier overshoot has taken of that.
    pub(super) fn carry(&mut self, at: u64, count: u64, limit: Option<u64>) {
        let part = limit.unwrap_or(u64::MAX).max(1);
        let mut left = count;
        for windows in 1..=CARRIED_OVER {
            if left == 0 {
                return;
            }
            let end = at + windows * self.span.window_ms;
            let room = part.saturating_sub(self.between(end - self.span.window_ms, end));
            let here = if windows == CARRIED_OVER { left } else { left.min(room) };
            self.insert(end, here, limit);
            left -= here;
        }
    }

    /// How many units lie behind `from` and not behind `to`.
    fn between(&self, from: u64, to: u64) -> u64 {
        let late = self.entries.iter().rev().take_while(|entry| entry.at > from);
        late.filter(|entry| entry.at <= to).map(|entry| entry.count).sum()
    }

    /// Takes back `count` units that were noted at `at`. If the entry of that time is not there, nothing is taken.
    pub(super) fn remove(&mut self, at: u64, count: u64, limit: Option<u64>) {
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

    /// How many units lie in the window that ends at `now`.
    pub(super) fn count(&mut self, now: u64) -> u64 {
        while let Some(oldest) = self.entries.front().filter(|e| e.at + self.span.window_ms <= now) {
            self.total = self.total.saturating_sub(oldest.count);
            self.entries.pop_front();
        }
        self.total
    }

    /// When the `units` oldest have left the window; `None` if it doesn't hold so many.
    pub(super) fn frees(&self, units: u64) -> Option<u64> {
        let mut freed = 0_u64;
        let last = self.entries.iter().find(|e| {
            freed = freed.saturating_add(e.count);
            freed >= units
        });
        last.map(|e| e.at + self.span.window_ms)
    }

    /// The same, for a shorter span.
    pub(super) fn within(&self, span: Span, limit: Option<u64>) -> SlidingLog {
        let mut shorter = SlidingLog::new(span);
        self.entries.iter().for_each(|entry| shorter.insert(entry.at, entry.count, limit));
        shorter
    }

    /// When all that it holds has left the window; `None` if it holds nothing.
    pub(super) fn empties(&self) -> Option<u64> {
        self.entries.back().map(|newest| newest.at + self.span.window_ms)
    }

    /// Takes up what [`SlidingLog::saved`] gave.
    pub(super) fn restore(&mut self, saved: &[(i64, u64)], limit: Option<u64>, now: Now) {
        for &(wall, count) in saved {
            self.insert(now.mono_at(wall), count, limit);
        }
    }

    /// What is in the window as (wall time in ms, count).
    pub(super) fn saved(&self, now: Now) -> Vec<(i64, u64)> {
        self.coarse_entries().into_iter().map(|(at, count)| (now.wall_at(at), count)).collect()
    }

    /// What is in the window as (time, count), some 610 of them at most: what is saved many times a second must
    /// be small. Rounded up, like every shared entry.
    fn coarse_entries(&self) -> Vec<(u64, u64)> {
        let mut coarse: Vec<(u64, u64)> = Vec::new();
        for Entry { at, count } in &self.entries {
            let at = at.next_multiple_of(self.span.coarse_ms);
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
        let mut log = SlidingLog::new(Span::MINUTE);
        log.insert(1_000, 1, Some(2));
        log.insert(500, 1, Some(2));
        assert_eq!(log.count(61_499), 2);
        assert_eq!((log.frees(1), log.frees(2), log.frees(3)), (Some(61_500), Some(62_000), None));
        assert_eq!(log.count(61_500), 1);
        assert_eq!(log.count(62_000), 0);
    }

    #[test]
    fn high_rates_take_bounded_memory_and_round_to_the_safe_side() {
        let mut log = SlidingLog::new(Span::MINUTE);
        for at in 0..200_000 {
            log.insert(at, 1, None);
            log.count(at);
        }
        assert!(log.entries.len() <= 612, "{}", log.entries.len());
        assert!(log.count(200_000) >= 60_999, "one a millisecond");
    }

    #[test]
    fn an_overshoot_is_carried_and_what_is_taken_back_is_gone() {
        let mut log = SlidingLog::new(Span::MINUTE);
        log.insert(0, 100, Some(100));
        log.carry(0, 150, Some(100));
        assert_eq!(log.count(60_999), 250);
        assert_eq!(log.count(61_000), 150);
        assert_eq!(log.count(122_000), 50);
        assert_eq!(log.count(183_000), 0);
        let mut twice = SlidingLog::new(Span::MINUTE);
        twice.carry(0, 150, Some(100));
        twice.carry(1, 150, Some(100));
        assert_eq!(twice.count(61_001 + 61_000), 200, "two that overlap are paid one after the other");
        assert_eq!(twice.count(61_001 + 3 * 61_000), 0);
        log.insert(200_000, 3, Some(100));
        log.remove(200_000, 1, Some(100));
        log.remove(200_001, 1, Some(100));
        assert_eq!(log.count(200_002), 2, "only what was noted at that time");
    }

    #[test]
    fn the_guard_of_a_short_window_is_a_tenth_of_it() {
        assert_eq!(Span::of(1_000).window_ms, 1_100);
        assert_eq!(Span::MINUTE.window_ms, 61_000);
        assert_eq!(Span::DAY.window_ms, 86_401_000);
    }
}
