//! Spread limits: at no moment more is admitted than a pace allows, by credits, over restarts and reloads, and over midnight.
//!
//! The reference is a bare list of the true times of writing, with the attempts under way, and an arithmetic of its own.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::super::*;
use super::world::World;
use super::{beginnings, long_step, step, zone, zones};
use crate::limits::Limit;
use crate::listed_limit::{LimitUnit, ListedLimit};
use crate::pacing::Pacing;
use crate::period::Period;

/// Returns the first moment of the period of `time`, and of the next.
fn period_of(time: i64, period: Period, zone: &TimeZone) -> [i64; 2] {
    let now = Timestamp::from_millisecond(time).expect("in range").to_zoned(zone.clone());
    let midnight = now.start_of_day().expect("a day");
    let of_week = i64::from(now.weekday().to_monday_zero_offset());
    let [start, next] = match period {
        Period::Week => {
            let monday = now.date().checked_sub(jiff::Span::new().days(of_week)).expect("in range");
            let next = monday.checked_add(jiff::Span::new().days(7)).expect("in range");
            [monday, next].map(|date| date.to_zoned(zone.clone()).expect("in range").start_of_day().expect("a day"))
        }
        Period::Month => {
            let [first, last] = [now.date().first_of_month(), now.date().last_of_month()];
            [first, last.tomorrow().expect("in range")]
                .map(|date| date.to_zoned(zone.clone()).expect("in range").start_of_day().expect("a day"))
        }
        Period::Day => [midnight.clone(), midnight.tomorrow().expect("a day").start_of_day().expect("a day")],
        Period::Hour | Period::Minutes(_) | Period::Hours(_) | Period::Days(_) => unreachable!("not spread here"),
    };
    [start, next].map(|zoned| zoned.timestamp().as_millisecond())
}

/// Returns the beginning of the period of `time`, and how much of `bound` may be used by then.
pub(super) fn reference(bound: u64, time: i64, period: Period, zone: &TimeZone) -> (i64, u64) {
    let [start, end] = period_of(time, period, zone);
    let at_once = std::cmp::max(bound / 24, 1);
    let grown = bound as f64 * ((time - start) as f64 / (end - start) as f64);
    (start, bound.min(at_once + grown as u64))
}

impl World {
    /// Compares a quota of requests with a spread period with the truth.
    pub(super) fn check_pace(&self, i: usize) {
        let tracked = &self.quotas[i];
        let (Some(bound), Pacing::Spread) = (tracked.in_force.rpd.bound(), tracked.in_force.pacing) else { return };
        let Reset::Midnight(zone) = &self.reset else { return };
        let (start, usable) = reference(bound, self.time, tracked.in_force.period(), zone);
        let used = tracked.written.iter().filter(|at| **at >= start).count() as u64 + self.unwritten(i);
        assert!(used <= usable, "{used} used and under way; {usable} of {bound} by now");
    }
}

fn spread(limits: Limits) -> Limits {
    Limits { pacing: Pacing::Spread, ..limits }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_day_is_ever_ahead_of_its_pace(
        steps in prop::collection::vec(step(false), 1..300),
        (rpd, shared) in (1..2_000_u64, 1..3_000_u64),
        name in zones(),
        start in beginnings(),
    ) {
        let limits = |amount| spread(Limits { rpd: Limit::AtMost(amount), ..Limits::default() });
        let mut world = World::new(limits(rpd), limits(shared), Reset::Midnight(zone(name)), start);
        steps.iter().for_each(|step| world.run(step));
    }

    #[test]
    fn no_week_and_no_month_is_ever_ahead_of_its_pace(
        steps in prop::collection::vec(long_step(false), 1..300),
        (amount, shared) in (1..2_000_u64, 1..3_000_u64),
        period in prop_oneof![Just(Period::Week), Just(Period::Month)],
        name in zones(),
        start in beginnings(),
    ) {
        let limits = |amount| spread(ListedLimit { amount, unit: LimitUnit::Requests, period }.limits());
        let mut world = World::new(limits(amount), limits(shared), Reset::Midnight(zone(name)), start);
        steps.iter().for_each(|step| world.run(step));
    }
}
