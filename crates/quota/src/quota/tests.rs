//! The windows of one quota, case by case.

use jiff::tz::TimeZone;

use super::*;
use crate::limits::{Burst, Limit};
use crate::records::{Grant, QuotaRecord};

const START: Now = Now { mono: 1_000_000, wall: 1_790_000_000_000 };

fn at(ms: u64) -> Now {
    Now { mono: START.mono + ms, wall: START.wall + ms as i64 }
}

/// Creates a quota with these limits; 0 is no limit.
fn quota(rpm: u64, rpd: u64) -> Quota {
    let limit = |n| if n == 0 { Limit::Unlimited } else { Limit::AtMost(n) };
    with_limits(Limits { rpm: limit(rpm), rpd: limit(rpd), ..Limits::default() })
}

fn with_limits(limits: Limits) -> Quota {
    Quota::new(limits, &Reset::Midnight(TimeZone::UTC), false, START)
}

/// Creates the quota of a new process with `record`.
fn restarted(quota: &Quota, record: &QuotaRecord, now: Now) -> Quota {
    let mut after = Quota::new(quota.limits, &quota.reset, false, now);
    after.add(record, now);
    after
}

/// Admits an attempt as an actor does, with a grant if needed.
fn admit(quota: &mut Quota, demand: u64, now: Now) -> Result<Reservation, NoRoom> {
    let demand = Demand { tokens: demand, cost: demand };
    quota.room(demand, now)?;
    if quota.needs_grant(demand) {
        let request = quota.request_grant(Some(Need { demand, waiting: 1 }), now).expect("a grant is needed");
        quota.record_grant(Some(&Grant { units: request.wanted, shared: None }));
    }
    assert!(!quota.needs_grant(demand));
    Ok(quota.reserve(&SentAt::default(), demand))
}

/// Admits an attempt and writes the request at once.
fn send(quota: &mut Quota, demand: u64, now: Now) -> Result<Reservation, NoRoom> {
    let reservation = admit(quota, demand, now)?;
    write(&reservation, now);
    Ok(reservation)
}

fn write(reservation: &Reservation, now: Now) {
    reservation.sent_at.begin(now.mono);
    reservation.sent_at.finish(now.mono);
}

fn actual(counts: bool, units: Option<u64>) -> ActualUsage {
    ActualUsage { counts, tokens: units, cost: units }
}

fn settle(quota: &mut Quota, reservation: &Reservation, now: Now) {
    quota.settle(reservation, actual(true, None), now);
}

/// Returns the requests in the last minute and today.
fn usage(quota: &mut Quota, now: Now) -> (u64, u64) {
    quota.advance(now);
    let WindowUsage { minute, day } = quota.requests.usage(now);
    (minute, day)
}

#[test]
fn a_request_counts_from_when_it_was_written() {
    let mut quota = quota(1, 0);
    let first = admit(&mut quota, 0, at(0)).expect("room for one");
    first.sent_at.begin(at(0).mono);
    assert!(admit(&mut quota, 0, at(59_000)).is_err(), "still being written");
    first.sent_at.finish(at(60_000).mono);
    let full = NoRoom::Full { which: QuotaKind::Rpm, until: Some(at(121_000).mono) };
    assert_eq!(admit(&mut quota, 0, at(61_000)).err(), Some(full), "the minute begins when it is written");
    assert!(admit(&mut quota, 0, at(121_000)).is_ok());
}

#[test]
fn an_attempt_of_which_nothing_was_sent_is_given_back() {
    let mut quota = quota(1, 1);
    let unsent = admit(&mut quota, 0, at(0)).expect("room for one");
    settle(&mut quota, &unsent, at(10));
    assert_eq!(usage(&mut quota, at(10)), (0, 0));
    let begun = admit(&mut quota, 0, at(20)).expect("room again");
    begun.sent_at.begin(START.mono);
    settle(&mut quota, &begun, at(30));
    assert_eq!(usage(&mut quota, at(40)), (1, 1), "a part of it may have arrived");
}

#[test]
fn a_crash_counts_every_unit_that_was_granted() {
    let mut quota = quota(0, 1_000);
    let mut sent = 0;
    let mut durable = quota.record(at(0));
    for i in 0..57 {
        let need = quota.needs_grant(Demand::default()).then_some(Need { demand: Demand::default(), waiting: 1 });
        if let Some(request) = quota.request_grant(need, at(i)) {
            durable = request.record;
            quota.record_grant(Some(&Grant { units: request.wanted, shared: None }));
        }
        send(&mut quota, 0, at(i)).expect("room");
        sent += 1;
    }
    let mut after = restarted(&quota, &durable, at(100));
    let (_, today) = usage(&mut after, at(100));
    assert!((sent..sent + 20).contains(&today), "{sent} sent, {today} counted");
}

#[test]
fn a_clean_stop_is_exact() {
    let mut quota = quota(60, 1_000);
    for i in 0..7 {
        let sent = send(&mut quota, 0, at(i * 1_000)).expect("room");
        settle(&mut quota, &sent, at(i * 1_000));
    }
    quota.release_grant();
    let record = quota.record(at(10_000));
    // The monotonic clock of a new process starts elsewhere.
    let restart = Now { mono: 120_000, wall: at(64_500).wall };
    let mut after = restarted(&quota, &record, restart);
    assert_eq!(usage(&mut after, restart), (3, 7));
}

#[test]
fn a_clock_set_back_opens_nothing() {
    let mut quota = quota(0, 1);
    send(&mut quota, 0, at(0)).expect("room");
    let yesterday = Now { mono: at(5).mono, wall: START.wall - 86_400_000 };
    assert!(admit(&mut quota, 0, yesterday).is_err());
    quota.release_grant();
    let record = quota.record(yesterday);
    let mut after = restarted(&quota, &record, yesterday);
    assert!(admit(&mut after, 0, yesterday).is_err());
}

#[test]
fn midnight_opens_the_day() {
    let mut quota = quota(0, 1);
    send(&mut quota, 0, at(0)).expect("room");
    let Err(NoRoom::Full { which: QuotaKind::Rpd, until: Some(until) }) = admit(&mut quota, 0, at(1)) else {
        panic!("the day is spent");
    };
    assert!(admit(&mut quota, 0, at(until - START.mono - 1)).is_err());
    assert!(admit(&mut quota, 0, at(until - START.mono)).is_ok());
}

#[test]
fn a_rolling_day_frees_each_request_after_24_hours() {
    let mut quota = quota(0, 2);
    quota.reconfigure(quota.limits, &Reset::Rolling, START);
    for hours in [0, 10] {
        let sent = at(hours * 3_600_000);
        send(&mut quota, 0, sent).expect("room");
    }
    let Err(NoRoom::Full { which: QuotaKind::Rpd, until: Some(until) }) = admit(&mut quota, 0, at(23 * 3_600_000))
    else {
        panic!("two in 24 hours")
    };
    assert_eq!(until, at(24 * 3_600_000 + 1_000).mono);
    // A restart keeps the times, to the grain of what is saved.
    quota.release_grant();
    let record = quota.record(at(23 * 3_600_000));
    let mut after = restarted(&quota, &record, at(23 * 3_600_000));
    assert_eq!(usage(&mut after, at(23 * 3_600_000)).1, 2);
    assert_eq!(usage(&mut after, at(24 * 3_600_000 + 146_000)).1, 1);
    assert!(admit(&mut after, 0, at(24 * 3_600_000 + 146_000)).is_ok());
}

#[test]
fn a_changed_reset_forgets_nothing_of_today() {
    let mut quota = quota(0, 5);
    for _ in 0..3 {
        send(&mut quota, 0, START).expect("room");
    }
    let tokyo = TimeZone::get("Asia/Tokyo").expect("a zone of the database");
    for reset in [Reset::Rolling, Reset::Midnight(TimeZone::UTC), Reset::Midnight(tokyo), Reset::Rolling] {
        quota.reconfigure(quota.limits, &reset, START);
        assert_eq!(usage(&mut quota, START).1, 3);
    }
}

#[test]
fn a_burst_bounds_a_short_span() {
    let mut quota = quota(100, 0);
    let burst = Some(Burst { requests: 2, span_ms: 1_000 });
    quota.reconfigure(Limits { burst, ..quota.limits }, &Reset::Rolling, START);
    for ms in [0, 300] {
        send(&mut quota, 0, at(ms)).expect("room");
    }
    let Err(NoRoom::Full { which: QuotaKind::Burst, until: Some(until) }) = admit(&mut quota, 0, at(1_099)) else {
        panic!("two in a second");
    };
    assert_eq!(until, at(1_100).mono);
    assert!(admit(&mut quota, 0, at(1_100)).is_ok());
}

#[test]
fn tokens_are_reserved_corrected_and_carried() {
    let mut quota = with_limits(Limits { tpm: Limit::AtMost(1_000), ..Limits::default() });
    let first = send(&mut quota, 600, at(0)).expect("room");
    assert!(send(&mut quota, 600, at(1)).is_err(), "the estimate counts while it is open");
    quota.settle(&first, actual(true, Some(100)), at(20_000));
    let second = send(&mut quota, 900, at(20_000)).expect("the estimate was corrected");
    quota.settle(&second, actual(true, Some(2_900)), at(30_000));
    // 100 until 81 s. Of the 2,900, 1,000 count in the minute of 30 s and the others in the next two.
    for (ms, tokens) in [(30_000, 3_000), (81_000, 2_900), (91_000, 2_000), (152_000, 1_000), (213_000, 0)] {
        quota.advance(at(ms));
        assert_eq!(quota.tokens.usage(at(ms)).minute, tokens, "{ms}");
    }
    // A demand above the window takes all of the window.
    let all = send(&mut quota, 50_000, at(300_000)).expect("an empty window");
    assert_eq!(all.amount, 1_000);
    quota.settle(&all, actual(true, None), at(300_000));
    assert!(send(&mut quota, 1, at(300_001)).is_err(), "nobody knows what it used: the estimate stands");
}

#[test]
fn a_days_overshoot_of_tokens_counts_tomorrow() {
    let mut quota = with_limits(Limits { tpd: Limit::AtMost(1_000), ..Limits::default() });
    let reservation = send(&mut quota, 10, at(0)).expect("room");
    quota.settle(&reservation, actual(true, Some(2_600)), at(1));
    let Err(NoRoom::Full { which: QuotaKind::Tpd, until: Some(until) }) = send(&mut quota, 1, at(2)) else {
        panic!("the day is spent");
    };
    let day = 86_400_000;
    let morning = until - START.mono;
    for (days, tokens) in [(0, 1_600), (1, 600), (2, 0)] {
        quota.advance(at(morning + days * day));
        assert_eq!(quota.tokens.usage(at(morning + days * day)).day, tokens);
    }
    // A restart keeps the debt.
    let reservation = send(&mut quota, 10, at(morning + 2 * day)).expect("room");
    quota.settle(&reservation, actual(true, Some(1_500)), at(morning + 2 * day));
    quota.release_grant();
    let record = quota.record(at(morning + 2 * day));
    let mut after = restarted(&quota, &record, at(morning + 3 * day));
    after.advance(at(morning + 3 * day));
    assert_eq!(after.tokens.usage(at(morning + 3 * day)).day, 500);
}

#[test]
fn a_request_that_does_not_count_is_taken_back() {
    let mut quota = quota(1, 1);
    let reservation = send(&mut quota, 0, at(0)).expect("room");
    quota.settle(&reservation, actual(false, Some(0)), at(5));
    assert_eq!(usage(&mut quota, at(5)), (0, 0));
    let reservation = send(&mut quota, 0, at(6)).expect("room again");
    quota.settle(&reservation, actual(true, None), at(7));
    assert_eq!(usage(&mut quota, at(7)), (1, 1));
}

#[test]
fn a_limit_of_nothing_disables() {
    let mut quota = with_limits(Limits { tpd: Limit::AtMost(0), ..Limits::default() });
    assert_eq!(admit(&mut quota, 0, START).err(), Some(NoRoom::Disabled));
}

#[test]
fn a_quota_publishes_what_its_tightest_window_leaves() {
    let mut quota = with_limits(Limits { max_concurrent: Some(2), ..quota(5, 3).limits });
    let summary =
        |quota: &Quota, now: Now| quota.credits().and_then(|credits| credits.summary(now.mono)).expect("a limit");
    let left = |quota: &Quota, now: Now| (summary(quota, now).limit, summary(quota, now).remaining);
    assert_eq!(left(&quota, at(0)), (3, 3), "before anything is used");
    let first = send(&mut quota, 0, at(0)).expect("room");
    quota.issue(at(0));
    assert_eq!(left(&quota, at(0)), (3, 2), "of the day");
    settle(&mut quota, &first, at(10));
    let midnight = quota.period_ends(at(10)) - START.mono;
    quota.issue(at(10));
    assert_eq!(summary(&quota, at(10)).reset_ms, midnight - 10);
    assert_eq!(left(&quota, at(midnight)), (3, 3), "tomorrow, though nobody has looked at the quota");
    assert_eq!(summary(&quota, at(midnight)).reset_ms, 0);
}

#[test]
fn units_of_old_credits_do_not_count_as_granted_under_new_limits() {
    let bursts = Limits { burst: Some(Burst { requests: 10, span_ms: 1_000 }), ..Limits::default() };
    let mut quota = with_limits(bursts);
    quota.issue(at(0));
    let old = quota.credits().expect("bounded").clone();
    assert!(old.take(Demand::default(), at(0).mono).is_ok());
    quota.reclaim();
    // A burst needs no grant. A minute does, and has none.
    quota.reconfigure(Limits { rpm: Limit::AtMost(10), ..bursts }, &Reset::Midnight(TimeZone::UTC), at(0));
    quota.give_back(&old, Demand::default());
    assert!(quota.needs_grant(Demand::default()) && !quota.holds_grant());
    assert_eq!(usage(&mut quota, at(0)).0, 0);
}

mod paced;
