//! The tightest window of a quota's requests, published for readers on other threads.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::rate_limit_summary::RateLimitSummary;

/// Published in place of a limit where requests are not limited.
const NO_LIMIT: u64 = u64::MAX;

/// The tightest window of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestWindow {
    /// The most requests in the window.
    pub(crate) limit: u64,
    /// Requests in the window, of other servers too.
    pub(crate) used: u64,
    /// Requests of attempts under way, and issued credits.
    pub(crate) reserved: u64,
    /// When all of `used` has left the window (ms, monotonic).
    pub(crate) resets_at: u64,
    /// The length of the window (ms).
    pub(crate) span_ms: u64,
    /// Units that a pace holds back: now, and after the reset.
    pub(crate) held: [u64; 2],
}

impl RequestWindow {
    /// Returns the remaining requests.
    pub(crate) fn remaining(&self) -> u64 {
        let [held, _] = self.held;
        self.limit.saturating_sub(held).saturating_sub(self.used).saturating_sub(self.reserved)
    }

    /// Returns the rest at `now` (ms, monotonic), even if nobody has looked at the quota since: used requests leave together, and
    /// reserved ones stay.
    pub(crate) fn summary(&self, now: u64) -> RateLimitSummary {
        let is_over = now >= self.resets_at;
        let used = if is_over { 0 } else { self.used };
        let [held_now, held_after] = self.held;
        let held = [if is_over { held_after } else { held_now }, held_after];
        let reset_ms = match (used, self.reserved) {
            (0, 0) => 0,
            _ if is_over => self.span_ms,
            _ => self.resets_at - now,
        };
        RateLimitSummary { limit: self.limit, remaining: RequestWindow { used, held, ..*self }.remaining(), reset_ms }
    }
}

/// A [`RequestWindow`] for readers on other threads. The quota alone writes. A reader may see an old value beside a new one for some
/// nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct PublishedWindow {
    limit: AtomicU64,
    used: AtomicU64,
    reserved: AtomicU64,
    resets_at: AtomicU64,
    span_ms: AtomicU64,
    held: [AtomicU64; 2],
}

impl PublishedWindow {
    /// Publishes a window; `None` where requests are not limited.
    pub(crate) fn publish(&self, window: Option<RequestWindow>) {
        let Some(RequestWindow { limit, used, reserved, resets_at, span_ms, held }) = window else {
            return self.limit.store(NO_LIMIT, Ordering::Release);
        };
        self.limit.store(limit, Ordering::Release);
        self.used.store(used, Ordering::Release);
        self.reserved.store(reserved, Ordering::Release);
        self.resets_at.store(resets_at, Ordering::Release);
        self.span_ms.store(span_ms, Ordering::Release);
        self.held.iter().zip(held).for_each(|(place, units)| place.store(units, Ordering::Release));
    }

    /// Counts requests taken by workers as reserved.
    pub(crate) fn add_reserved(&self, requests: u64) {
        self.reserved.fetch_add(requests, Ordering::AcqRel);
    }

    /// Returns the published window.
    pub(crate) fn read(&self) -> Option<RequestWindow> {
        let limit = self.limit.load(Ordering::Acquire);
        (limit != NO_LIMIT).then(|| RequestWindow {
            limit,
            used: self.used.load(Ordering::Acquire),
            reserved: self.reserved.load(Ordering::Acquire),
            resets_at: self.resets_at.load(Ordering::Acquire),
            span_ms: self.span_ms.load(Ordering::Acquire),
            held: self.held.each_ref().map(|units| units.load(Ordering::Acquire)),
        })
    }
}
