//! The requests left for one model, summed over all upstreams of the model: the source of `x-ratelimit-…`.
//!
//! 1. Each upstream counts with its tightest limit: its own or the group's, for all models or for this one.
//! 2. Members of a group count together, as far as the group has something left.
//! 3. Where one upstream has no limit on requests, the sum has none.
//! 4. A sum serves for a millisecond an upstream, and each admission in between counts one off: summing up takes a ten-thousandth of
//!    the time.
//!
//! The quotas publish these numbers beside their [`Credits`]: nobody is asked, and no quota is paused.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::credits::Credits;
use crate::rate_limit_summary::RateLimitSummary;

/// The limits on requests for one model.
#[derive(Debug, Default)]
pub struct PoolLimits {
    accounts: Vec<Account>,
    is_unlimited: bool,
    last: LastSum,
}

/// The last sum, of all threads.
#[derive(Debug, Default)]
struct LastSum {
    limit: AtomicU64,
    remaining: AtomicU64,
    /// ms, monotonic.
    resets_at: AtomicU64,
    /// When to sum up again (ms, monotonic).
    valid_until: AtomicU64,
}

/// The members of a group, or one upstream alone.
#[derive(Debug)]
struct Account {
    /// The limits of the group; empty without a group.
    shared: OwnerLimits,
    members: Vec<OwnerLimits>,
}

/// The limits on requests of one upstream or one group: for all models, for one, and of other periods.
#[derive(Debug, Default)]
pub struct OwnerLimits(Vec<Arc<Credits>>);

impl OwnerLimits {
    /// Creates the limits of an owner from the credits of all quotas. Credits without a limit on requests do not matter.
    pub fn new(credits: impl IntoIterator<Item = Arc<Credits>>) -> OwnerLimits {
        OwnerLimits(credits.into_iter().filter(|credits| credits.limits_requests()).collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether both are of the same owner.
    fn is(&self, other: &OwnerLimits) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(one, other)| Arc::ptr_eq(one, other))
    }

    /// Returns what the tightest limit leaves at `now` (ms, monotonic).
    fn summary(&self, now: u64) -> Option<RateLimitSummary> {
        let limits = self.0.iter().filter_map(|credits| credits.summary(now));
        limits.min_by_key(RateLimitSummary::tightness)
    }
}

impl PoolLimits {
    /// Adds an upstream: its own limits, and the limits of its group (empty without a group).
    pub fn add(&mut self, own: OwnerLimits, group: OwnerLimits) {
        self.is_unlimited |= own.is_empty() && group.is_empty();
        let known = self.accounts.iter_mut().find(|account| !group.is_empty() && account.shared.is(&group));
        match known {
            Some(account) => account.members.push(own),
            None => self.accounts.push(Account { shared: group, members: vec![own] }),
        }
    }

    /// Returns what is left of all limits together at `now` (ms, monotonic); `None` if an upstream has no limit, or there is none.
    pub fn summary(&self, now: u64) -> Option<RateLimitSummary> {
        let limited = self.accounts.iter().filter(|_| !self.is_unlimited);
        limited.filter_map(|account| account.summary(now)).reduce(RateLimitSummary::plus)
    }

    /// Returns what is left at `now` (ms, monotonic), after one more request was admitted.
    pub fn after_one_more(&self, now: u64) -> Option<RateLimitSummary> {
        let LastSum { limit, remaining, resets_at, valid_until } = &self.last;
        if now < valid_until.load(Ordering::Acquire) {
            let before = remaining.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
            return Some(RateLimitSummary {
                limit: limit.load(Ordering::Acquire),
                remaining: before.map_or(0, |left| left - 1),
                reset_ms: resets_at.load(Ordering::Acquire).saturating_sub(now),
            });
        }
        let sum = self.summary(now)?;
        let upstreams: usize = self.accounts.iter().map(|account| account.members.len()).sum();
        limit.store(sum.limit, Ordering::Release);
        remaining.store(sum.remaining, Ordering::Release);
        resets_at.store(now + sum.reset_ms, Ordering::Release);
        valid_until.store(now + upstreams as u64, Ordering::Release);
        Some(sum)
    }
}

impl Account {
    fn summary(&self, now: u64) -> Option<RateLimitSummary> {
        let shared = self.shared.summary(now);
        // A member without own limits may use all of the group's.
        let members = self.members.iter().filter_map(|own| own.summary(now).or(shared));
        members.reduce(RateLimitSummary::plus).into_iter().chain(shared).min_by_key(RateLimitSummary::tightness)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::{Demand, Measure};
    use crate::records::Units;
    use crate::request_window::RequestWindow;

    /// Returns credits of a quota with `used` requests of `limit` in a minute with its end at 1,000.
    fn credits(limit: u64, used: u64) -> Arc<Credits> {
        let credits = Credits::new(true, Measure::Tokens, None);
        credits.publish(Some(RequestWindow {
            limit,
            used,
            reserved: 0,
            resets_at: 1_000,
            span_ms: 61_000,
            held: [0, 0],
        }));
        Arc::new(credits)
    }

    fn of_all(limit: u64, used: u64) -> OwnerLimits {
        OwnerLimits::new([credits(limit, used)])
    }

    fn summary(limit: u64, remaining: u64, reset_ms: u64) -> Option<RateLimitSummary> {
        Some(RateLimitSummary { limit, remaining, reset_ms })
    }

    #[test]
    fn upstreams_add_up_each_by_its_tightest_limit() {
        let mut pool = PoolLimits::default();
        pool.add(of_all(10, 3), OwnerLimits::default());
        assert_eq!(pool.summary(0), summary(10, 7, 1_000));
        pool.add(OwnerLimits::new([credits(100, 0), credits(5, 1)]), OwnerLimits::default());
        assert_eq!(pool.summary(0), summary(15, 11, 1_000));
        assert_eq!(pool.summary(1_000), summary(15, 15, 0), "all requests have left their windows");
    }

    #[test]
    fn members_of_a_group_have_together_no_more_than_the_group() {
        let group = credits(10, 4);
        let of_group = || OwnerLimits::new([group.clone()]);
        let mut pool = PoolLimits::default();
        pool.add(of_all(4, 1), of_group());
        assert_eq!(pool.summary(0), summary(4, 3, 1_000));
        pool.add(of_all(9, 5), of_group());
        assert_eq!(pool.summary(0), summary(10, 6, 1_000), "the members alone have seven");
        pool.add(of_all(1, 0), OwnerLimits::default());
        assert_eq!(pool.summary(0), summary(11, 7, 1_000), "another account is not in the group");
    }

    #[test]
    fn a_member_without_limits_may_use_all_of_its_group() {
        let group = credits(10, 4);
        let of_group = || OwnerLimits::new([group.clone()]);
        let mut pool = PoolLimits::default();
        pool.add(of_all(4, 1), of_group());
        pool.add(OwnerLimits::default(), of_group());
        assert_eq!(pool.summary(0), summary(10, 6, 1_000));
    }

    #[test]
    fn one_upstream_without_a_limit_on_requests_leaves_nothing_to_say() {
        assert_eq!(PoolLimits::default().summary(0), None);
        let tokens_only = Credits::new(false, Measure::Tokens, Some(1_000));
        tokens_only.publish(None);
        let mut pool = PoolLimits::default();
        pool.add(of_all(10, 3), OwnerLimits::default());
        pool.add(OwnerLimits::new([Arc::new(tokens_only)]), OwnerLimits::default());
        assert_eq!(pool.summary(0), None);
    }

    #[test]
    fn a_sum_serves_for_a_millisecond_an_upstream_and_is_counted_down() {
        let credits = credits(2, 1);
        let mut pool = PoolLimits::default();
        for _ in 0..3 {
            pool.add(OwnerLimits::new([credits.clone()]), OwnerLimits::default());
        }
        assert_eq!(pool.after_one_more(0), summary(6, 3, 1_000), "the admission came before the sum");
        credits.publish(Some(RequestWindow {
            limit: 5,
            used: 1,
            reserved: 0,
            resets_at: 1_000,
            span_ms: 61_000,
            held: [0, 0],
        }));
        for left in [2, 1, 0, 0] {
            assert_eq!(pool.after_one_more(2), summary(6, left, 998));
        }
        assert_eq!(pool.after_one_more(3), summary(15, 12, 997));
    }

    #[test]
    fn requests_count_from_the_moment_a_worker_takes_them() {
        let credits = credits(10, 2);
        credits.issue(Units { requests: 5, ..Units::default() }, u64::MAX, 0);
        let mut pool = PoolLimits::default();
        pool.add(OwnerLimits::new([credits.clone()]), OwnerLimits::default());
        assert_eq!(pool.summary(0), summary(10, 8, 1_000), "issued credits are left");
        assert!(credits.take(Demand::of_tokens(0), 0).is_ok() && credits.take(Demand::of_tokens(0), 0).is_ok());
        assert_eq!(pool.summary(0), summary(10, 6, 1_000));
        assert_eq!(pool.summary(2_000), summary(10, 8, 61_000), "the window is over, and two are under way");
        credits.reclaim();
        assert_eq!(pool.summary(0), summary(10, 6, 1_000), "reclaimed credits are left as well");
    }
}
