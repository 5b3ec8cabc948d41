//! Keys with limits and budgets, and upstreams with limits of several periods, used at once. Each request takes a part of all quotas of
//! its key, and each attempt a part of all quotas of its upstream.
//!
//! The reference is a bare list of what was written, by quota, and of what is under way. At each admission the reference adds up the
//! window of each limit, in a calendar of its own.

use std::cell::Cell;

use clock::Uptime;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use self::requests::UnderWay;
use self::steps::{Step, step};
use super::super::*;
use super::{beginnings, zone};
use crate::limits::Limit;
use crate::listed_limit::{LimitUnit, ListedLimit};
use crate::pacing::Pacing;
use crate::period::Period;
use crate::records::{Grant, QuotaRecord};

mod reference;
mod requests;
mod steps;

const KEYS: usize = 2;
const UPSTREAMS: usize = 2;

/// The monotonic clock at the start (ms): long enough for a month before.
const FIRST_MONO: u64 = 40_000_000_000;

/// One quota beside the truth.
struct Owned {
    quota: Quota,
    disk: QuotaRecord,
    original: Limits,
    reset: Reset,
    /// True times and units of what may have reached an upstream: requests, and tokens or money.
    written: Vec<(i64, u64, u64)>,
}

struct World {
    /// Of each key first, then of each upstream.
    owners: Vec<Vec<usize>>,
    quotas: Vec<Owned>,
    zone: TimeZone,
    time: i64,
    started: i64,
    under_way: Vec<UnderWay>,
    admitted: Cell<usize>,
}

fn listed(amount: u64, unit: LimitUnit, period: Period) -> Limits {
    ListedLimit { amount, unit, period }.limits()
}

impl World {
    fn new(scale: u64, zone: TimeZone, time: i64) -> World {
        let of_key = [
            Limits {
                rpm: Limit::AtMost(scale),
                tpd: Limit::AtMost(60 * scale),
                pacing: Pacing::Spread,
                ..Limits::default()
            },
            listed(500 * scale, LimitUnit::Usd, Period::Day),
            listed(2 * scale, LimitUnit::Requests, Period::Hours(5)),
            Limits { pacing: Pacing::Spread, ..listed(2_000 * scale, LimitUnit::Usd, Period::Month) },
        ];
        let of_upstream = [
            Limits { rpd: Limit::AtMost(2 * scale), tpm: Limit::AtMost(40 * scale), ..Limits::default() },
            Limits { pacing: Pacing::Spread, ..listed(900 * scale, LimitUnit::Usd, Period::Week) },
            listed(150 * scale, LimitUnit::Tokens, Period::Days(7)),
            listed(scale, LimitUnit::Requests, Period::Hour),
        ];
        let mut world = World {
            owners: Vec::new(),
            quotas: Vec::new(),
            zone,
            time,
            started: time,
            under_way: Vec::new(),
            admitted: Cell::new(0),
        };
        for (i, limits) in
            std::iter::repeat_n(of_key, KEYS).chain(std::iter::repeat_n(of_upstream, UPSTREAMS)).enumerate()
        {
            let first = world.quotas.len();
            let reset = if i % 2 == 0 { Reset::Midnight(world.zone.clone()) } else { Reset::Rolling };
            let owned = limits.map(|limits| Owned {
                quota: Quota::new(limits, &reset, false, world.now()),
                disk: QuotaRecord::default(),
                original: limits,
                reset: reset.clone(),
                written: Vec::new(),
            });
            world.quotas.extend(owned);
            world.owners.push((first..world.quotas.len()).collect());
        }
        world
    }

    fn now(&self) -> Now {
        Now { mono: FIRST_MONO + (self.time - self.started) as u64, wall: self.time }
    }

    fn uptime(&self) -> Uptime {
        Uptime { boot: "the only one".to_owned(), ms: self.time as u64 / 10 * 10 }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Wait(ms) => self.time += ms as i64,
            Step::Request(call) => self.request(call),
            Step::End { written } if !self.under_way.is_empty() => {
                let one = self.under_way.remove(0);
                self.end(one, written);
            }
            Step::End { .. } => {}
            Step::Crash => self.crash(),
            Step::Restart => {
                for one in std::mem::take(&mut self.under_way) {
                    self.end(one, true);
                }
                for i in 0..self.quotas.len() {
                    self.look(i, |quota, _| quota.release_grant());
                    self.save(i);
                }
                self.start();
            }
            Step::Save => (0..self.quotas.len()).for_each(|i| self.save(i)),
            Step::Reload(percent) => self.reload(percent),
        }
    }

    /// Looks at a quota as its handle does: without issued credits.
    fn look<T>(&mut self, i: usize, look: impl FnOnce(&mut Quota, Now) -> T) -> T {
        let now = self.now();
        let quota = &mut self.quotas[i].quota;
        quota.reclaim();
        let seen = look(quota, now);
        quota.issue(now);
        seen
    }

    fn save(&mut self, i: usize) {
        let uptime = self.uptime();
        let record = self.look(i, |quota, now| quota.record(now));
        self.quotas[i].disk = record.marked(Some(uptime));
    }

    fn grant(&mut self, i: usize, need: Option<Need>) {
        let uptime = self.uptime();
        let granted = self.look(i, |quota, now| {
            let GrantRequest { wanted: units, record, .. } = quota.request_grant(need, now)?;
            quota.record_grant(Some(&Grant { units, shared: None }));
            Some(record)
        });
        if let Some(record) = granted {
            self.quotas[i].disk = record.marked(Some(uptime));
        }
    }

    /// Nobody knows what the attempts under way have used: all, at worst.
    fn crash(&mut self) {
        for one in std::mem::take(&mut self.under_way) {
            for part in &one.parts {
                self.quotas[part.place].written.push((self.time, 0, part.units));
            }
        }
        self.start();
    }

    fn start(&mut self) {
        self.started = self.time;
        let (now, uptime) = (self.now(), self.uptime());
        for owned in &mut self.quotas {
            let record = owned.disk.clone().by_the_clock_of(now, Some(&uptime));
            let limits = owned.quota.limits();
            owned.quota = Quota::new(limits, &owned.reset, false, now);
            owned.quota.add(&record, now);
            owned.quota.issue(now);
        }
    }

    fn reload(&mut self, percent: u64) {
        let scaled = |limit: Limit| limit.bound().map_or(limit, |n| Limit::AtMost((n * percent / 100).max(1)));
        for i in 0..self.quotas.len() {
            let Limits { rpm, rpd, tpm, tpd, .. } = self.quotas[i].original;
            let limits = Limits {
                rpm: scaled(rpm),
                rpd: scaled(rpd),
                tpm: scaled(tpm),
                tpd: scaled(tpd),
                ..self.quotas[i].original
            };
            let reset = self.quotas[i].reset.clone();
            self.look(i, |quota, now| quota.reconfigure(limits, &reset, now));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_window_of_a_key_a_budget_or_an_upstream_is_ever_over(
        steps in prop::collection::vec(step(), 1..250),
        scale in 3..30_u64,
        name in prop_oneof![Just("UTC"), Just("America/Los_Angeles"), Just("Asia/Kolkata")],
        start in beginnings(),
    ) {
        let mut world = World::new(scale, zone(name), start);
        steps.iter().for_each(|step| world.run(step));
    }
}
