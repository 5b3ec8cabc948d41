//! Spread limits, case by case.

use super::*;
use crate::listed_limit::{LimitUnit, ListedLimit};
use crate::pacing::Pacing;
use crate::period::Period;
use crate::records::SharedGrant;

const HOUR: u64 = 3_600_000;

/// The midnight before [`START`], so many ms later.
fn after_midnight(ms: u64) -> Now {
    let midnight = START.wall - START.wall % 86_400_000;
    Now { mono: START.mono + ms, wall: midnight + ms as i64 }
}

fn spread(limits: Limits) -> Limits {
    Limits { pacing: Pacing::Spread, ..limits }
}

fn a_day(rpd: u64) -> Limits {
    spread(Limits { rpd: Limit::AtMost(rpd), ..Limits::default() })
}

fn at_midnight(limits: Limits) -> Quota {
    Quota::new(limits, &Reset::Midnight(TimeZone::UTC), false, after_midnight(0))
}

/// Sends as many requests as are admitted, and returns how many, and why no more.
fn fill(quota: &mut Quota, now: Now) -> (u64, NoRoom) {
    let mut sent = 0;
    loop {
        match send(quota, 0, now) {
            Ok(reservation) => settle(quota, &reservation, now),
            Err(full) => return (sent, full),
        }
        sent += 1;
    }
}

fn full(which: QuotaKind, until: u64) -> NoRoom {
    NoRoom::Full { which, until: Some(after_midnight(until).mono) }
}

#[test]
fn a_spread_day_gives_an_hours_share_at_once_and_the_rest_evenly() {
    let mut quota = at_midnight(a_day(240));
    assert_eq!(fill(&mut quota, after_midnight(0)), (10, full(QuotaKind::RpdPaced, 360_000)));
    assert_eq!(fill(&mut quota, after_midnight(359_999)), (0, full(QuotaKind::RpdPaced, 360_000)));
    assert_eq!(fill(&mut quota, after_midnight(360_000)), (1, full(QuotaKind::RpdPaced, 720_000)));
    assert_eq!(fill(&mut quota, after_midnight(12 * HOUR)).0, 119, "what was not used is not lost");
    assert_eq!(fill(&mut quota, after_midnight(23 * HOUR)), (110, full(QuotaKind::Rpd, 24 * HOUR)));
    assert_eq!(fill(&mut quota, after_midnight(24 * HOUR)).0, 10, "another day");
}

#[test]
fn credits_are_never_more_than_the_next_day_begins_with() {
    let mut quota = at_midnight(a_day(240));
    let evening = after_midnight(23 * HOUR + 3_599_000);
    let need = Some(Need { demand: Demand::default(), waiting: 200 });
    let wanted = quota.request_grant(need, evening).expect("a grant").wanted;
    quota.record_grant(Some(&Grant { units: wanted, shared: None }));
    quota.issue(evening);
    let credits = quota.credits().cloned().expect("a limit");
    let after = after_midnight(24 * HOUR + 1_000).mono;
    let taken = (0..240).filter(|_| credits.take(Demand::default(), after).is_ok()).count();
    assert_eq!((wanted.requests, taken), (200, 10));
}

#[test]
fn clients_see_what_may_be_used_by_now() {
    let mut quota = at_midnight(a_day(240));
    fill(&mut quota, after_midnight(12 * HOUR));
    quota.issue(after_midnight(18 * HOUR));
    let credits = quota.credits().cloned().expect("a limit");
    let remaining = |ms: u64| credits.summary(after_midnight(ms).mono).map(|summary| summary.remaining);
    assert_eq!(remaining(18 * HOUR), Some(60));
    assert_eq!(remaining(24 * HOUR), Some(10), "nobody has looked since, and another day begins");
}

#[test]
fn a_reload_to_a_spread_limit_waits_for_the_pace_to_come() {
    let mut quota = at_midnight(Limits { pacing: Pacing::Free, ..a_day(240) });
    for _ in 0..100 {
        let reservation = send(&mut quota, 0, after_midnight(0)).expect("room");
        settle(&mut quota, &reservation, after_midnight(0));
    }
    quota.reconfigure(a_day(240), &Reset::Midnight(TimeZone::UTC), after_midnight(0));
    assert_eq!(fill(&mut quota, after_midnight(HOUR)), (0, full(QuotaKind::RpdPaced, 9 * HOUR + 360_000)));
    quota.reconfigure(a_day(480), &Reset::Midnight(TimeZone::UTC), after_midnight(HOUR));
    assert_eq!(quota.usable(after_midnight(HOUR)), [Some(40), None]);
    assert_eq!(fill(&mut quota, after_midnight(5 * HOUR)).0, 20);
}

#[test]
fn a_spread_budget_waits_and_says_that_the_budget_is_not_spent() {
    let limit = ListedLimit { amount: 2_400, unit: LimitUnit::Usd, period: Period::Day };
    let mut quota = at_midnight(spread(limit.limits()));
    let first = send(&mut quota, 90, after_midnight(0)).expect("room");
    let (small, large) = (Demand { tokens: 0, cost: 20 }, Demand { tokens: 0, cost: 2_400 });
    let paced = full(QuotaKind::ListedPaced(limit), 360_000);
    assert_eq!(quota.room(small, after_midnight(0)), Err(paced));
    assert!(!quota.is_ahead(small, after_midnight(0)), "only the reservation is in the way");
    quota.settle(&first, actual(true, Some(90)), after_midnight(0));
    assert!(quota.is_ahead(small, after_midnight(0)) && !quota.is_spent(small, after_midnight(0)));
    assert_eq!(quota.room(small, after_midnight(360_000)), Ok(()));
    assert_eq!(quota.room(large, after_midnight(24 * HOUR)), Err(full(QuotaKind::ListedPaced(limit), 47 * HOUR)));
    assert_eq!(quota.room(large, after_midnight(47 * HOUR)), Ok(()), "the whole budget, at the end of a day");
}

#[test]
fn a_spread_limit_is_spent_no_sooner_than_its_pace_allows() {
    let mut quota = at_midnight(a_day(240));
    fill(&mut quota, after_midnight(0));
    let exhausted_at = |quota: &mut Quota, now| {
        let [requests, _] = quota.forecasts(now);
        requests.and_then(|of| of.exhausted_at)
    };
    assert_eq!(exhausted_at(&mut quota, after_midnight(0)), Some(after_midnight(23 * HOUR).wall));
    fill(&mut quota, after_midnight(23 * HOUR));
    let late = after_midnight(23 * HOUR + 1);
    assert_eq!(exhausted_at(&mut quota, late), Some(late.wall), "now");
}

#[test]
fn a_rolling_period_has_no_pace() {
    let mut quota = Quota::new(a_day(50), &Reset::Rolling, false, after_midnight(0));
    assert_eq!(fill(&mut quota, after_midnight(0)).0, 50);
    assert_eq!(quota.usable(after_midnight(0)), [None, None]);
}

#[test]
fn a_loan_by_the_pace_of_one_day_ends_with_the_day() {
    let mut quota = Quota::new(a_day(240), &Reset::Midnight(TimeZone::UTC), true, after_midnight(0));
    let evening = after_midnight(24 * HOUR - 500);
    let need = Some(Need { demand: Demand::default(), waiting: 8 });
    let lend = |quota: &mut Quota, now: Now| {
        let units = quota.request_grant(need, now).expect("a grant").wanted;
        let shared = SharedGrant { lasts_ms: 5_000, wall: now.wall, ..SharedGrant::default() };
        quota.record_grant(Some(&Grant { units, shared: Some(shared) }));
        quota.issue(now);
    };
    lend(&mut quota, evening);
    let credits = quota.credits().cloned().expect("a limit");
    assert!(credits.take(Demand::default(), evening.mono).is_ok());
    let morning = after_midnight(24 * HOUR);
    assert!(credits.take(Demand::default(), morning.mono).is_err(), "the day is over");
    quota.reclaim();
    quota.advance(morning);
    assert!(!quota.holds_grant() && quota.needs_grant(Demand::default()));
    lend(&mut quota, morning);
    assert!(credits.take(Demand::default(), morning.mono).is_ok());
}
