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
    /// Limits without a time, one after the other.
    in_a_row: u32,
    /// The wait is over, and one attempt is out to see whether that is so. (Waits have no number: where a key was forgiven, or doubted and
    /// asked as the last resort, while its probe is out, the end of that one may let a second one out. That costs one request.)
    probing: bool,
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
        let last_resort = wait.last_resort().map(|from| from.max(if self.is_alone() { soon } else { now.mono }));
        let refusal = |reason, until| Refusal::CoolingDown { until, reason, last_resort };
        match wait.reason {
            Some(reason) if wait.until > now.mono => Err(refusal(reason, wait.until)),
            // The probe's verdict is awaited; ask again soon.
            Some(reason) if self.probing => Err(refusal(reason, soon)),
            Some(_) | None => Ok(()),
        }
    }

    /// Is a probe out that nobody is to go beside? That a limit is over is found out by one at a time. (A refusal without a reason may
    /// have been for what one client wrote, who must not stand in all others' way.)
    fn is_alone(&self) -> bool {
        self.probing && self.limit.reason.is_some()
    }

    /// May it be asked now, nobody else being left?
    pub(super) fn may_be_the_last(&self, now: Now) -> bool {
        self.check(now).is_ok() || !self.is_alone() && self.both().last_resort().is_some_and(|from| from <= now.mono)
    }

    /// Is there nothing to wait for, nor to find out?
    pub(super) fn is_over(&self) -> bool {
        self.both().reason.is_none()
    }

    /// An attempt goes out; after a wait, it is the probe. Returns whether it is.
    pub(super) fn enter(&mut self) -> bool {
        self.probing = !self.is_over();
        self.probing
    }

    /// The probe ended without a verdict: the next attempt is the probe.
    pub(super) fn probe_lost(&mut self) {
        self.probing = false;
    }

    /// The configuration changed: a refused key is tried again. A limit holds.
    pub(super) fn forgive_key(&mut self) {
        self.key = Wait::default();
    }

    /// The probe succeeded. (Any other success is of an attempt that was begun before the wait, and does not end it.)
    pub(super) fn success(&mut self, now: Now) {
        self.probing = false;
        self.limit.seen_over(now);
        self.key.seen_over(now);
        if self.limit.reason.is_none() {
            self.in_a_row = 0;
        }
    }

    /// The upstream says that it has nothing left for so long.
    pub(super) fn close_for(&mut self, wait: Duration, now: Now) {
        self.rest((FailureClass::RateLimited, bounded(wait)), None, now);
    }

    /// An attempt failed, be it the `probe`. Returns how long the upstream is left alone, if the failure asks for that. `day_ends`
    /// (ms, monotonic) is when a day's limit of its own begins anew.
    pub(super) fn failure(&mut self, (failure, probe): (&Failure, bool), day_ends: u64, now: Now) -> Option<u64> {
        let told = failure.retry_after.map(bounded);
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
            | FailureClass::Rejected => return None,
        };
        let limited = failure.class == FailureClass::RateLimited;
        let guess = match failure.blame {
            Blame::Unclear => Some(0),
            _ if limited && told.is_none() && failure.limit != Some(LimitSpan::Day) => Some(LAST_RESORT_MS),
            Blame::Upstream | Blame::Request | Blame::Connection | Blame::Told => None,
        };
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
mod tests {
    use super::*;
    use crate::types::Phase;

    fn at(mono: u64) -> Now {
        Now { mono, wall: 0 }
    }

    fn limited(told: Option<u64>, limit: Option<LimitSpan>) -> Failure {
        let failure = Failure::new(FailureClass::RateLimited, Phase::Head, "");
        Failure { retry_after: told.map(Duration::from_secs), limit, ..failure }
    }

    #[test]
    fn a_spike_rests_a_second_and_a_told_time_is_kept() {
        let mut cooldown = Cooldown::default();
        let mut rest = |told, probe, now| cooldown.failure((&limited(told, None), probe), u64::MAX, at(now));
        assert_eq!((rest(None, false, 0), rest(None, false, 9)), (Some(1_000), Some(1_000)), "one spike");
        assert_eq!(rest(None, false, 1_009), Some(1_000), "even if its refusals come apart");
        assert_eq!((rest(None, true, 2_009), rest(None, true, 2_010)), (Some(2_000), Some(4_000)), "each probe");
        assert_eq!(rest(Some(7), true, 2_010), Some(7_000));
        assert_eq!(rest(Some(86_400), true, 2_010), Some(3_600_000), "a probe an hour");
        assert!(cooldown.check(at(3_602_009)).is_err() && cooldown.check(at(3_602_010)).is_ok());
        cooldown.success(at(3_602_010));
        assert_eq!(
            cooldown.failure((&limited(None, None), false), u64::MAX, at(3_602_011)),
            Some(1_000),
            "it begins anew"
        );
    }

    #[test]
    fn a_days_limit_rests_until_the_day_ends_and_a_minutes_no_longer_than_that() {
        let rest = |told, limit, day_ends| {
            Cooldown::default().failure((&limited(told, Some(limit)), false), day_ends, at(1_000))
        };
        assert_eq!(rest(Some(34), LimitSpan::Day, 901_000), Some(900_000));
        assert_eq!(rest(None, LimitSpan::Day, 80_000_000), Some(3_600_000), "a probe an hour");
        assert_eq!(rest(Some(86_400), LimitSpan::Minute, 80_000_000), Some(60_000), "never a day for a spike");
        assert_eq!(rest(Some(7), LimitSpan::Minute, 80_000_000), Some(7_000));
    }

    #[test]
    fn one_probe_decides_after_a_wait() {
        let mut cooldown = Cooldown::default();
        assert!(!cooldown.enter(), "without a wait nothing is a probe");
        cooldown.failure((&limited(Some(10), None), false), u64::MAX, at(0));
        assert!(cooldown.check(at(10_000)).is_ok() && cooldown.enter());
        assert!(cooldown.check(at(10_001)).is_err(), "only one");
        cooldown.probe_lost();
        assert!(cooldown.check(at(10_002)).is_ok() && cooldown.enter(), "a lost one is replaced");
        cooldown.success(at(10_003));
        assert!(cooldown.check(at(10_004)).is_ok() && !cooldown.enter());
    }

    #[test]
    fn a_wait_that_is_a_guess_is_put_to_the_test_if_nobody_else_is_left() {
        let waits = |failure: &Failure| {
            let mut cooldown = Cooldown::default();
            for _ in 0..9 {
                cooldown.failure((failure, true), 80_000_000, at(5));
            }
            cooldown
        };
        let mut untold = waits(&limited(None, None));
        assert!(!untold.may_be_the_last(at(10_004)) && untold.may_be_the_last(at(10_005)));
        assert!(untold.enter() && !untold.may_be_the_last(at(10_006)), "only one");
        let mut told_meanwhile = untold.clone();
        told_meanwhile.failure((&limited(Some(30), None), false), u64::MAX, at(10_006));
        let refusal = told_meanwhile.check(at(10_006)).expect_err("it waits");
        assert_eq!(refusal.until_at_last(), Some(40_006), "clients are told the truth");
        untold.success(at(10_007));
        assert_eq!(untold.check(at(10_008)), Ok(()), "it was too long a guess");
        let refused = Failure::new(FailureClass::Unauthorized, Phase::Head, "");
        assert!(!waits(&refused).may_be_the_last(at(39_000)));
        let doubtful = Failure { blame: Blame::Unclear, ..refused.clone() };
        let mut in_doubt = waits(&doubtful);
        assert!(in_doubt.may_be_the_last(at(5)) && in_doubt.check(at(600_004)).is_err());
        assert!(in_doubt.enter() && in_doubt.may_be_the_last(at(6)), "not one alone: it may be refused again");
        in_doubt.probe_lost();
        in_doubt.failure((&limited(Some(30), None), false), u64::MAX, at(7));
        assert!(!in_doubt.may_be_the_last(at(30_006)) && in_doubt.may_be_the_last(at(30_007)), "what is told holds");
        let mut sure = waits(&refused);
        sure.failure((&doubtful, false), u64::MAX, at(9));
        assert!(!sure.may_be_the_last(at(600_004)), "no guess shortens what is told");
        let requests = Failure { blame: Blame::Request, ..refused };
        assert_eq!(waits(&requests).check(at(6)), Ok(()), "it would be refused anywhere");
        for told in [limited(Some(40), None), limited(None, Some(LimitSpan::Day))] {
            assert!(!waits(&told).may_be_the_last(at(39_000)), "what it says is kept");
        }
        let unpaid = Failure::new(FailureClass::PaymentRequired, Phase::Head, "");
        assert!(!waits(&unpaid).may_be_the_last(at(39_000)));
    }

    #[test]
    fn a_probe_that_succeeds_is_over_even_if_a_wait_was_told_meanwhile() {
        let mut cooldown = Cooldown::default();
        cooldown.failure((&limited(Some(10), None), false), u64::MAX, at(0));
        assert!(cooldown.enter());
        cooldown.failure((&limited(Some(30), None), false), u64::MAX, at(10_001));
        cooldown.success(at(10_002));
        assert!(cooldown.check(at(40_000)).is_err(), "what is told holds");
        assert_eq!(cooldown.check(at(40_001)), Ok(()), "and then nobody is waited for");
    }

    #[test]
    fn a_limit_that_was_told_beside_a_guess_is_tested_by_one_and_outlives_a_refused_key() {
        let refused = Failure::new(FailureClass::Unauthorized, Phase::Head, "");
        let doubtful = Failure { blame: Blame::Unclear, ..refused.clone() };
        let mut cooldown = Cooldown::default();
        cooldown.failure((&doubtful, false), u64::MAX, at(0));
        cooldown.failure((&limited(Some(30), None), false), u64::MAX, at(1));
        assert!(!cooldown.may_be_the_last(at(30_000)) && cooldown.may_be_the_last(at(30_001)));
        assert!(
            cooldown.enter() && !cooldown.may_be_the_last(at(30_002)),
            "one alone, as long as nobody has seen it over"
        );
        let mut told = Cooldown::default();
        told.failure((&limited(Some(300), None), false), u64::MAX, at(0));
        told.failure((&refused, false), u64::MAX, at(1));
        told.forgive_key();
        assert!(
            told.check(at(299_999)).is_err() && told.check(at(300_000)).is_ok(),
            "a new key is under the old limit"
        );
        assert!(told.enter(), "and somebody is to find that out");
        let mut untold = Cooldown::default();
        for _ in 0..9 {
            untold.failure((&limited(None, None), true), u64::MAX, at(0));
        }
        untold.failure((&refused, false), u64::MAX, at(1));
        untold.forgive_key();
        assert!(untold.check(at(59_999)).is_err() && untold.may_be_the_last(at(10_000)), "a guess remains one");
        let mut forgiven = Cooldown::default();
        forgiven.failure((&refused, false), u64::MAX, at(1));
        forgiven.forgive_key();
        assert!(forgiven.is_over());
    }

    #[test]
    fn an_account_without_money_rests_an_hour() {
        let mut cooldown = Cooldown::default();
        let unpaid = Failure::new(FailureClass::PaymentRequired, Phase::Head, "");
        assert_eq!(cooldown.failure((&unpaid, false), u64::MAX, at(0)), Some(3_600_000));
    }

    #[test]
    fn a_refused_key_rests_ten_minutes() {
        let mut cooldown = Cooldown::default();
        cooldown.failure((&Failure::new(FailureClass::Unauthorized, Phase::Head, ""), false), u64::MAX, at(5));
        let refused = Refusal::CoolingDown { until: 600_005, reason: FailureClass::Unauthorized, last_resort: None };
        assert_eq!(cooldown.check(at(600_004)), Err(refused));
        assert_eq!(cooldown.check(at(600_005)), Ok(()));
    }
}
