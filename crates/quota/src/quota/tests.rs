//! The windows hold, whatever happens.

use jiff::tz::TimeZone;

use super::*;
use crate::limits::{Burst, Limit};
use crate::records::Grant;

const START: Now = Now { mono: 1_000_000, wall: 1_790_000_000_000 };

fn at(ms: u64) -> Now {
    Now { mono: START.mono + ms, wall: START.wall + ms as i64 }
}

fn quota(rpm: u64, rpd: u64) -> Quota {
    let limit = |n| if n == 0 { Limit::Unlimited } else { Limit::AtMost(n) };
    opened(Limits { rpm: limit(rpm), rpd: limit(rpd), ..Limits::default() })
}

fn opened(limits: Limits) -> Quota {
    Quota::restore(limits, &Reset::Midnight(TimeZone::UTC), (None, false), START)
}

fn reopened(quota: &Quota, record: &QuotaRecord, now: Now) -> Quota {
    Quota::restore(quota.limits, &quota.reset, (Some(record), false), now)
}

/// Admits as the ledger does: fetching grants as needed.
fn take_of(quota: &mut Quota, demand: u64, now: Now) -> Result<Share, NoRoom> {
    quota.room(demand, now)?;
    if quota.lacks(demand) {
        let units = quota.reserve(Some((demand, 1)), now).expect("a grant that is used up is wanted").wanted;
        quota.answered(Some(&Grant { units, shared: None }));
    }
    assert!(!quota.lacks(demand));
    Ok(quota.take(&SentAt::default(), demand))
}

fn take(quota: &mut Quota, now: Now) -> Result<SentAt, NoRoom> {
    take_of(quota, 0, now).map(|share| share.stamp)
}

/// Admits a request that is written at once.
fn send(quota: &mut Quota, demand: u64, now: Now) -> Result<Share, NoRoom> {
    let share = take_of(quota, demand, now)?;
    share.stamp.begin(now.mono);
    share.stamp.finish(now.mono);
    Ok(share)
}

fn settled(quota: &mut Quota, stamp: &SentAt, now: Now) {
    quota.settle(&Share { stamp: stamp.clone(), tokens: 0 }, Spent { counts: true, tokens: None }, now);
}

/// Requests in the last minute and today.
fn usage(quota: &mut Quota, now: Now) -> (u64, u64) {
    quota.advance(now);
    quota.requests.usage(now)
}

#[test]
fn a_request_counts_from_when_it_was_written() {
    let mut quota = quota(1, 0);
    let stamp = take(&mut quota, at(0)).expect("room for one");
    stamp.begin(at(0).mono);
    assert!(take(&mut quota, at(59_000)).is_err(), "still being written");
    stamp.finish(at(60_000).mono);
    let Err(NoRoom::Full { which: QuotaKind::Rpm, until: Some(until) }) = take(&mut quota, at(61_000)) else {
        panic!("the minute begins when it is written");
    };
    assert_eq!(until, at(121_000).mono);
    assert!(take(&mut quota, at(121_000)).is_ok());
}

#[test]
fn what_was_not_sent_is_given_back() {
    let mut quota = quota(1, 1);
    let stamp = take(&mut quota, at(0)).expect("room for one");
    settled(&mut quota, &stamp, at(10));
    assert_eq!(usage(&mut quota, at(10)), (0, 0));
    let stamp = take(&mut quota, at(20)).expect("room again");
    stamp.begin(START.mono);
    settled(&mut quota, &stamp, at(30));
    assert_eq!(usage(&mut quota, at(40)), (1, 1), "a part of it may have arrived");
}

#[test]
fn a_crash_counts_every_unit_that_was_granted() {
    let mut quota = quota(0, 1_000);
    let mut sent = 0;
    let mut durable = quota.record(at(0));
    for i in 0..57 {
        if let Some(draw) = quota.reserve(quota.lacks(0).then_some((0, 1)), at(i)) {
            let units = draw.wanted;
            durable = draw.record;
            quota.answered(Some(&Grant { units, shared: None }));
        }
        let stamp = take(&mut quota, at(i)).expect("room");
        stamp.begin(START.mono);
        stamp.finish(at(i).mono);
        sent += 1;
    }
    let mut after = reopened(&quota, &durable, at(100));
    let (_, today) = usage(&mut after, at(100));
    assert!((sent..sent + 20).contains(&today), "{sent} sent, {today} counted");
}

#[test]
fn a_clean_stop_is_exact() {
    let mut quota = quota(60, 1_000);
    for i in 0..7 {
        let stamp = take(&mut quota, at(i * 1_000)).expect("room");
        stamp.begin(START.mono);
        stamp.finish(at(i * 1_000).mono);
        settled(&mut quota, &stamp, at(i * 1_000));
    }
    quota.release_grant();
    let record = quota.record(at(10_000));
    // The process begins anew: its monotonic clock does too.
    let mut after = reopened(&quota, &record, Now { mono: 120_000, wall: at(64_500).wall });
    assert_eq!(usage(&mut after, Now { mono: 120_000, wall: at(64_500).wall }), (3, 7));
}

#[test]
fn a_clock_set_back_opens_nothing() {
    let mut quota = quota(0, 1);
    let stamp = take(&mut quota, at(0)).expect("room");
    stamp.begin(START.mono);
    stamp.finish(at(0).mono);
    let yesterday = Now { mono: at(5).mono, wall: START.wall - 86_400_000 };
    assert!(take(&mut quota, yesterday).is_err());
    quota.release_grant();
    let record = quota.record(yesterday);
    let mut after = reopened(&quota, &record, yesterday);
    assert!(take(&mut after, yesterday).is_err());
}

#[test]
fn midnight_opens_the_day() {
    let mut quota = quota(0, 1);
    let stamp = take(&mut quota, at(0)).expect("room");
    stamp.begin(START.mono);
    stamp.finish(at(0).mono);
    let Err(NoRoom::Full { which: QuotaKind::Rpd, until: Some(until) }) = take(&mut quota, at(1)) else {
        panic!("the day is spent");
    };
    assert!(take(&mut quota, at(until - START.mono - 1)).is_err());
    assert!(take(&mut quota, at(until - START.mono)).is_ok());
}

#[test]
fn a_rolling_day_frees_each_request_after_24_hours() {
    let mut quota = quota(0, 2);
    quota.reconfigure(quota.limits, &Reset::Rolling, START);
    for hours in [0, 10] {
        let sent = at(hours * 3_600_000);
        let stamp = take(&mut quota, sent).expect("room");
        stamp.begin(START.mono);
        stamp.finish(sent.mono);
    }
    let Err(NoRoom::Full { which: QuotaKind::Rpd, until: Some(until) }) = take(&mut quota, at(23 * 3_600_000)) else {
        panic!("two in 24 hours");
    };
    assert_eq!(until, at(24 * 3_600_000 + 1_000).mono);
    // Over a restart the times are kept, to the grain of what is saved.
    quota.release_grant();
    let record = quota.record(at(23 * 3_600_000));
    let mut after = reopened(&quota, &record, at(23 * 3_600_000));
    assert_eq!(usage(&mut after, at(23 * 3_600_000)).1, 2);
    assert_eq!(usage(&mut after, at(24 * 3_600_000 + 146_000)).1, 1);
    assert!(take(&mut after, at(24 * 3_600_000 + 146_000)).is_ok());
}

#[test]
fn another_reset_forgets_nothing_of_today() {
    let mut quota = quota(0, 5);
    for _ in 0..3 {
        let stamp = take(&mut quota, START).expect("room");
        stamp.begin(START.mono);
        stamp.finish(START.mono);
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
        let stamp = take(&mut quota, at(ms)).expect("room");
        stamp.begin(START.mono);
        stamp.finish(at(ms).mono);
    }
    let Err(NoRoom::Full { which: QuotaKind::Burst, until: Some(until) }) = take(&mut quota, at(1_099)) else {
        panic!("two in a second");
    };
    assert_eq!(until, at(1_100).mono);
    assert!(take(&mut quota, at(1_100)).is_ok());
}

#[test]
fn tokens_are_reserved_corrected_and_carried() {
    let mut quota = opened(Limits { tpm: Limit::AtMost(1_000), ..Limits::default() });
    let first = send(&mut quota, 600, at(0)).expect("room");
    assert!(send(&mut quota, 600, at(1)).is_err(), "the estimate counts while it is open");
    quota.settle(&first, Spent { counts: true, tokens: Some(100) }, at(20_000));
    let second = send(&mut quota, 900, at(20_000)).expect("the estimate was corrected");
    quota.settle(&second, Spent { counts: true, tokens: Some(2_900) }, at(30_000));
    // 100 until 81 s; of 2,900, 1,000 in the minute of 30 s, and the rest in the next two.
    for (ms, tokens) in [(30_000, 3_000), (81_000, 2_900), (91_000, 2_000), (152_000, 1_000), (213_000, 0)] {
        quota.advance(at(ms));
        assert_eq!(quota.tokens.usage(at(ms)).0, tokens, "{ms}");
    }
    // What no window could ever hold takes all of one.
    let all = send(&mut quota, 50_000, at(300_000)).expect("an empty window");
    assert_eq!(all.tokens, 1_000);
    quota.settle(&all, Spent { counts: true, tokens: None }, at(300_000));
    assert!(send(&mut quota, 1, at(300_001)).is_err(), "nobody knows what it took: the estimate stands");
}

#[test]
fn a_days_overshoot_of_tokens_counts_tomorrow() {
    let mut quota = opened(Limits { tpd: Limit::AtMost(1_000), ..Limits::default() });
    let share = send(&mut quota, 10, at(0)).expect("room");
    quota.settle(&share, Spent { counts: true, tokens: Some(2_600) }, at(1));
    let Err(NoRoom::Full { which: QuotaKind::Tpd, until: Some(until) }) = send(&mut quota, 1, at(2)) else {
        panic!("the day is spent");
    };
    let day = 86_400_000;
    let morning = until - START.mono;
    for (days, tokens) in [(0, 1_600), (1, 600), (2, 0)] {
        quota.advance(at(morning + days * day));
        assert_eq!(quota.tokens.usage(at(morning + days * day)).1, tokens);
    }
    // Over a restart too.
    let share = send(&mut quota, 10, at(morning + 2 * day)).expect("room");
    quota.settle(&share, Spent { counts: true, tokens: Some(1_500) }, at(morning + 2 * day));
    quota.release_grant();
    let record = quota.record(at(morning + 2 * day));
    let mut after = reopened(&quota, &record, at(morning + 3 * day));
    after.advance(at(morning + 3 * day));
    assert_eq!(after.tokens.usage(at(morning + 3 * day)).1, 500);
}

#[test]
fn a_request_that_does_not_count_is_taken_back() {
    let mut quota = quota(1, 1);
    let share = send(&mut quota, 0, at(0)).expect("room");
    quota.settle(&share, Spent { counts: false, tokens: Some(0) }, at(5));
    assert_eq!(usage(&mut quota, at(5)), (0, 0));
    let share = send(&mut quota, 0, at(6)).expect("room again");
    quota.settle(&share, Spent { counts: true, tokens: None }, at(7));
    assert_eq!(usage(&mut quota, at(7)), (1, 1));
}

#[test]
fn a_limit_of_nothing_disables() {
    let mut quota = opened(Limits { tpd: Limit::AtMost(0), ..Limits::default() });
    assert_eq!(take(&mut quota, START).err(), Some(NoRoom::Disabled));
}

#[test]
fn what_an_older_allowance_gave_is_not_taken_for_granted_under_new_limits() {
    let bursts = Limits { burst: Some(Burst { requests: 10, span_ms: 1_000 }), ..Limits::default() };
    let mut quota = opened(bursts);
    quota.open(at(0));
    let old = quota.allowance().expect("bounded").clone();
    assert!(old.take(0, at(0).mono).is_ok());
    quota.call_in();
    // A burst needs no store; a minute does, and has granted nothing.
    quota.reconfigure(Limits { rpm: Limit::AtMost(10), ..bursts }, &Reset::Midnight(TimeZone::UTC), at(0));
    quota.give_back(&old, 0);
    assert!(quota.lacks(0) && !quota.holds_grant());
    assert_eq!(usage(&mut quota, at(0)).0, 0);
}
