//! May a failed request be tried once more? Pure, but for the atomics that all workers share.
//!
//! Trying elsewhere is what a pool is for. Where upstreams are in trouble, though, it makes the trouble worse: a pool of ten of
//! which all fail would send each of them ten times as much. So these attempts have a budget, earned by requests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::BudgetConfig;

/// One attempt, in the parts that a request earns.
const ATTEMPT: u64 = 100;

/// So many seconds of what comes by itself may be saved up.
const SAVED_SECONDS: u64 = 10;

/// The attempts that may be made because upstreams are in trouble: one for the process, spent by all workers.
#[derive(Debug, Default)]
pub struct RetryBudget {
    /// In parts of an attempt.
    saved: AtomicU64,
    /// Up to when (ms, monotonic) the seconds have been counted.
    counted: AtomicU64,
    denied: AtomicU64,
}

/// How a budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetReport {
    /// Attempts that may be made now.
    pub left: u64,
    /// Attempts that were not made for the lack of it, so far.
    pub denied: u64,
}

impl RetryBudget {
    /// A request has come.
    pub(super) fn earn(&self, config: BudgetConfig, now: u64) {
        let earned = u64::from(config.percent);
        let most = most(config).max(earned.saturating_mul(ATTEMPT));
        // As long as all is well, nothing is written that all threads share.
        if self.saved.load(Ordering::Relaxed) < most {
            self.count_seconds(config, now);
            self.add(earned, most);
        }
    }

    /// May one more attempt be made? Then it is taken from the budget.
    pub(super) fn spend(&self, config: BudgetConfig, now: u64) -> bool {
        self.count_seconds(config, now);
        let spent = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| saved.checked_sub(ATTEMPT));
        if spent.is_err() {
            self.denied.fetch_add(1, Ordering::Relaxed);
        }
        spent.is_ok()
    }

    /// For `/v1/status`.
    pub fn report(&self, config: BudgetConfig, now: u64) -> BudgetReport {
        self.count_seconds(config, now);
        BudgetReport { left: self.saved.load(Ordering::Relaxed) / ATTEMPT, denied: self.denied.load(Ordering::Relaxed) }
    }

    /// Adds what comes by itself with time. Of several who see the same moment pass, one adds it.
    fn count_seconds(&self, config: BudgetConfig, now: u64) {
        let counted = self.counted.load(Ordering::Relaxed);
        let earned = now.saturating_sub(counted).saturating_mul(u64::from(config.per_second) * ATTEMPT) / 1_000;
        if earned > 0 && self.counted.compare_exchange(counted, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.add(earned, most(config));
        }
    }

    /// Adds, but not beyond `most`.
    fn add(&self, earned: u64, most: u64) {
        let added = |saved: u64| Some(saved.saturating_add(earned).min(most.max(saved)));
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
    }
}

fn most(config: BudgetConfig) -> u64 {
    SAVED_SECONDS * u64::from(config.per_second) * ATTEMPT
}

/// How long to wait before an upstream is asked again for the `nth` time (from 0): doubled each time, and by chance (`draw`, from 0
/// to 1) up to a half of it left out, so that those who failed together don't come back together.
pub(super) fn backoff(first: Duration, nth: u32, draw: f64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(10);
    let whole = first.saturating_mul(1 << nth.min(16)).min(LONGEST);
    whole.mul_f64(1.0 - draw.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BudgetConfig = BudgetConfig { percent: 20, per_second: 10 };

    #[test]
    fn retries_are_a_share_of_the_requests_and_some_a_second_besides() {
        let budget = RetryBudget::default();
        let start = 1_000_000;
        // Ten seconds' worth are there from the start.
        assert_eq!((0..1_000).filter(|_| budget.spend(CONFIG, start)).count(), 100);
        let mut spent = 0;
        for nth in 0..10_000 {
            // 1,000 requests a second, each of which would be tried nine times more.
            let now = start + nth;
            budget.earn(CONFIG, now);
            spent += (0..9).filter(|_| budget.spend(CONFIG, now)).count();
        }
        assert!((2_050..=2_101).contains(&spent), "{spent} of 10,000 requests in 10 s");
        assert!(budget.report(CONFIG, start + 10_000).denied > 80_000);
    }

    #[test]
    fn what_is_saved_has_a_bound() {
        let budget = RetryBudget::default();
        for nth in 0..100_000 {
            budget.earn(CONFIG, nth);
        }
        assert_eq!(budget.report(CONFIG, 100_000).left, 100);
        let none = BudgetConfig { percent: 0, per_second: 0 };
        assert!(!RetryBudget::default().spend(none, 1_000_000));
        let shares_alone = BudgetConfig { percent: 50, per_second: 0 };
        let budget = RetryBudget::default();
        (0..4).for_each(|_| budget.earn(shares_alone, 5));
        assert_eq!((0..9).filter(|_| budget.spend(shares_alone, 5)).count(), 2);
    }

    #[test]
    fn a_pause_doubles_and_half_of_it_is_chance() {
        let first = Duration::from_millis(200);
        let pause = |nth, draw| backoff(first, nth, draw).as_millis();
        assert_eq!((pause(0, 0.0), pause(0, 1.0), pause(2, 0.0), pause(2, 0.5)), (200, 100, 800, 600));
        assert_eq!(pause(60, 0.0), 10_000);
    }
}
