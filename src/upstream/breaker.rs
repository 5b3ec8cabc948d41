//! Judges an upstream's health: `Closed` (traffic) → `Open` (rest) → `HalfOpen` (a probe) → `Closed` or `Open`.

use super::messages::Refusal;
use crate::types::Now;

/// Failures in a row that open the breaker; the original's number.
const TRIP_AFTER: u32 = 3;

/// The first rest. Doubles with each failed probe.
const FIRST_REST_MS: u64 = 10_000;

/// The longest rest; the original's only one.
const LONGEST_REST_MS: u64 = 600_000;

/// The health of one upstream.
#[derive(Debug, Clone, Default)]
pub(super) struct Breaker {
    state: State,
    failures_in_a_row: u32,
    /// Rests since the last success.
    rests: u32,
    /// The number of the latest rest, of all there ever were.
    latest: u32,
}

/// What an attempt may say of the upstream's health, by when it went out: nothing of a rest that came later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// The latest rest before it.
    rest: u32,
    /// It is the probe of that one.
    pub(super) probe: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        since: u64,
        until: u64,
    },
    /// A probe is out, in the rest or behind it.
    HalfOpen {
        since: u64,
        until: u64,
        probed: u64,
    },
}

impl Breaker {
    /// May an attempt go out?
    pub(super) fn check(&self, now: Now) -> Result<(), Refusal> {
        let soon = now.mono + 1_000;
        match self.state {
            State::Closed => Ok(()),
            State::Open { until, .. } if until <= now.mono => Ok(()),
            State::Open { until, .. } => Err(Refusal::BreakerOpen { until, last_resort: self.last_resort() }),
            // The probe's verdict is awaited; ask again soon.
            State::HalfOpen { .. } => Err(Refusal::BreakerOpen { until: soon, last_resort: soon }),
        }
    }

    /// May it be probed although it rests, since nobody else is left?
    pub(super) fn may_be_the_last(&self, now: Now) -> bool {
        self.last_resort() <= now.mono
    }

    /// From when it is probed if nobody else is left: the first rest's length after the rest began, however long it has grown, and
    /// as long after a probe that has no answer: one request that takes long must not keep all others out.
    fn last_resort(&self) -> u64 {
        match self.state {
            State::Closed => 0,
            State::Open { since, until } => until.min(since + FIRST_REST_MS),
            State::HalfOpen { probed, .. } => probed + FIRST_REST_MS,
        }
    }

    /// Is there nothing to find out?
    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// How one stands that goes out now, be it unasked.
    pub(super) fn standing(&self) -> Standing {
        Standing { rest: self.latest, probe: false }
    }

    /// An attempt goes out; after a rest, it is the probe.
    pub(super) fn enter(&mut self, now: Now) -> Standing {
        let (State::Open { since, until } | State::HalfOpen { since, until, .. }) = self.state else {
            return self.standing();
        };
        self.state = State::HalfOpen { since, until, probed: now.mono };
        Standing { probe: true, ..self.standing() }
    }

    /// The probe has an answer: others need not wait for its end. But as long as none has come through whole, the next rest is twice as
    /// long. (What was begun before a rest is answered as well where streams begin, and then break: they must rest it.)
    pub(super) fn answered(&mut self, who: Standing) {
        if !self.is_closed() && self.is_probe(who) {
            (self.state, self.failures_in_a_row) = (State::Closed, 0);
        }
    }

    /// An attempt succeeded, which was answered at this time (ms, monotonic).
    pub(super) fn success(&mut self, who: Standing, answered: u64) {
        let tells = match self.state {
            State::Closed => who.rest == self.latest,
            State::Open { since, .. } | State::HalfOpen { since, .. } => self.is_probe(who) || answered > since,
        };
        if tells {
            *self = Breaker { latest: self.latest, ..Breaker::default() };
        }
    }

    /// An attempt failed. Returns how long the upstream rests, if it does from now.
    pub(super) fn failure(&mut self, who: Standing, now: Now) -> Option<u64> {
        if who.rest != self.latest {
            return None;
        }
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let trips = match self.state {
            State::Closed => self.failures_in_a_row >= TRIP_AFTER,
            State::Open { .. } | State::HalfOpen { .. } => who.probe,
        };
        trips.then(|| {
            let rest = (FIRST_REST_MS << self.rests.min(16)).min(LONGEST_REST_MS);
            (self.rests, self.latest) = (self.rests.saturating_add(1), self.latest.wrapping_add(1));
            self.state = State::Open { since: now.mono, until: now.mono + rest };
            rest
        })
    }

    /// The probe ended without a verdict (its client left): the rest goes on, and behind it the next attempt is the probe. (Where another
    /// went beside it as the last resort, that may let a third out. It costs one request.)
    pub(super) fn probe_lost(&mut self, who: Standing) {
        if let State::HalfOpen { since, until, .. } = self.state
            && self.is_probe(who)
        {
            self.state = State::Open { since, until };
        }
    }

    fn is_probe(&self, who: Standing) -> bool {
        who.probe && who.rest == self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono: u64) -> Now {
        Now { mono, wall: 0 }
    }

    /// One attempt fails, as it goes out.
    fn fails(breaker: &mut Breaker, now: u64) -> Option<u64> {
        let who = breaker.enter(at(now));
        breaker.failure(who, at(now))
    }

    #[test]
    fn three_failures_in_a_row_rest_it_and_one_probe_decides() {
        let mut breaker = Breaker::default();
        assert_eq!((fails(&mut breaker, 0), fails(&mut breaker, 1)), (None, None));
        breaker.success(breaker.standing(), 1);
        assert_eq!((fails(&mut breaker, 2), fails(&mut breaker, 3)), (None, None), "it begins anew");
        assert_eq!(fails(&mut breaker, 4), Some(10_000));
        assert_eq!(breaker.check(at(5)), Err(Refusal::BreakerOpen { until: 10_004, last_resort: 10_004 }));
        assert_eq!(breaker.check(at(10_004)), Ok(()));
        let probe = breaker.enter(at(10_004));
        assert!(probe.probe && breaker.check(at(10_005)).is_err(), "only one");
        assert_eq!(breaker.failure(probe, at(10_006)), Some(20_000));
        assert!(breaker.check(at(30_006)).is_ok());
        let probe = breaker.enter(at(30_006));
        breaker.success(probe, 30_007);
        assert_eq!(breaker.check(at(30_007)), Ok(()));
        assert_eq!(breaker.failures_in_a_row, 0);
    }

    /// An upstream that rests since then; its probe is out, and so is one that went before.
    fn half_open(rested_at: u64) -> (Breaker, Standing, Standing) {
        let mut breaker = Breaker { failures_in_a_row: TRIP_AFTER, ..Breaker::default() };
        let before = breaker.enter(at(rested_at));
        breaker.failure(before, at(rested_at));
        let probe = breaker.enter(at(rested_at + FIRST_REST_MS));
        (breaker, before, probe)
    }

    #[test]
    fn what_was_begun_before_a_rest_neither_lengthens_nor_ends_it() {
        let (mut breaker, before, probe) = half_open(7);
        assert_eq!(breaker.failure(before, at(10_008)), None, "the probe decides");
        breaker.success(before, 7);
        assert!(breaker.check(at(10_009)).is_err(), "a long answer that began before");
        breaker.probe_lost(probe);
        assert_eq!((breaker.failure(before, at(10_011)), breaker.check(at(10_011))), (None, Ok(())));
        breaker.success(before, 8);
        assert!(breaker.is_closed(), "it answered somebody since");
        breaker.failures_in_a_row = TRIP_AFTER - 1;
        assert_eq!(breaker.failure(before, at(10_012)), None, "nor does it begin another");
    }

    #[test]
    fn the_probe_of_an_earlier_rest_says_nothing_of_the_next() {
        let (mut breaker, before, first) = half_open(0);
        breaker.success(before, 5);
        assert!((10_100..10_103).any(|now| fails(&mut breaker, now).is_some()), "it rests anew");
        let second = breaker.enter(at(20_200));
        breaker.probe_lost(first);
        breaker.answered(first);
        assert_eq!(breaker.failure(first, at(20_201)), None);
        assert!(breaker.check(at(20_202)).is_err(), "the second one is out");
        breaker.success(second, 20_203);
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_probe_that_is_answered_lets_others_in_and_the_next_rest_is_longer_until_one_is_served() {
        let next_rest = |breaker: &mut Breaker| [10_002, 10_003, 10_004].map(|now| fails(breaker, now));
        let (mut breaker, before, probe) = half_open(0);
        breaker.answered(probe);
        assert_eq!((breaker.check(at(10_001)), breaker.failure(before, at(10_001))), (Ok(()), None));
        assert_eq!(next_rest(&mut breaker), [None, None, Some(20_000)]);
        let (mut breaker, _, probe) = half_open(0);
        breaker.answered(probe);
        breaker.success(probe, 10_001);
        assert_eq!(next_rest(&mut breaker), [None, None, Some(10_000)], "it ended well");
    }

    #[test]
    fn the_rest_is_ten_minutes_at_most_and_a_lost_probe_is_replaced() {
        let mut breaker = Breaker { failures_in_a_row: 2, ..Breaker::default() };
        let (mut now, mut longest, mut probe) = (0, 0, breaker.enter(at(0)));
        for _ in 0..30 {
            longest = breaker.failure(probe, at(now)).expect("a rest");
            now += longest;
            probe = breaker.enter(at(now));
        }
        assert_eq!(longest, 600_000);
        assert!(!breaker.may_be_the_last(at(now)), "one probe is out already");
        breaker.probe_lost(probe);
        assert_eq!(breaker.check(at(now)), Ok(()));
        assert!(breaker.may_be_the_last(at(now)), "nor is anything else in the way");
        assert_eq!(fails(&mut breaker, now), Some(600_000));
        assert!(breaker.check(at(now + 10_000)).is_err());
        assert!(!breaker.may_be_the_last(at(now + 9_999)) && breaker.may_be_the_last(at(now + 10_000)));
        let last_resort = breaker.enter(at(now + 10_000));
        breaker.probe_lost(last_resort);
        assert!(breaker.check(at(now + 599_999)).is_err(), "that one went out in the rest, which is not over for it");
    }

    #[test]
    fn beside_a_slow_probe_the_last_one_left_is_probed_each_ten_seconds() {
        let (mut breaker, _, slow) = half_open(0);
        assert!(!breaker.may_be_the_last(at(19_999)) && breaker.may_be_the_last(at(20_000)));
        let soon = Refusal::BreakerOpen { until: 21_000, last_resort: 21_000 };
        assert_eq!(breaker.check(at(20_000)), Err(soon), "if there are others, they serve");
        let quick = breaker.enter(at(20_000));
        assert!(quick.probe && !breaker.may_be_the_last(at(20_001)));
        breaker.answered(quick);
        assert_eq!((fails(&mut breaker, 20_002), fails(&mut breaker, 20_003)), (None, None));
        breaker.answered(slow);
        assert_eq!(fails(&mut breaker, 20_004), Some(20_000), "it was found out already; three in a row are three");
        breaker.success(slow, 20_003);
        assert!(breaker.check(at(20_005)).is_err(), "it was answered before this rest");
    }
}
