//! Keys with limits and budgets, and upstreams with limits of several periods, used at once. Each request takes a part of all quotas of
//! its key, and each attempt a part of all quotas of its upstream.
//!
//! The reference is a bare list of what was written, by quota, and of what is under way. At each admission the reference adds up the
//! window of each limit, in a calendar of its own.

use std::cell::Cell;

use clock::Uptime;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::super::*;
use super::{beginnings, paced, zone};
use crate::limits::Limit;
use crate::listed_limit::{LimitUnit, ListedLimit};
use crate::pacing::Pacing;
use crate::period::Period;
use crate::records::{Grant, QuotaRecord};

const KEYS: usize = 2;
const UPSTREAMS: usize = 2;

/// The monotonic clock at the start (ms): long enough for a month before.
const FIRST_MONO: u64 = 40_000_000_000;

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Request(Call),
    /// The oldest request under way ends, written or not.
    End {
        written: bool,
    },
    Crash,
    Restart,
    Save,
    /// All amounts are this percentage of the original ones.
    Reload(u64),
}

#[derive(Debug, Clone, Copy)]
struct Call {
    key: usize,
    upstream: usize,
    /// Reserved tokens; the money is ten times as much.
    demand: u64,
    /// Of the demand, in percent.
    uses: u64,
    /// How many upstreams fail before one answers. One more than there are: none does.
    failures: usize,
    /// Whether the answer comes at once.
    at_once: bool,
    by_credits: bool,
    /// Whether the client leaves before anything is sent.
    aborts: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let wait = prop_oneof![0..5_000_u64, 0..90_000_u64, 0..20_000_000_u64, 0..700_000_000_u64];
    let flags = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.1));
    let failures = prop_oneof![3 => Just(0), 1 => Just(1), 1 => Just(UPSTREAMS)];
    let call = (0..KEYS, 0..UPSTREAMS, 1..24_u64, 0..=100_u64, failures, flags);
    let call = call.prop_map(|(key, upstream, demand, uses, failures, (at_once, by_credits, aborts))| Call {
        key,
        upstream,
        demand,
        uses,
        failures,
        at_once,
        by_credits,
        aborts,
    });
    prop_oneof![
        6 => wait.prop_map(Step::Wait),
        40 => call.prop_map(Step::Request),
        8 => any::<bool>().prop_map(|written| Step::End { written }),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
        2 => Just(Step::Save),
        1 => prop_oneof![Just(100_u64), 20..100_u64].prop_map(Step::Reload),
    ]
}

/// One quota beside the truth.
struct Owned {
    quota: Quota,
    disk: QuotaRecord,
    original: Limits,
    reset: Reset,
    /// True times and units of what may have reached an upstream: requests, and tokens or money.
    written: Vec<(i64, u64, u64)>,
}

/// A reservation in one quota.
struct Part {
    place: usize,
    reservation: Reservation,
    units: u64,
}

/// A request or an attempt under way.
struct UnderWay {
    parts: Vec<Part>,
    sent_at: SentAt,
    uses: u64,
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

    fn request(&mut self, call: Call) {
        let Some(key) = self.admit(call.key, call) else { return };
        let mut used = 0;
        for nth in 0..UPSTREAMS {
            let upstream = KEYS + (call.upstream + nth) % UPSTREAMS;
            let Some(attempt) = self.admit(upstream, call) else { continue };
            if call.aborts {
                self.settle(attempt, 0);
                break;
            }
            self.write(&attempt);
            self.write_once(&key);
            if nth < call.failures {
                self.settle(attempt, 0);
                continue;
            }
            if !call.at_once {
                self.under_way.extend([key, attempt]);
                return;
            }
            used = attempt.uses;
            self.settle(attempt, used);
            break;
        }
        self.settle(key, used);
    }

    /// Takes a part of all quotas of an owner, or of none.
    fn admit(&mut self, owner: usize, call: Call) -> Option<UnderWay> {
        let demand = Demand { tokens: call.demand, cost: call.demand * 10 };
        let places = self.owners[owner].clone();
        let sent_at = SentAt::default();
        let reservations = if call.by_credits {
            self.take_credits(&places, demand, &sent_at)
        } else {
            self.ask(&places, demand, &sent_at)
        };
        let parts: Vec<Part> = places
            .iter()
            .zip(reservations?)
            .map(|(place, reservation)| {
                let measure = self.quotas[*place].quota.limits().measure;
                Part { place: *place, reservation, units: demand.part(measure) }
            })
            .collect();
        self.admitted.set(self.admitted.get() + 1);
        let one = UnderWay { parts, sent_at, uses: call.demand * call.uses / 100 };
        one.parts.iter().for_each(|part| self.check(part, &one));
        Some(one)
    }

    fn ask(&mut self, places: &[usize], demand: Demand, sent_at: &SentAt) -> Option<Vec<Reservation>> {
        let is_full = |world: &mut World, i: &usize| world.look(*i, |quota, now| quota.room(demand, now).is_err());
        if places.iter().any(|i| is_full(self, i)) {
            return None;
        }
        places.iter().for_each(|i| self.grant(*i, Some(Need { demand, waiting: 1 })));
        let reservations = places.iter().map(|i| self.look(*i, |quota, _| quota.reserve(sent_at, demand))).collect();
        places.iter().for_each(|i| self.grant(*i, None));
        Some(reservations)
    }

    /// Takes issued credits, as a worker does. What the first quotas gave goes back if another has nothing.
    fn take_credits(&mut self, places: &[usize], demand: Demand, sent_at: &SentAt) -> Option<Vec<Reservation>> {
        let mono = self.now().mono;
        let credits: Vec<_> =
            places.iter().map(|i| self.quotas[*i].quota.credits().cloned().expect("limits")).collect();
        let taken = credits.iter().take_while(|credits| credits.take(demand, mono).is_ok()).count();
        let all = taken == places.len();
        let joined = places.iter().zip(&credits).take(taken).map(|(i, credits)| {
            self.look(*i, |quota, _| {
                if all {
                    return Some(quota.join(sent_at, demand, Some(credits)));
                }
                quota.give_back(credits, demand);
                None
            })
        });
        let joined: Vec<Reservation> = joined.collect::<Vec<_>>().into_iter().flatten().collect();
        all.then_some(joined)
    }

    fn write(&mut self, one: &UnderWay) {
        let mono = self.now().mono;
        assert!(one.sent_at.begin(mono));
        one.sent_at.finish(mono);
        for part in &one.parts {
            self.quotas[part.place].written.push((self.time, 1, 0));
        }
    }

    fn write_once(&mut self, one: &UnderWay) {
        if one.sent_at.read() == SendProgress::NotStarted {
            self.write(one);
        }
    }

    /// Ends a request or an attempt that used so many tokens.
    fn settle(&mut self, one: UnderWay, tokens: u64) {
        let is_written = one.sent_at.read() != SendProgress::NotStarted;
        let actual = ActualUsage { counts: true, tokens: Some(tokens), cost: Some(tokens * 10) };
        for part in &one.parts {
            let measure = self.quotas[part.place].quota.limits().measure;
            if is_written {
                self.quotas[part.place].written.push((self.time, 0, actual.part(measure).expect("known")));
            }
            self.look(part.place, |quota, now| quota.settle(&part.reservation, actual, now));
        }
    }

    fn end(&mut self, one: UnderWay, answered: bool) {
        let used = if answered { one.uses } else { 0 };
        self.settle(one, used);
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

    /// Compares a quota with the truth: what was written in each window, and what is under way, with this admission.
    fn check(&self, part: &Part, new: &UnderWay) {
        let owned = &self.quotas[part.place];
        let limits = owned.quota.limits();
        let mut reserved = (0, 0);
        for one in self.under_way.iter().chain([new]) {
            // Whose request is written counts among the written ones.
            let unwritten = u64::from(one.sent_at.read() == SendProgress::NotStarted);
            for other in one.parts.iter().filter(|other| other.place == part.place) {
                reserved = (reserved.0 + unwritten, reserved.1 + other.units);
            }
        }
        let written_since = |inside: &dyn Fn(i64) -> bool| {
            let inside = owned.written.iter().filter(|(at, ..)| inside(*at));
            inside.fold(reserved, |(requests, units), (_, more, others)| (requests + more, units + others))
        };
        let minute = written_since(&|at| at > self.time - 60_000);
        let period = written_since(&|at| self.is_in_period(at, &limits, &owned.reset));
        for (limit, used) in [(limits.rpm, minute.0), (limits.rpd, period.0)] {
            assert!(limit.bound().is_none_or(|bound| used <= bound), "{used} requests of {limit:?}, {limits:?}");
        }
        for (limit, used) in [(limits.tpm, minute.1), (limits.tpd, period.1)] {
            assert!(limit.bound().is_none_or(|bound| used <= bound), "{used} units of {limit:?}, {limits:?}");
        }
        if limits.pacing == Pacing::Spread && owned.reset != Reset::Rolling {
            let bound = limits.tpd.bound().expect("a limit of the second counter");
            let (_, usable) = paced::reference(bound, self.time, limits.period(), &self.zone);
            assert!(period.1 <= usable, "{} units, and {usable} of {bound} by now", period.1);
        }
    }

    /// Returns whether `at` is in the period of now, by the reference's own calendar.
    fn is_in_period(&self, at: i64, limits: &Limits, reset: &Reset) -> bool {
        let period = limits.period();
        let is_rolling =
            *reset == Reset::Rolling || matches!(period, Period::Minutes(_) | Period::Hours(_) | Period::Days(_));
        if is_rolling {
            return at > self.time - period.length_ms() as i64;
        }
        let civil = |at: i64| Timestamp::from_millisecond(at).expect("in range").to_zoned(self.zone.clone());
        let week = |date: Date| (date.iso_week_date().year(), date.iso_week_date().week());
        let (then, now) = (civil(at), civil(self.time));
        match period {
            Period::Hour => (then.date(), then.hour(), then.offset()) == (now.date(), now.hour(), now.offset()),
            Period::Day => then.date() == now.date(),
            Period::Week => week(then.date()) == week(now.date()),
            Period::Month => (then.year(), then.month()) == (now.year(), now.month()),
            Period::Minutes(_) | Period::Hours(_) | Period::Days(_) => unreachable!("these are rolling"),
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
