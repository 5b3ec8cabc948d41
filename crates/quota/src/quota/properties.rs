//! No schedule of requests, delays, crashes, stops, clock steps, reloads and overshoots puts more into a window than its
//! limit: not of an API's own quota, nor of one that several APIs share.
//!
//! What is checked against is not written like the quota: a bare list of the true times at which requests were written,
//! and tokens were spent, counted window by window.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use self::world::{APIS, Step, World};
use super::*;
use crate::limits::{Burst, Limit};

mod elsewhere;
mod world;

fn step(clock: bool) -> impl Strategy<Value = Step> {
    let wait = prop_oneof![0..50_u64, 0..5_000_u64, 0..70_000_u64, 0..40_000_000_u64];
    let hours: i64 = if clock { 30 * 3_600_000 } else { 0 };
    prop_oneof![
        6 => wait.prop_map(Step::Wait),
        30 => (0..APIS, prop_oneof![Just(0_u64), 0..200_u64, 0..90_000_u64], any::<bool>(), 0..60_u64, 0..90_u64)
            .prop_map(|(api, delay, odd, demand, takes)| Step::Request {
                api, delay, written: odd || delay > 0, demand, takes,
            }),
        30 => (0..APIS, prop_oneof![2 => Just(0_u64), 1 => 0..90_000_u64], 0..60_u64, 0..90_u64)
            .prop_map(|(api, delay, demand, takes)| Step::Elsewhere { api, delay, demand, takes }),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
        2 => Just(Step::Save),
        1 => (-hours..=hours).prop_map(Step::SetClock),
        1 => prop_oneof![Just(100_u64), 1..200_u64].prop_map(Step::Reload),
    ]
}

/// Requests that take more than was foreseen, one after the other.
fn spending() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..70_000_u64).prop_map(Step::Wait),
        8 => (0..APIS, prop_oneof![4 => Just(0_u64), 1 => 0..20_000_u64], 0..60_u64, 0..400_u64)
            .prop_map(|(api, delay, demand, takes)| Step::Request { api, delay, written: true, demand, takes }),
        8 => (0..APIS, prop_oneof![4 => Just(0_u64), 1 => 0..20_000_u64], 0..60_u64, 0..400_u64)
            .prop_map(|(api, delay, demand, takes)| Step::Elsewhere { api, delay, demand, takes }),
        1 => prop_oneof![Just(Step::Save), Just(Step::Restart)],
    ]
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone of the database")
}

/// Days on which the clocks change, and others.
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

/// The limits stay as they are, but for a reload of the same ones.
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
        for (i, kept) in world.kept.iter().enumerate() {
            let (limit, most) = (if i == APIS { shared } else { rpm }, kept.most_within(60_000));
            // While its limits are larger than they were first, more may pass: `check` judges each request by its own.
            prop_assert!(most <= limit || i == 0 && !unchanged(&steps), "{} in a minute", most);
            prop_assert!(i == APIS || kept.most_within(5_000) <= burst, "{} in 5 s", kept.most_within(5_000));
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
        for (i, kept) in world.kept.iter().enumerate() {
            let (limit, most) = (if i == APIS { shared } else { rpd }, kept.most_a_day(&zone(name)));
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
        for (i, kept) in world.kept.iter().enumerate() {
            let (limit, most) = (if i == APIS { shared } else { rpd }, kept.most_within(86_400_000));
            prop_assert!(most <= limit || i == 0 && !unchanged(&steps), "{most} in 24 hours");
        }
    }

    #[test]
    fn tokens_are_never_over_by_more_than_nobody_foresaw_and_that_is_paid_back(
        steps in prop::collection::vec(spending(), 1..300),
        tpm in 50..300_u64,
        start in beginnings(),
    ) {
        let own = Limits { tpm: Limit::AtMost(tpm), ..Limits::default() };
        let mut world = World::new(own, own, Reset::Rolling, start);
        steps.iter().for_each(|step| world.run(step));
        for kept in &world.kept {
            // What is under way together may overshoot together.
            let (over, one) = kept.tokens_over(tpm);
            let together = world.most_under_way * one;
            prop_assert!(over <= tpm + together, "{over} over, of {tpm} a minute, and {together} under way");
        }
    }
}
