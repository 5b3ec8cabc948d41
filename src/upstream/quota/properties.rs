//! No schedule of requests, delays, crashes, stops, clock steps and reloads puts more into a window than its limit.
//!
//! What is checked against is not written like the quota: a bare list of the true times at which requests were written,
//! counted window by window.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::types::Uptime;

#[derive(Debug, Clone)]
enum Step {
    /// Time goes on.
    Wait(u64),
    /// A request comes; once admitted it is written after `delay` ms, or not at all.
    Request { delay: u64, written: bool },
    /// `kill -9`, and a start.
    Crash,
    /// A clean stop, and a start.
    Restart,
    /// The counts are saved, as they are now and then.
    Save,
    /// Somebody sets the clock.
    SetClock(i64),
    /// The configuration is read again, with the same limits.
    Reload,
}

fn step(clock: bool) -> impl Strategy<Value = Step> {
    let wait = prop_oneof![0..50_u64, 0..5_000_u64, 0..70_000_u64, 0..40_000_000_u64];
    let hours: i64 = if clock { 30 * 3_600_000 } else { 0 };
    prop_oneof![
        6 => wait.prop_map(Step::Wait),
        30 => (prop_oneof![Just(0_u64), 0..200_u64, 0..90_000_u64], any::<bool>())
            .prop_map(|(delay, odd)| Step::Request { delay, written: odd || delay > 0 }),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
        2 => Just(Step::Save),
        1 => (-hours..=hours).prop_map(Step::SetClock),
        1 => Just(Step::Reload),
    ]
}

/// A process that uses a quota, and the world around it.
struct World {
    quota: Quota,
    limits: Limits,
    /// What the disk holds.
    disk: QuotaRecord,
    /// True time, in ms since the Unix epoch.
    time: i64,
    /// How far the machine's clock is off.
    clock_error: i64,
    /// True time of the process's start.
    started: i64,
    /// Admitted and not yet written: when that will be.
    under_way: Vec<(i64, WriteStamp)>,
    /// True times of all requests that were written.
    written: Vec<i64>,
}

impl World {
    fn new(limits: Limits, time: i64) -> World {
        let now = Now { mono: 300_000_000, wall: time };
        let quota = Quota::restore(limits.clone(), None, now);
        let (disk, written, under_way) = (QuotaRecord::default(), Vec::new(), Vec::new());
        World { quota, limits, disk, time, clock_error: 0, started: time, under_way, written }
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
            Step::Request { delay, written } => self.request(delay as i64, written),
            Step::Crash => self.start_anew(),
            Step::Restart => {
                // What is under way is cut off, and its account closed.
                for (_, stamp) in std::mem::take(&mut self.under_way) {
                    self.quota.settle(&stamp, self.now());
                }
                self.quota.release_grant();
                self.disk = self.quota.record(self.now()).marked(Some(self.uptime()));
                self.start_anew();
            }
            Step::Save => self.disk = self.quota.record(self.now()).marked(Some(self.uptime())),
            Step::SetClock(error) => self.clock_error = error,
            Step::Reload => self.quota.reconfigure(self.limits.clone(), self.now()),
        }
    }

    fn wait(&mut self, ms: i64) {
        let until = self.time + ms;
        self.under_way.sort_by_key(|(at, _)| *at);
        while let Some((at, stamp)) = self.under_way.first().filter(|(at, _)| *at <= until).cloned() {
            self.under_way.remove(0);
            self.time = self.time.max(at);
            self.write(&stamp);
        }
        self.time = until;
    }

    fn write(&mut self, stamp: &WriteStamp) {
        stamp.begin();
        stamp.finish(self.now().mono);
        self.written.push(self.time);
    }

    fn request(&mut self, delay: i64, written: bool) {
        let stamp = loop {
            match self.quota.admit(self.now()) {
                Admission::Admitted(stamp) => break stamp,
                Admission::Refused(_) => return,
                Admission::NeedsGrant => {
                    let now = self.now();
                    let record = self.quota.reserve(true, now).expect("a grant that is used up is wanted");
                    self.disk = record.marked(Some(self.uptime()));
                    self.quota.reserved(true);
                }
            }
        };
        match (written, delay) {
            (false, _) => self.quota.settle(&stamp, self.now()),
            (true, 0) => self.write(&stamp),
            (true, _) => self.under_way.push((self.time + delay, stamp)),
        }
    }

    /// A process that is gone writes nothing any more.
    fn start_anew(&mut self) {
        self.under_way.clear();
        self.started = self.time;
        let record = self.disk.clone().by_the_clock_of(self.now(), Some(&self.uptime()));
        self.quota = Quota::restore(self.limits.clone(), Some(&record), self.now());
    }

    /// The most that any span of so many ms holds.
    fn most_within(&self, ms: i64) -> usize {
        let holds = |from: &i64| self.written.iter().filter(|at| (*from..*from + ms).contains(at)).count();
        self.written.iter().map(holds).max().unwrap_or(0)
    }

    /// The most that any civil day of the zone holds.
    fn most_a_day(&self, zone: &TimeZone) -> usize {
        let date = |at: &i64| Timestamp::from_millisecond(*at).expect("in range").to_zoned(zone.clone()).date();
        let of = |day: &i64| self.written.iter().filter(|at| date(at) == date(day)).count();
        self.written.iter().map(of).max().unwrap_or(0)
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_minute_and_no_burst_is_ever_over(
        steps in prop::collection::vec(step(true), 1..300),
        (rpm, burst) in (1..130_u32, 1..20_u32),
        start in beginnings(),
    ) {
        let limits = Limits {
            rpm: Limit::AtMost(rpm),
            rpd: Limit::Unlimited,
            reset: Reset::Midnight(TimeZone::UTC),
            burst: Some(Burst { requests: burst, span_ms: 5_000 }),
        };
        let mut world = World::new(limits, start);
        let crashes = steps.iter().any(|step| matches!(step, Step::Crash | Step::Restart));
        steps.iter().for_each(|step| world.run(step));
        prop_assert!(world.most_within(60_000) <= rpm as usize, "{} in a minute", world.most_within(60_000));
        // A burst of seconds is not kept over a restart.
        prop_assert!(crashes || world.most_within(5_000) <= burst as usize, "{} in 5 s", world.most_within(5_000));
    }

    #[test]
    fn no_day_is_ever_over_whatever_its_length(
        steps in prop::collection::vec(step(false), 1..300),
        rpd in 1..150_u32,
        name in zones(),
        start in beginnings(),
    ) {
        let reset = Reset::Midnight(zone(name));
        let limits = Limits { rpm: Limit::Unlimited, rpd: Limit::AtMost(rpd), reset, burst: None };
        let mut world = World::new(limits, start);
        steps.iter().for_each(|step| world.run(step));
        let most = world.most_a_day(&zone(name));
        prop_assert!(most <= rpd as usize, "{most} in a day");
    }

    #[test]
    fn no_24_hours_are_ever_over_even_if_the_clock_is_set(
        steps in prop::collection::vec(step(true), 1..300),
        rpd in 1..150_u32,
        start in beginnings(),
    ) {
        let limits = Limits { rpm: Limit::Unlimited, rpd: Limit::AtMost(rpd), reset: Reset::Rolling, burst: None };
        let mut world = World::new(limits, start);
        steps.iter().for_each(|step| world.run(step));
        let most = world.most_within(86_400_000);
        prop_assert!(most <= rpd as usize, "{most} in 24 hours");
    }
}
