//! How long the pure code takes to admit an attempt and to settle it: `cargo bench --bench admission`.

#![expect(clippy::expect_used, reason = "a bench ends by panicking")]

use std::hint::black_box;

use clock::{Now, SentAt};
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use quota::{ActualUsage, Burst, Demand, Grant, Limit, Limits, Need, Quota, Reset};

/// What each request may use.
const DEMAND: Demand = Demand { tokens: 500, cost: 0 };

/// A quota in the middle of its life: half of its minute is used, by requests that came evenly.
fn half_used(limits: Limits, now: &mut Now) -> Quota {
    let mut quota = Quota::new(limits, &Reset::Midnight(TimeZone::UTC), false, *now);
    let half = limits.rpm.bound().unwrap_or(1_000).min(100_000) / 2;
    for i in 0..half {
        *now = at(*now, i * 60_000 / half.max(1) - (i.saturating_sub(1)) * 60_000 / half.max(1));
        one(&mut quota, *now);
    }
    quota
}

fn at(now: Now, later: u64) -> Now {
    Now { mono: now.mono + later, wall: now.wall + later as i64 }
}

/// One request, as an upstream's actor treats it: is there room, is it granted, take it; draw more ahead; written; settled.
fn one(quota: &mut Quota, now: Now) {
    if black_box(quota.room(DEMAND, now)).is_err() {
        return;
    }
    if quota.needs_grant(DEMAND) {
        let need = Need { demand: DEMAND, waiting: 1 };
        let units = quota.request_grant(Some(need), now).expect("a grant is needed").wanted;
        quota.record_grant(Some(&Grant { units, shared: None }));
    }
    let reservation = quota.reserve(&SentAt::default(), DEMAND);
    reservation.sent_at.begin(now.mono);
    reservation.sent_at.finish(now.mono);
    quota.settle(black_box(&reservation), ActualUsage { counts: true, tokens: Some(400), cost: None }, now);
}

fn admission(criterion: &mut Criterion) {
    let start = Now { mono: 300_000_000, wall: 1_790_000_000_000 };
    let per = |rpm: u64| Limits { rpm: Limit::AtMost(rpm), rpd: Limit::AtMost(1_000_000_000), ..Limits::default() };
    let all = Limits {
        tpm: Limit::AtMost(1_000_000_000),
        tpd: Limit::AtMost(1_000_000_000_000),
        burst: Some(Burst { requests: 10_000, span_ms: 1_000 }),
        max_concurrent: Some(1_000),
        ..per(60_000)
    };
    for (name, limits) in [
        ("no limits", Limits::default()),
        ("rpm 60, rpd", per(60)),
        ("rpm 4,000, rpd", per(4_000)),
        ("rpm 1,000,000, rpd", per(1_000_000)),
        ("every limit", all),
    ] {
        let mut now = start;
        let mut quota = half_used(limits, &mut now);
        // As much time passes between two requests as the limit allows, so that the window stays half full.
        let gap = (120_000 / limits.rpm.bound().unwrap_or(120_000).max(1)).max(1);
        criterion.bench_function(&format!("admit and settle: {name}"), |bencher| {
            bencher.iter(|| {
                now = at(now, gap);
                one(&mut quota, now);
            });
        });
    }
    let mut now = start;
    let mut full = half_used(per(60), &mut now);
    for _ in 0..60 {
        one(&mut full, now);
    }
    criterion.bench_function("refuse: rpm 60 is used up", |bencher| {
        bencher.iter(|| black_box(full.room(DEMAND, now)).is_err());
    });
}

criterion_group!(benches, admission);
criterion_main!(benches);
