//! The windows hold, whatever happens.

use jiff::tz::TimeZone;

use super::*;

const START: Now = Now { mono: 1_000_000, wall: 1_790_000_000_000 };

fn at(ms: u64) -> Now {
    Now { mono: START.mono + ms, wall: START.wall + ms as i64 }
}

fn quota(rpm: u32, rpd: u32) -> Quota {
    let limit = |n| if n == 0 { Limit::Unlimited } else { Limit::AtMost(n) };
    let limits = Limits { rpm: limit(rpm), rpd: limit(rpd), reset: Reset::Midnight(TimeZone::UTC), burst: None };
    Quota::restore(limits, None, START)
}

/// Admits as the actor does: fetching grants as needed.
fn take(quota: &mut Quota, now: Now) -> Result<WriteStamp, Refusal> {
    loop {
        match quota.admit(now) {
            Admission::Admitted(stamp) => return Ok(stamp),
            Admission::Refused(refusal) => return Err(refusal),
            Admission::NeedsGrant => {
                quota.reserve(true, now).expect("a grant that is used up is wanted");
                quota.reserved(true);
            }
        }
    }
}

#[test]
fn a_request_counts_from_when_it_was_written() {
    let mut quota = quota(1, 0);
    let stamp = take(&mut quota, at(0)).expect("room for one");
    stamp.begin();
    assert!(take(&mut quota, at(59_000)).is_err(), "still being written");
    stamp.finish(at(60_000).mono);
    let Err(Refusal::QuotaExhausted { which: QuotaKind::Rpm, until }) = take(&mut quota, at(61_000)) else {
        panic!("the minute begins when it is written");
    };
    assert_eq!(until, at(121_000).mono);
    assert!(take(&mut quota, at(121_000)).is_ok());
}

#[test]
fn what_was_not_sent_is_given_back() {
    let mut quota = quota(1, 1);
    let stamp = take(&mut quota, at(0)).expect("room for one");
    quota.settle(&stamp, at(10));
    assert_eq!(quota.usage(at(10)), (0, 0));
    let stamp = take(&mut quota, at(20)).expect("room again");
    stamp.begin();
    quota.settle(&stamp, at(30));
    assert_eq!(quota.usage(at(40)), (1, 1), "a part of it may have arrived");
}

#[test]
fn a_crash_counts_every_unit_that_was_granted() {
    let mut quota = quota(0, 1_000);
    let mut sent = 0;
    let mut durable = quota.record(at(0));
    for i in 0..57 {
        if let Some(record) = quota.reserve(true, at(i)) {
            durable = record;
            quota.reserved(true);
        }
        let stamp = take(&mut quota, at(i)).expect("room");
        stamp.begin();
        stamp.finish(at(i).mono);
        sent += 1;
    }
    let limits = quota.limits.clone();
    let mut after = Quota::restore(limits, Some(&durable), at(100));
    let (_, today) = after.usage(at(100));
    assert!((sent..sent + 20).contains(&today), "{sent} sent, {today} counted");
}

#[test]
fn a_clean_stop_is_exact() {
    let mut quota = quota(60, 1_000);
    for i in 0..7 {
        let stamp = take(&mut quota, at(i * 1_000)).expect("room");
        stamp.begin();
        stamp.finish(at(i * 1_000).mono);
        quota.settle(&stamp, at(i * 1_000));
    }
    quota.release_grant();
    let record = quota.record(at(10_000));
    // The process begins anew: its monotonic clock does too.
    let mut after = Quota::restore(quota.limits.clone(), Some(&record), Now { mono: 120_000, wall: at(64_500).wall });
    assert_eq!(after.usage(Now { mono: 120_000, wall: at(64_500).wall }), (3, 7));
}

#[test]
fn a_clock_set_back_opens_nothing() {
    let mut quota = quota(0, 1);
    let stamp = take(&mut quota, at(0)).expect("room");
    stamp.begin();
    stamp.finish(at(0).mono);
    let yesterday = Now { mono: at(5).mono, wall: START.wall - 86_400_000 };
    assert!(take(&mut quota, yesterday).is_err());
    quota.release_grant();
    let record = quota.record(yesterday);
    let mut after = Quota::restore(quota.limits.clone(), Some(&record), yesterday);
    assert!(take(&mut after, yesterday).is_err());
}

#[test]
fn midnight_opens_the_day() {
    let mut quota = quota(0, 1);
    let stamp = take(&mut quota, at(0)).expect("room");
    stamp.begin();
    stamp.finish(at(0).mono);
    let Err(Refusal::QuotaExhausted { which: QuotaKind::Rpd, until }) = take(&mut quota, at(1)) else {
        panic!("the day is spent");
    };
    assert!(take(&mut quota, at(until - START.mono - 1)).is_err());
    assert!(take(&mut quota, at(until - START.mono)).is_ok());
}

#[test]
fn a_rolling_day_frees_each_request_after_24_hours() {
    let mut quota = quota(0, 2);
    quota.reconfigure(Limits { reset: Reset::Rolling, ..quota.limits.clone() }, START);
    for hours in [0, 10] {
        let sent = at(hours * 3_600_000);
        let stamp = take(&mut quota, sent).expect("room");
        stamp.begin();
        stamp.finish(sent.mono);
    }
    let Err(Refusal::QuotaExhausted { which: QuotaKind::Rpd, until }) = take(&mut quota, at(23 * 3_600_000)) else {
        panic!("two in 24 hours");
    };
    assert_eq!(until, at(24 * 3_600_000 + 1_000).mono);
    // Over a restart the times are kept, to the grain of what is saved.
    quota.release_grant();
    let record = quota.record(at(23 * 3_600_000));
    let mut after = Quota::restore(quota.limits.clone(), Some(&record), at(23 * 3_600_000));
    assert_eq!(after.usage(at(23 * 3_600_000)).1, 2);
    assert_eq!(after.usage(at(24 * 3_600_000 + 146_000)).1, 1);
    assert!(take(&mut after, at(24 * 3_600_000 + 146_000)).is_ok());
}

#[test]
fn another_reset_forgets_nothing_of_today() {
    let mut quota = quota(0, 5);
    for _ in 0..3 {
        let stamp = take(&mut quota, START).expect("room");
        stamp.begin();
        stamp.finish(START.mono);
    }
    let tokyo = TimeZone::get("Asia/Tokyo").expect("a zone of the database");
    for reset in [Reset::Rolling, Reset::Midnight(TimeZone::UTC), Reset::Midnight(tokyo), Reset::Rolling] {
        quota.reconfigure(Limits { reset, ..quota.limits.clone() }, START);
        assert_eq!(quota.usage(START).1, 3);
    }
}

#[test]
fn a_burst_bounds_a_short_span() {
    let mut quota = quota(100, 0);
    let burst = Some(Burst { requests: 2, span_ms: 1_000 });
    quota.reconfigure(Limits { burst, ..quota.limits.clone() }, START);
    for ms in [0, 300] {
        let stamp = take(&mut quota, at(ms)).expect("room");
        stamp.begin();
        stamp.finish(at(ms).mono);
    }
    let Err(Refusal::QuotaExhausted { which: QuotaKind::Burst, until }) = take(&mut quota, at(1_099)) else {
        panic!("two in a second");
    };
    assert_eq!(until, at(1_100).mono);
    assert!(take(&mut quota, at(1_100)).is_ok());
}
