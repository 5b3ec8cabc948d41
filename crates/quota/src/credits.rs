//! Units of a quota for use on any thread, without a message to the owner: one atomic number.
//!
//! 1. The quota issues granted units, as many as fit into the windows. Issued units count as used *now*, in each window.
//! 2. Whoever admits an attempt takes units with one compare-and-swap. No order of events takes a window over its limit.
//! 3. All threads take from the same number, so no unit is stranded with an idle thread.
//! 4. Whenever the owner has to see the whole, the quota reclaims the rest.
//! 5. Beside the credits a quota publishes how many requests are left, for anybody to sum up.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::demand::{Demand, Measure};
use crate::rate_limit_summary::RateLimitSummary;
use crate::records::Units;
use crate::request_window::{PublishedWindow, RequestWindow};

/// Requests and tokens (or nano-dollars) are packed into one number, because an attempt takes both or none.
const TOKEN_BITS: u32 = 40;
const MAX_TOKENS: u64 = (1 << TOKEN_BITS) - 1;
const MAX_REQUESTS: u64 = (1 << (u64::BITS - TOKEN_BITS)) - 1;

/// Why an attempt got no units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeError {
    /// The owner has to decide: there may be more.
    AskActor,
    /// Nothing is left, as far as is known. Asking is of no use before some time has passed.
    Exhausted,
}

/// The issued units of one quota under one set of limits.
#[derive(Debug)]
pub struct Credits {
    /// Whether requests are bounded. Unbounded units are not counted here.
    bounds_requests: bool,
    /// What the tokens here are.
    measure: Measure,
    /// The most tokens of one attempt, if tokens are bounded.
    max_tokens: Option<u64>,
    left: AtomicU64,
    /// The last moment to begin an attempt with these units (ms, monotonic): a store's lease has an end.
    begin_by: AtomicU64,
    /// Nothing comes free before this moment (ms, monotonic).
    exhausted_until: AtomicU64,
    /// Issued requests, until the quota reclaims the credits.
    issued: AtomicU64,
    /// The tightest window of requests, without what is issued.
    window: PublishedWindow,
}

impl Credits {
    /// Creates credits without any issued units.
    pub(crate) fn new(bounds_requests: bool, measure: Measure, max_tokens: Option<u64>) -> Credits {
        Credits {
            bounds_requests,
            measure,
            max_tokens,
            left: AtomicU64::new(0),
            begin_by: AtomicU64::new(0),
            exhausted_until: AtomicU64::new(0),
            issued: AtomicU64::new(0),
            window: PublishedWindow::default(),
        }
    }

    /// Returns the units of an attempt of this `demand`.
    pub(crate) fn units_for(&self, demand: Demand) -> Units {
        let tokens = self.max_tokens.map_or(0, |most| demand.part(self.measure).max(1).min(most));
        Units { requests: u64::from(self.bounds_requests), tokens, slots: 0 }
    }

    /// Takes the units of an attempt of this `demand`, at `now` (ms, monotonic). Returns the last moment to begin the attempt.
    ///
    /// # Errors
    /// When too few units are left, or the lease has ended.
    pub fn take(&self, demand: Demand, now: u64) -> Result<u64, TakeError> {
        // Read first: a lease renewed in the meantime is longer, never shorter.
        let begin_by = self.begin_by.load(Ordering::Acquire);
        let wanted = self.units_for(demand);
        if now >= begin_by || wanted.tokens > MAX_TOKENS {
            return Err(TakeError::AskActor);
        }
        let taken = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            let there = unpack(left);
            (there.requests >= wanted.requests && there.tokens >= wanted.tokens).then(|| left - pack(wanted))
        });
        match taken {
            Ok(_) => Ok(begin_by),
            Err(_) if self.exhausted_until.load(Ordering::Acquire) > now => Err(TakeError::Exhausted),
            Err(_) => Err(TakeError::AskActor),
        }
    }

    /// Issues as many of `units` as fit, and returns these. Only the quota does so, and only after [`Credits::reclaim`].
    pub(crate) fn issue(&self, units: Units, begin_by: u64, exhausted_until: u64) -> Units {
        let issued =
            Units { requests: units.requests.min(MAX_REQUESTS), tokens: units.tokens.min(MAX_TOKENS), slots: 0 };
        self.begin_by.store(begin_by, Ordering::Release);
        self.exhausted_until.store(exhausted_until, Ordering::Release);
        // In this order a reader never takes issued requests for used ones.
        self.left.store(pack(issued), Ordering::Release);
        self.issued.store(issued.requests, Ordering::Release);
        issued
    }

    /// Returns the part of a demand that is bounded here, beside the request itself.
    pub fn part(&self, demand: Demand) -> u64 {
        demand.part(self.measure)
    }

    /// Returns whether a demand of money is more than the whole of a window: no window ever pays for such an attempt.
    pub fn never_pay(&self, demand: Demand) -> bool {
        self.measure == Measure::Cost && self.max_tokens.is_some_and(|most| demand.cost > most)
    }

    /// Returns what is counted beside requests.
    pub fn measure(&self) -> Measure {
        self.measure
    }

    /// Returns the tightest bound of what is counted beside requests, if there is one.
    pub fn tightest_tokens(&self) -> Option<u64> {
        self.max_tokens
    }

    /// Publishes the tightest window of requests; `None` where requests are not limited. Only the quota does so, while nothing is
    /// issued.
    pub(crate) fn publish(&self, window: Option<RequestWindow>) {
        self.window.publish(window);
    }

    /// Takes the rest back. Units taken by workers count as reserved until the quota publishes the window again.
    pub(crate) fn reclaim(&self) -> Units {
        let issued = self.issued.swap(0, Ordering::AcqRel);
        let left = unpack(self.left.swap(0, Ordering::AcqRel));
        self.window.add_reserved(issued.saturating_sub(left.requests));
        left
    }

    /// Returns whether requests are limited in a minute or in a day.
    pub(crate) fn limits_requests(&self) -> bool {
        self.window.read().is_some()
    }

    /// Returns what the tightest window of requests leaves at `now` (ms, monotonic), issued requests included; `None` where requests
    /// are not limited.
    pub fn summary(&self, now: u64) -> Option<RateLimitSummary> {
        let window = self.window.read()?;
        let left = unpack(self.left.load(Ordering::Acquire)).requests;
        let taken = self.issued.load(Ordering::Acquire).saturating_sub(left);
        Some(RequestWindow { reserved: window.reserved.saturating_add(taken), ..window }.summary(now))
    }
}

fn pack(Units { requests, tokens, .. }: Units) -> u64 {
    requests << TOKEN_BITS | tokens
}

fn unpack(packed: u64) -> Units {
    Units { requests: packed >> TOKEN_BITS, tokens: packed & MAX_TOKENS, slots: 0 }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn units(requests: u64, tokens: u64) -> Units {
        Units { requests, tokens, slots: 0 }
    }

    #[test]
    fn an_attempt_takes_both_its_request_and_its_tokens_or_nothing() {
        let credits = Credits::new(true, Measure::Tokens, Some(1_000));
        assert_eq!(credits.take(Demand::of_tokens(1), 0), Err(TakeError::AskActor), "nothing is issued yet");
        credits.issue(units(3, 1_500), 100, 50);
        assert_eq!(
            credits.take(Demand::of_tokens(1_600), 0),
            Ok(100),
            "a demand above the window takes all of the window"
        );
        assert_eq!(credits.take(Demand::of_tokens(501), 0), Err(TakeError::Exhausted));
        assert_eq!(credits.take(Demand::of_tokens(0), 0), Ok(100), "no demand is known, and there is room");
        assert_eq!(credits.take(Demand::of_tokens(501), 50), Err(TakeError::AskActor));
        assert_eq!(credits.take(Demand::of_tokens(499), 100), Err(TakeError::AskActor), "the lease has ended");
        assert_eq!(credits.take(Demand::of_tokens(499), 99), Ok(100));
        assert_eq!(credits.reclaim(), Units::default());
        credits.issue(units(1, 0), 100, 0);
        assert_eq!(
            credits.take(Demand::of_tokens(0), 0),
            Err(TakeError::AskActor),
            "an attempt may use tokens, and there are none"
        );
    }

    #[test]
    fn units_without_a_bound_are_not_counted() {
        let credits = Credits::new(false, Measure::Tokens, Some(10));
        credits.issue(units(0, 10), u64::MAX, 0);
        assert_eq!(
            (credits.take(Demand::of_tokens(5), 0), credits.take(Demand::of_tokens(5), 0)),
            (Ok(u64::MAX), Ok(u64::MAX))
        );
        let most = credits.issue(units(u64::MAX, u64::MAX), u64::MAX, 0);
        assert_eq!(most, units(MAX_REQUESTS, MAX_TOKENS));
        assert_eq!(credits.reclaim(), most);
    }

    #[test]
    fn many_threads_take_each_unit_once_while_units_are_reclaimed_and_issued() {
        let (credits, over) = (Credits::new(true, Measure::Tokens, None), AtomicBool::new(false));
        let taker = || {
            let mut taken = 0;
            while !over.load(Ordering::Relaxed) {
                match credits.take(Demand::of_tokens(0), 0) {
                    Ok(_) => taken += 1,
                    Err(_) => std::thread::yield_now(),
                }
            }
            taken
        };
        let (issued, taken) = std::thread::scope(|scope| {
            let takers: Vec<_> = (0..4).map(|_| scope.spawn(taker)).collect();
            let mut issued = 0;
            // Until takers often came between.
            while issued < 5_000 {
                issued += credits.issue(units(7, 0), u64::MAX, 0).requests;
                std::thread::yield_now();
                issued -= credits.reclaim().requests;
            }
            over.store(true, Ordering::Relaxed);
            (issued, takers.into_iter().map(|taker| taker.join().expect("no panic")).sum::<u64>())
        });
        assert_eq!(taken, issued);
    }
}
