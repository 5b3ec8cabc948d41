//! No schedule of requests, delays, crashes, stops, clock steps, reloads and overshoots puts more into a window than its
//! limit: not of an API's own quota, nor of one that several APIs share.
//!
//! What is checked against is not written like the quota: a bare list of the true times at which requests were written,
//! and tokens were spent, counted window by window.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::types::{Burst, Limit, Uptime};

#[derive(Debug, Clone)]
enum Step {
    /// Time goes on.
    Wait(u64),
    /// A request comes to one of the APIs; once admitted it is written after `delay` ms, or not at all. It takes so many
    /// tokens, of which so many were foreseen.
    Request { api: usize, delay: u64, written: bool, demand: u64, takes: u64 },
    /// `kill -9`, and a start.
    Crash,
    /// A clean stop, and a start.
    Restart,
    /// The counts are saved, as they are now and then.
    Save,
    /// Somebody sets the clock.
    SetClock(i64),
    /// The configuration is read again; the limits of the first API are so many hundredths of what they were first.
    Reload(u64),
}

fn step(clock: bool) -> impl Strategy<Value = Step> {
    let wait = prop_oneof![0..50_u64, 0..5_000_u64, 0..70_000_u64, 0..40_000_000_u64];
    let hours: i64 = if clock { 30 * 3_600_000 } else { 0 };
    prop_oneof![
        6 => wait.prop_map(Step::Wait),
        30 => (0..APIS, prop_oneof![Just(0_u64), 0..200_u64, 0..90_000_u64], any::<bool>(), 0..60_u64, 0..90_u64)
            .prop_map(|(api, delay, odd, demand, takes)| Step::Request {
                api, delay, written: odd || delay > 0, demand, takes,
            }),
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
        1 => prop_oneof![Just(Step::Save), Just(Step::Restart)],
    ]
}

/// So many APIs, each with a quota of its own, share another.
const APIS: usize = 3;

/// A quota, and what the disk holds of it.
struct Kept {
    quota: Quota,
    disk: QuotaRecord,
    limits: Limits,
    /// As they are now.
    in_force: Limits,
    /// True times of all requests that were written.
    written: Vec<i64>,
    /// True times and numbers of tokens that were spent.
    spent: Vec<(i64, u64)>,
}

/// A request that is admitted and not yet written.
#[derive(Clone)]
struct UnderWay {
    at: i64,
    api: usize,
    own: Share,
    shared: Share,
    takes: u64,
}

/// A process that uses quotas, and the world around it.
struct World {
    /// Of each API, and the shared one last.
    kept: Vec<Kept>,
    reset: Reset,
    /// True time, in ms since the Unix epoch.
    time: i64,
    /// How far the machine's clock is off.
    clock_error: i64,
    /// True time of the process's start.
    started: i64,
    under_way: Vec<UnderWay>,
    most_under_way: u64,
}

impl World {
    fn new(own: Limits, shared: Limits, reset: Reset, time: i64) -> World {
        let now = Now { mono: 300_000_000, wall: time };
        let kept = |limits: Limits| Kept {
            quota: Quota::restore(limits, &reset, (None, false), now),
            disk: QuotaRecord::default(),
            limits,
            in_force: limits,
            written: Vec::new(),
            spent: Vec::new(),
        };
        let kept = (0..APIS).map(|_| kept(own)).chain([kept(shared)]).collect();
        World { kept, reset, time, clock_error: 0, started: time, under_way: Vec::new(), most_under_way: 1 }
    }

    fn now(&self) -> Now {
        Now { mono: 300_000_000 + (self.time - self.started) as u64, wall: self.time + self.clock_error }
    }

    /// The machine is never started anew.
    fn uptime(&self) -> Uptime {
        Uptime { boot: "the only one".to_owned(), ms: self.time as u64 / 10 * 10 }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Wait(ms) => self.wait(ms as i64),
            Step::Request { api, delay, written, demand, takes } => {
                self.request(api, demand, takes, written.then_some(delay as i64));
            }
            Step::Crash => self.start_anew(),
            Step::Restart => {
                // What is under way is cut off, and its account closed.
                for cut in std::mem::take(&mut self.under_way) {
                    self.settle(&cut, Some(0));
                }
                self.kept.iter_mut().for_each(|kept| kept.quota.release_grant());
                self.save();
                self.start_anew();
            }
            Step::Save => self.save(),
            Step::SetClock(error) => self.clock_error = error,
            Step::Reload(hundredths) => {
                let now = self.now();
                let scaled =
                    |limit: Limit| limit.bound().map_or(limit, |n| Limit::AtMost((n * hundredths / 100).max(1)));
                let first = &mut self.kept[0];
                let Limits { rpm, rpd, tpm, tpd, burst, .. } = first.limits;
                first.in_force = Limits {
                    rpm: scaled(rpm),
                    rpd: scaled(rpd),
                    tpm: scaled(tpm),
                    tpd: scaled(tpd),
                    burst,
                    ..first.limits
                };
                first.quota.reconfigure(first.in_force, &self.reset, now);
            }
        }
    }

    fn save(&mut self) {
        let (now, uptime) = (self.now(), self.uptime());
        for kept in &mut self.kept {
            kept.disk = kept.quota.record(now).marked(Some(uptime.clone()));
        }
    }

    fn wait(&mut self, ms: i64) {
        let until = self.time + ms;
        self.under_way.sort_by_key(|one| one.at);
        while let Some(one) = self.under_way.first().filter(|one| one.at <= until).cloned() {
            self.under_way.remove(0);
            self.time = self.time.max(one.at);
            self.write(&one);
        }
        self.time = until;
    }

    /// It is written, and answered at once.
    fn write(&mut self, one: &UnderWay) {
        let mono = self.now().mono;
        assert!(one.own.stamp.begin(mono));
        one.own.stamp.finish(mono);
        for i in [one.api, APIS] {
            self.kept[i].written.push(self.time);
            self.kept[i].spent.push((self.time, one.takes));
        }
        self.settle(one, Some(one.takes));
    }

    fn settle(&mut self, one: &UnderWay, tokens: Option<u64>) {
        let (now, spent) = (self.now(), Spent { counts: true, tokens });
        self.kept[one.api].quota.settle(&one.own, spent, now);
        self.kept[APIS].quota.settle(&one.shared, spent, now);
    }

    fn request(&mut self, api: usize, demand: u64, takes: u64, delay: Option<i64>) {
        let now = self.now();
        let both = [api, APIS];
        if both.iter().any(|i| self.kept[*i].quota.room(demand, now).is_err()) {
            return;
        }
        both.iter().for_each(|i| self.grant(*i, Some(demand)));
        let stamp = WriteStamp::default();
        let [own, shared] = both.map(|i| self.kept[i].quota.take(&stamp, demand));
        both.iter().for_each(|i| self.grant(*i, None));
        let one = UnderWay { at: self.time + delay.unwrap_or(0), api, own, shared, takes };
        match delay {
            None => self.settle(&one, None),
            Some(0) => self.write(&one),
            Some(_) => self.under_way.push(one),
        }
        self.most_under_way = self.most_under_way.max(self.under_way.len() as u64 + 1);
        both.iter().for_each(|i| self.check(*i));
    }

    /// The disk grants whatever is asked for.
    fn grant(&mut self, i: usize, needs: Option<u64>) {
        let (now, uptime) = (self.now(), self.uptime());
        let kept = &mut self.kept[i];
        if let Some((units, _, record)) = kept.quota.reserve(needs, now) {
            kept.disk = record.marked(Some(uptime));
            kept.quota.answered(Some(&Grant { units, shared: None }), now.mono);
        }
    }

    /// Whatever the limits were before: what was just admitted fits those in force.
    fn check(&self, i: usize) {
        let kept = &self.kept[i];
        let out = self.under_way.iter().filter(|one| i == APIS || one.api == i);
        let within = kept.written.iter().filter(|at| **at > self.time - 60_000).count() + out.count();
        assert!(kept.in_force.rpm.bound().is_none_or(|rpm| within as u64 <= rpm), "{within} in the last minute");
    }

    /// A process that is gone writes nothing any more.
    fn start_anew(&mut self) {
        self.under_way.clear();
        self.started = self.time;
        let (now, uptime) = (self.now(), self.uptime());
        for kept in &mut self.kept {
            let record = kept.disk.clone().by_the_clock_of(now, Some(&uptime));
            kept.quota = Quota::restore(kept.in_force, &self.reset, (Some(&record), false), now);
        }
    }
}

impl Kept {
    /// The most requests that any span of so many ms holds.
    fn most_within(&self, ms: i64) -> u64 {
        let holds = |from: &i64| self.written.iter().filter(|at| (*from..*from + ms).contains(at)).count();
        self.written.iter().map(holds).max().unwrap_or(0) as u64
    }

    /// The most requests that any civil day of the zone holds.
    fn most_a_day(&self, zone: &TimeZone) -> u64 {
        let date = |at: &i64| Timestamp::from_millisecond(*at).expect("in range").to_zoned(zone.clone()).date();
        let of = |day: &i64| self.written.iter().filter(|at| date(at) == date(day)).count();
        self.written.iter().map(of).max().unwrap_or(0) as u64
    }

    /// By how many tokens any run of minutes was over, at most, and the most tokens of one request.
    fn tokens_over(&self, tpm: u64) -> (u64, u64) {
        let one = self.spent.iter().map(|(_, tokens)| *tokens).max().unwrap_or(0);
        let over = |(i, (from, _)): (usize, &(i64, u64))| {
            let mut sum = 0;
            let later = self.spent.iter().skip(i).map(|(at, tokens)| {
                sum += tokens;
                let minutes = (at - from) as u64 / 60_000 + 1;
                sum.saturating_sub(tpm * minutes)
            });
            later.max().unwrap_or(0)
        };
        (self.spent.iter().enumerate().map(over).max().unwrap_or(0), one)
    }
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
        let crashes = steps.iter().any(|step| matches!(step, Step::Crash | Step::Restart));
        steps.iter().for_each(|step| world.run(step));
        for (i, kept) in world.kept.iter().enumerate() {
            let (limit, most) = (if i == APIS { shared } else { rpm }, kept.most_within(60_000));
            // While its limits are larger than they were first, more may pass: `check` judges each request by its own.
            prop_assert!(most <= limit || i == 0 && !unchanged(&steps), "{} in a minute", most);
            // A burst of seconds is not kept over a restart.
            prop_assert!(crashes || i == APIS || kept.most_within(5_000) <= burst, "{} in 5 s", kept.most_within(5_000));
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
