//! The retry budget. Pure, apart from the atomics that all workers share.
//!
//! Trying elsewhere is what a pool is for. Where upstreams are in trouble, more attempts make the trouble worse: a pool of ten failing
//! upstreams would send each of them ten times the load. So such attempts have a budget, and requests deposit into it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::BudgetConfig;

/// The price of one attempt, in the unit of a deposit: a hundredth of an attempt.
const ATTEMPT: u64 = 100;

/// The balance holds at most so many seconds of the rate per second.
const SAVED_SECONDS: u64 = 10;

/// The attempts that may be made because upstreams are in trouble. One for the process; all workers withdraw from it.
#[derive(Debug, Default)]
pub struct RetryBudget {
    /// In hundredths of an attempt.
    balance: AtomicU64,
    /// The time (ms, monotonic) up to which the rate per second has been added.
    refilled_at: AtomicU64,
    /// Withdrawals that found too little.
    denied: AtomicU64,
}

/// The state of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetReport {
    /// Attempts that may be made now.
    pub left: u64,
    /// Attempts that were not made because the budget was spent, since the start.
    pub denied: u64,
}

impl RetryBudget {
    /// Deposits the share of one request.
    pub(in crate::proxy) fn deposit(&self, config: BudgetConfig, now: u64) {
        let earned = u64::from(config.percent);
        let most = most(config).max(earned.saturating_mul(ATTEMPT));
        // While all is well the balance is full, and nothing is written that all threads share.
        if self.balance.load(Ordering::Relaxed) < most {
            self.refill(config, now);
            self.add(earned, most);
        }
    }

    /// Withdraws one attempt. Returns whether the budget had one.
    pub(in crate::proxy) fn try_withdraw(&self, config: BudgetConfig, now: u64) -> bool {
        self.refill(config, now);
        let withdrawn =
            self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |balance| balance.checked_sub(ATTEMPT));
        if withdrawn.is_err() {
            self.denied.fetch_add(1, Ordering::Relaxed);
        }
        withdrawn.is_ok()
    }

    /// Returns the state, for `/v1/status`.
    pub fn report(&self, config: BudgetConfig, now: u64) -> BudgetReport {
        self.refill(config, now);
        BudgetReport {
            left: self.balance.load(Ordering::Relaxed) / ATTEMPT,
            denied: self.denied.load(Ordering::Relaxed),
        }
    }

    /// Adds the rate per second. Of several threads that see the same moment pass, one adds it.
    fn refill(&self, config: BudgetConfig, now: u64) {
        let refilled_at = self.refilled_at.load(Ordering::Relaxed);
        let earned = now.saturating_sub(refilled_at).saturating_mul(u64::from(config.per_second) * ATTEMPT) / 1_000;
        if earned > 0
            && self.refilled_at.compare_exchange(refilled_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.add(earned, most(config));
        }
    }

    /// Adds to the balance, up to `most`.
    fn add(&self, earned: u64, most: u64) {
        let added = |balance: u64| Some(balance.saturating_add(earned).min(most.max(balance)));
        let _ = self.balance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, added);
    }
}

fn most(config: BudgetConfig) -> u64 {
    SAVED_SECONDS * u64::from(config.per_second) * ATTEMPT
}

/// Returns the pause before an upstream is asked again for the `nth` time (from 0). The pause doubles each time. A random part of up
/// to a half is left out (`draw`, from 0 to 1), so that requests that failed together don't come back together.
pub(in crate::proxy) fn backoff(first: Duration, nth: u32, draw: f64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(10);
    let whole = first.saturating_mul(1 << nth.min(16)).min(LONGEST);
    whole.mul_f64(1.0 - draw.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BudgetConfig = BudgetConfig { percent: 20, per_second: 10 };

    #[test]
    fn retries_are_a_share_of_the_requests_and_a_rate_per_second() {
        let budget = RetryBudget::default();
        let start = 1_000_000;
        // Ten seconds' worth are there from the start.
        assert_eq!((0..1_000).filter(|_| budget.try_withdraw(CONFIG, start)).count(), 100);
        let mut spent = 0;
        for nth in 0..10_000 {
            // 1,000 requests a second, each of which would be tried nine times more.
            let now = start + nth;
            budget.deposit(CONFIG, now);
            spent += (0..9).filter(|_| budget.try_withdraw(CONFIG, now)).count();
        }
        assert!((2_050..=2_101).contains(&spent), "{spent} of 10,000 requests in 10 s");
        assert!(budget.report(CONFIG, start + 10_000).denied > 80_000);
    }

    #[test]
    fn the_balance_has_a_bound() {
        let budget = RetryBudget::default();
        for nth in 0..100_000 {
            budget.deposit(CONFIG, nth);
        }
        assert_eq!(budget.report(CONFIG, 100_000).left, 100);
        let none = BudgetConfig { percent: 0, per_second: 0 };
        assert!(!RetryBudget::default().try_withdraw(none, 1_000_000));
        let shares_alone = BudgetConfig { percent: 50, per_second: 0 };
        let budget = RetryBudget::default();
        (0..4).for_each(|_| budget.deposit(shares_alone, 5));
        assert_eq!((0..9).filter(|_| budget.try_withdraw(shares_alone, 5)).count(), 2);
    }

    #[test]
    fn the_pause_doubles_and_half_of_it_is_random() {
        let first = Duration::from_millis(200);
        let pause = |nth, draw| backoff(first, nth, draw).as_millis();
        assert_eq!((pause(0, 0.0), pause(0, 1.0), pause(2, 0.0), pause(2, 0.5)), (200, 100, 800, 600));
        assert_eq!(pause(60, 0.0), 10_000);
    }
}
