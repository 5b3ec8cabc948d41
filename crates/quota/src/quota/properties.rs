//! Random schedules of requests, delays, crashes, stops, clock steps, reloads and overshoots. No window ever exceeds
//! the limit, neither of an API's own quota nor of a shared one.
//!
//! The reference is not written like the quota: a bare list of the true times at which requests were written and tokens were
//! used, counted window by window.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use self::world::{APIS, Call, Step, World};
use super::*;
use crate::limits::{Burst, Limit};
use crate::listed_limit::{LimitUnit, ListedLimit};
use crate::period::Period;

mod owners;
mod paced;
mod tracked;
mod workers;
mod world;

fn call(demand: Range<u64>, uses: Range<u64>) -> impl Strategy<Value = Call> {
    (0..APIS, demand, uses).prop_map(|(api, demand, uses)| Call { api, demand, uses })
}

/// Steps of all kinds, with or without clock steps.
fn step(clock: bool) -> impl Strategy<Value = Step> {
    let wait = prop_oneof![0..50_u64, 0..5_000_u64, 0..70_000_u64, 0..40_000_000_u64];
    let delay = prop_oneof![Just(0_u64), 0..200_u64, 0..90_000_u64];
    let hours: i64 = if clock { 30 * 3_600_000 } else { 0 };
    prop_oneof![
        6 => wait.prop_map(Step::Wait),
        30 => (call(0..60, 0..90), delay, any::<bool>())
            .prop_map(|(call, delay, odd)| Step::Request { call, delay, written: odd || delay > 0 }),
        30 => (call(0..60, 0..90), prop_oneof![2 => Just(0_u64), 1 => 0..90_000_u64])
            .prop_map(|(call, delay)| Step::OnWorker { call, delay }),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
        2 => Just(Step::Save),
        1 => (-hours..=hours).prop_map(Step::SetClock),
        1 => prop_oneof![Just(100_u64), 1..200_u64].prop_map(Step::Reload),
    ]
}

/// The same steps over weeks: some waits take days.
fn long_step(clock: bool) -> impl Strategy<Value = Step> {
    prop_oneof![12 => step(clock), 1 => (0..400_000_000_u64).prop_map(Step::Wait)]
}

/// Steps with requests above their estimates, one after the other.
fn spending() -> impl Strategy<Value = Step> {
    let delay = prop_oneof![4 => Just(0_u64), 1 => 0..20_000_u64];
    prop_oneof![
        2 => (0..70_000_u64).prop_map(Step::Wait),
        8 => (call(0..60, 0..400), delay.clone())
            .prop_map(|(call, delay)| Step::Request { call, delay, written: true }),
        8 => (call(0..60, 0..400), delay).prop_map(|(call, delay)| Step::OnWorker { call, delay }),
        1 => prop_oneof![Just(Step::Save), Just(Step::Restart)],
    ]
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone of the database")
}

/// Start times: on days with a clock change, and on others.
fn beginnings() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just("2026-03-08T06:00:00Z"),
        Just("2026-11-01T05:00:00Z"),
        Just("2026-09-05T20:00:00Z"),
        Just("2026-06-30T23:58:00Z"),
    ]
    .prop_map(|text| text.parse::<Timestamp>().expect("a timestamp").as_millisecond())
}

fn zones() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("UTC"), Just("America/Los_Angeles"), Just("America/Santiago"), Just("Asia/Kolkata")]
}

/// Returns whether no reload raises the limits.
fn unchanged(steps: &[Step]) -> bool {
    steps.iter().all(|step| !matches!(step, Step::Reload(hundredths) if *hundredths > 100))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_minute_and_no_burst_is_ever_over(
        steps in prop::collection::vec(step(true), 1..300),
        (rpm, shared, burst) in (1..130_u64, 1..200_u64, 1..20_u64),
        start in beginnings(),
    ) {
        let bursts = Some(Burst { requests: burst, span_ms: 5_000 });
        let own = Limits { rpm: Limit::AtMost(rpm), burst: bursts, ..Limits::default() };
        let group = Limits { rpm: Limit::AtMost(shared), ..Limits::default() };
        let mut world = World::new(own, group, Reset::Midnight(TimeZone::UTC), start);
        steps.iter().for_each(|step| world.run(step));
        for (i, tracked) in world.quotas.iter().enumerate() {
            let (limit, most) = (if i == APIS { shared } else { rpm }, tracked.most_within(60_000));
            // While the limits are raised, more may pass: `check` compares each request with the limits in force.
            prop_assert!(most <= limit || i == 0 && !unchanged(&steps), "{} in a minute", most);
            prop_assert!(i == APIS || tracked.most_within(5_000) <= burst, "{} in 5 s", tracked.most_within(5_000));
        }
    }

    #[test]
    fn no_day_is_ever_over_whatever_its_length(
        steps in prop::collection::vec(step(false), 1..300),
        (rpd, shared) in (1..150_u64, 1..250_u64),
        name in zones(),
        start in beginnings(),
    ) {
        let own = Limits { rpd: Limit::AtMost(rpd), ..Limits::default() };
        let group = Limits { rpd: Limit::AtMost(shared), ..Limits::default() };
        let mut world = World::new(own, group, Reset::Midnight(zone(name)), start);
        steps.iter().for_each(|step| world.run(step));
        for (i, tracked) in world.quotas.iter().enumerate() {
            let (limit, most) = (if i == APIS { shared } else { rpd }, tracked.most_in(Period::Day, &zone(name)));
            prop_assert!(most <= limit || i == 0 && !unchanged(&steps), "{most} in a day");
        }
    }

    #[test]
    fn no_24_hours_are_ever_over_even_if_the_clock_is_set(
        steps in prop::collection::vec(step(true), 1..300),
        (rpd, shared) in (1..150_u64, 1..250_u64),
        start in beginnings(),
    ) {
        let own = Limits { rpd: Limit::AtMost(rpd), ..Limits::default() };
        let group = Limits { rpd: Limit::AtMost(shared), ..Limits::default() };
        let mut world = World::new(own, group, Reset::Rolling, start);
        steps.iter().for_each(|step| world.run(step));
        for (i, tracked) in world.quotas.iter().enumerate() {
            let (limit, most) = (if i == APIS { shared } else { rpd }, tracked.most_within(86_400_000));
            prop_assert!(most <= limit || i == 0 && !unchanged(&steps), "{most} in 24 hours");
        }
    }

    #[test]
    fn tokens_are_over_by_no_more_than_was_underestimated_and_later_windows_pay_it_back(
        steps in prop::collection::vec(spending(), 1..300),
        tpm in 50..300_u64,
        start in beginnings(),
    ) {
        let own = Limits { tpm: Limit::AtMost(tpm), ..Limits::default() };
        let mut world = World::new(own, own, Reset::Rolling, start);
        steps.iter().for_each(|step| world.run(step));
        for tracked in &world.quotas {
            // All attempts under way may overshoot together.
            let (over, one) = tracked.tokens_over(tpm, 60_000);
            let together = world.most_under_way * one;
            prop_assert!(over <= tpm + together, "{over} over, of {tpm} a minute, and {together} under way");
        }
    }

    #[test]
    fn no_week_and_no_month_is_ever_over(
        steps in prop::collection::vec(long_step(false), 1..300),
        (amount, shared) in (1..150_u64, 1..250_u64),
        period in prop_oneof![Just(Period::Week), Just(Period::Month)],
        name in zones(),
        start in beginnings(),
    ) {
        let limits = |amount| ListedLimit { amount, unit: LimitUnit::Requests, period }.limits();
        let mut world = World::new(limits(amount), limits(shared), Reset::Midnight(zone(name)), start);
        steps.iter().for_each(|step| world.run(step));
        for (i, tracked) in world.quotas.iter().enumerate() {
            let (limit, most) = (if i == APIS { shared } else { amount }, tracked.most_in(period, &zone(name)));
            prop_assert!(most <= limit || i == 0 && !unchanged(&steps), "{most} in a {period}");
        }
    }

    #[test]
    fn no_span_of_a_rolling_period_is_ever_over_even_if_the_clock_is_set(
        steps in prop::collection::vec(long_step(true), 1..300),
        (amount, shared) in (1..150_u64, 1..250_u64),
        period in prop_oneof![Just(Period::Hours(5)), Just(Period::Days(7)), Just(Period::Minutes(30)), Just(Period::Month)],
        start in beginnings(),
    ) {
        let limits = |amount| ListedLimit { amount, unit: LimitUnit::Requests, period }.limits();
        let mut world = World::new(limits(amount), limits(shared), Reset::Rolling, start);
        steps.iter().for_each(|step| world.run(step));
        for (i, tracked) in world.quotas.iter().enumerate() {
            let most = tracked.most_within(period.length_ms() as i64);
            let limit = if i == APIS { shared } else { amount };
            prop_assert!(most <= limit || i == 0 && !unchanged(&steps), "{most} in {period}");
        }
    }

    #[test]
    fn money_is_over_by_no_more_than_was_underestimated_and_later_periods_pay_it_back(
        steps in prop::collection::vec(spending(), 1..300),
        amount in 50..300_u64,
        minutes in 2..40_u32,
        start in beginnings(),
    ) {
        let own = ListedLimit { amount, unit: LimitUnit::Usd, period: Period::Minutes(minutes) }.limits();
        let mut world = World::new(own, own, Reset::Rolling, start);
        steps.iter().for_each(|step| world.run(step));
        for tracked in &world.quotas {
            let (over, one) = tracked.tokens_over(amount, own.period().length_ms());
            let together = world.most_under_way * one;
            prop_assert!(over <= amount + together, "{over} over, of {amount}, and {together} under way");
        }
    }
}
