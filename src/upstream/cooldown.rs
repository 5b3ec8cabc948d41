//! What an upstream itself told us to wait for: a limit of its own, a refused key, an empty account.
//! Says nothing about its health; that is the breaker's.

use std::time::Duration;

use super::messages::Refusal;
use crate::types::{Blame, Failure, FailureClass, LimitSpan, Now};

/// A 429 without `Retry-After`: a second, doubling with each probe that gets another one, up to a minute. A spike must not
/// cost an hour; a spent day shows as a 429 each minute.
const FIRST_MS: u64 = 1_000;
const LONGEST_UNTOLD_MS: u64 = 60_000;

/// After so long, a limit whose end nobody told is put to the test if nobody else is left.
const LAST_RESORT_MS: u64 = 10_000;

/// However long a `Retry-After` is, once in an hour it is put to the test.
const LONGEST_TOLD_MS: u64 = 3_600_000;

/// A key that is refused (401, 403) is tried again after so long.
const UNAUTHORIZED_MS: u64 = 600_000;

/// An account without money (402) is: somebody has to pay first.
const UNPAID_MS: u64 = 3_600_000;

/// Until when one upstream is left alone, and why.
#[derive(Debug, Clone, Default)]
pub(super) struct Cooldown {
    /// For a limit, or its load.
    limit: Wait,
    /// For its key, or its account.
    key: Wait,
    /// Refusals for a limit, one after the other.
    in_a_row: u32,
    /// The number of the latest wait, of all there ever were: a probe speaks of its own, and of no later one.
    latest: u32,
    /// Since when (ms, monotonic) an attempt is out to see whether that one is over: the last such, as the last resort may go beside
    /// another. (Then the end of either may let one more out. It costs one request.)
    probing: Option<u64>,
}

/// A wait for one thing. All times are ms, monotonic.
#[derive(Debug, Clone, Copy, Default)]
struct Wait {
    /// What it is, as long as nobody has seen it over.
    reason: Option<FailureClass>,
    until: u64,
    /// Until when the upstream itself told us to wait: the rest is a guess of ours.
    told: u64,
    /// From when a guess may be put to the test.
    guess: u64,
}

impl Wait {
    /// For both.
    fn with(self, other: Wait) -> Wait {
        let last = if self.until < other.until { other } else { self };
        let reason = last.reason.or(self.reason).or(other.reason);
        Wait { reason, until: last.until, told: self.told.max(other.told), guess: self.guess.max(other.guess) }
    }

    /// From when it may be asked although it waits, if nobody else is left and it waits for a guess of ours.
    fn last_resort(self) -> Option<u64> {
        (self.until > self.told).then_some(self.told.max(self.guess))
    }

    /// An attempt saw it over. What was told meanwhile holds; what was guessed does not.
    fn seen_over(&mut self, now: Now) {
        self.until = self.until.min(self.told);
        if self.until <= now.mono {
            *self = Wait::default();
        }
    }
}

impl Cooldown {
    fn both(&self) -> Wait {
        self.limit.with(self.key)
    }

    /// May an attempt go out?
    pub(super) fn check(&self, now: Now) -> Result<(), Refusal> {
        let (wait, soon) = (self.both(), now.mono + 1_000);
        let last_resort = self.last_resort(now).map(|from| if self.probing.is_some() { from.max(soon) } else { from });
        let refusal = |reason, until| Refusal::CoolingDown { until, reason, last_resort };
        match wait.reason {
            Some(reason) if wait.until > now.mono => Err(refusal(reason, wait.until)),
            // The probe's verdict is awaited; ask again soon.
            Some(reason) if self.probing.is_some() => Err(refusal(reason, soon)),
            Some(_) | None => Ok(()),
        }
    }

    /// May it be asked now, nobody else being left? Not beside a probe that may be answered yet: that a limit is over is found out by one
    /// at a time. (A refusal without a reason may have been for what one client wrote, who must not stand in all others' way; nor must one
    /// whose request takes long.)
    pub(super) fn may_be_the_last(&self, now: Now) -> bool {
        let in_doubt = self.limit.reason.is_none() && self.key.last_resort().is_some();
        let beside = self.probing.filter(|_| !in_doubt).map_or(0, |probed| probed + LAST_RESORT_MS);
        self.last_resort(now).is_some_and(|from| from.max(beside) <= now.mono)
    }

    /// From when it may be asked if nobody else is left: once the wait is over, or as far as it is a guess.
    fn last_resort(&self, now: Now) -> Option<u64> {
        let wait = self.both();
        if wait.until > now.mono { wait.last_resort() } else { Some(0) }
    }

    /// Is there nothing to wait for, nor to find out?
    pub(super) fn is_over(&self) -> bool {
        self.both().reason.is_none()
    }

    /// An attempt goes out; after a wait, it is the probe. Returns of which, if it is.
    pub(super) fn enter(&mut self, now: Now) -> Option<u32> {
        self.probing = (!self.is_over()).then_some(now.mono);
        self.probing.map(|_| self.latest)
    }

    /// A probe of this wait ended without a verdict: the next attempt is the probe.
    pub(super) fn probe_lost(&mut self, of: u32) {
        if of == self.latest {
            self.probing = None;
        }
    }

    /// Another wait begins: whoever is out to see whether the one before is over says nothing of it.
    fn begin(&mut self) {
        (self.latest, self.probing) = (self.latest.wrapping_add(1), None);
    }

    /// The configuration changed: a refused key is tried again. A limit holds.
    pub(super) fn forgive_key(&mut self) {
        self.key = Wait::default();
        if self.is_over() {
            self.probing = None;
        }
    }

    /// A probe of this wait succeeded. (Any other success is of an attempt that was begun before the wait, and does not end it.)
    pub(super) fn success(&mut self, of: u32, now: Now) {
        if of != self.latest {
            return;
        }
        (self.probing, self.in_a_row) = (None, 0);
        self.limit.seen_over(now);
        self.key.seen_over(now);
    }

    /// The upstream says that it has nothing left for so long.
    pub(super) fn close_for(&mut self, wait: Duration, now: Now) {
        if self.is_over() {
            self.begin();
        }
        self.rest((FailureClass::RateLimited, bounded(wait)), None, now);
    }

    /// An attempt failed, be it the `probe` of a wait. Returns how long the upstream is left alone, if the failure asks for that. `day_ends`
    /// (ms, monotonic) is when a day's limit of its own begins anew.
    pub(super) fn failure(
        &mut self,
        (failure, probe): (&Failure, Option<u32>),
        day_ends: u64,
        now: Now,
    ) -> Option<u64> {
        let told = failure.retry_after.map(bounded);
        let probe = probe == Some(self.latest);
        let rest = match failure.class {
            FailureClass::RateLimited => {
                // Of a spike, all that was under way is refused: that is one refusal.
                if probe || self.limit.reason.is_none() {
                    self.in_a_row = self.in_a_row.saturating_add(1);
                }
                let untold = (FIRST_MS << self.in_a_row.saturating_sub(1).min(16)).min(LONGEST_UNTOLD_MS);
                match failure.limit {
                    // Whatever short time it names besides: until the day ends nothing will change.
                    Some(LimitSpan::Day) => day_ends.saturating_sub(now.mono).clamp(FIRST_MS, LONGEST_TOLD_MS),
                    Some(LimitSpan::Minute) => told.map_or(untold, |told| told.min(LONGEST_UNTOLD_MS)),
                    None => told.unwrap_or(untold),
                }
            }
            FailureClass::Unauthorized | FailureClass::PaymentRequired if failure.blame == Blame::Request => {
                return None;
            }
            FailureClass::Unauthorized => UNAUTHORIZED_MS,
            FailureClass::PaymentRequired => UNPAID_MS,
            FailureClass::Overloaded => told?,
            FailureClass::Forbidden
            | FailureClass::ServerError
            | FailureClass::Timeout
            | FailureClass::Connect
            | FailureClass::NoSocket
            | FailureClass::Protocol
            | FailureClass::Empty
            | FailureClass::StaleConnection
            | FailureClass::StreamOptionsRefused
            | FailureClass::ModelNotFound
            | FailureClass::TooLarge
            | FailureClass::WrongForm
            | FailureClass::Rejected => return None,
        };
        let limited = failure.class == FailureClass::RateLimited;
        let guess = match failure.blame {
            Blame::Unclear => Some(0),
            _ if limited && told.is_none() && failure.limit != Some(LimitSpan::Day) => Some(LAST_RESORT_MS),
            Blame::Upstream | Blame::Request | Blame::Connection | Blame::Told => None,
        };
        // (Beside a refusal in doubt others may be served at this moment: that ends the wait, for all that one client is refused.)
        if self.is_over() || probe && failure.blame != Blame::Unclear {
            self.begin();
        }
        self.rest((failure.class, rest), guess, now);
        Some(rest)
    }

    /// `guess`: after so long it may be put to the test, for nobody told us to wait so long.
    fn rest(&mut self, (reason, rest): (FailureClass, u64), guess: Option<u64>, now: Now) {
        let of_limit = matches!(reason, FailureClass::RateLimited | FailureClass::Overloaded);
        let wait = if of_limit { &mut self.limit } else { &mut self.key };
        let until = now.mono + rest;
        match guess {
            Some(wait_for) => wait.guess = wait.guess.max(now.mono + wait_for.min(rest)),
            None => wait.told = wait.told.max(until),
        }
        if until > wait.until {
            (wait.until, wait.reason) = (until, Some(reason));
        }
    }
}

/// In ms, an hour at most: then it is put to the test.
fn bounded(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(LONGEST_TOLD_MS)
}

#[cfg(test)]
mod tests;
