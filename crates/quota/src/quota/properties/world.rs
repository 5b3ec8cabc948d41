//! A process that uses quotas, and the world around, with a count of its own.

use clock::Uptime;

use super::super::*;
use super::tracked::Tracked;
use super::workers::Taken;
use crate::limits::Limit;
use crate::records::{Grant, QuotaRecord};

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Time passes (ms).
    Wait(u64),
    /// A request. After admission comes the write, in `delay` ms or never.
    Request { call: Call, delay: u64, written: bool },
    /// A request admitted by a worker with issued credits. The quotas learn of it later.
    OnWorker { call: Call, delay: u64 },
    /// `kill -9`, and a start.
    Crash,
    /// A clean stop, and a start.
    Restart,
    /// The counts are saved, as happens now and then.
    Save,
    /// Somebody sets the clock, to so many ms off the true time.
    SetClock(i64),
    /// The configuration is read again. The limits of the first API are now this percentage of the original ones.
    Reload(u64),
}

/// A request for one of the APIs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) api: usize,
    /// The estimate of the tokens.
    pub(super) demand: u64,
    /// The tokens in truth.
    pub(super) uses: u64,
}

impl Call {
    /// Returns the demand of as many tokens as nano-dollars: a quota counts either.
    pub(super) fn demand(&self) -> Demand {
        Demand { tokens: self.demand, cost: self.demand }
    }
}

/// The monotonic clock at the start of a process (ms): what happened a month before has a place.
pub(super) const FIRST_MONO: u64 = 40_000_000_000;

/// The number of APIs. Each has a quota of its own, and all share another.
pub(super) const APIS: usize = 3;

/// An admitted attempt, not written yet.
#[derive(Clone)]
pub(super) struct Admitted {
    /// The true time of the write.
    pub(super) at: i64,
    pub(super) call: Call,
    pub(super) own: Reservation,
    pub(super) shared: Reservation,
}

/// A process with quotas, and the world around.
pub(super) struct World {
    /// The quota of each API, and the shared one last.
    pub(super) quotas: Vec<Tracked>,
    pub(super) reset: Reset,
    /// True time, in ms since the Unix epoch.
    pub(super) time: i64,
    /// How far the machine's clock is off.
    pub(super) clock_error: i64,
    /// True time of the process's start.
    pub(super) started: i64,
    pub(super) under_way: Vec<Admitted>,
    pub(super) most_under_way: u64,
    /// The credits known to workers since an API's last request: of the own quota, and of the shared one.
    pub(super) known_credits: Vec<Option<[Arc<Credits>; 2]>>,
    pub(super) taken: Vec<Taken>,
}

impl World {
    pub(super) fn new(own: Limits, shared: Limits, reset: Reset, time: i64) -> World {
        let now = Now { mono: FIRST_MONO, wall: time };
        let tracked = |limits: Limits| Tracked {
            quota: Quota::new(limits, &reset, false, now),
            disk: QuotaRecord::default(),
            limits,
            in_force: limits,
            written: Vec::new(),
            used: Vec::new(),
        };
        let quotas = (0..APIS).map(|_| tracked(own)).chain([tracked(shared)]).collect();
        World {
            quotas,
            reset,
            time,
            clock_error: 0,
            started: time,
            under_way: Vec::new(),
            most_under_way: 1,
            known_credits: vec![None; APIS],
            taken: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: FIRST_MONO + (self.time - self.started) as u64, wall: self.time + self.clock_error }
    }

    /// Returns the machine's uptime. The machine never restarts.
    fn uptime(&self) -> Uptime {
        Uptime { boot: "the only one".to_owned(), ms: self.time as u64 / 10 * 10 }
    }

    pub(super) fn run(&mut self, step: &Step) {
        match *step {
            Step::OnWorker { call, delay } => return self.admit_on_worker(call, delay as i64),
            // Nobody looks at the quotas.
            Step::Wait(ms) if self.under_way.iter().all(|one| one.at > self.time + ms as i64) => {
                self.let_time_pass(self.time + ms as i64);
                return (0..=APIS).for_each(|i| self.check_summary(i));
            }
            // What the workers took is never reported.
            Step::Crash => self.taken.clear(),
            Step::Wait(_) | Step::Request { .. } | Step::Restart | Step::Save | Step::SetClock(_) | Step::Reload(_) => {
            }
        }
        self.quotas.iter_mut().for_each(|tracked| tracked.quota.reclaim());
        // New limits come before the quotas know what workers took under the old ones.
        if let Step::Reload(percent) = *step {
            self.reload(percent);
        }
        self.drain();
        self.look(step);
        let now = self.now();
        self.quotas.iter_mut().for_each(|tracked| tracked.quota.issue(now));
        (0..=APIS).for_each(|i| self.check_summary(i));
    }

    fn look(&mut self, step: &Step) {
        match *step {
            Step::OnWorker { .. } | Step::Reload(_) => {}
            Step::Wait(ms) => self.wait(ms as i64),
            Step::Request { call, delay, written } => self.request(call, written.then_some(delay as i64)),
            Step::Crash => self.start_process(),
            Step::Restart => {
                // Attempts under way are cut off and settled.
                for cut in std::mem::take(&mut self.under_way) {
                    self.settle(&cut, Some(0));
                }
                self.quotas.iter_mut().for_each(|tracked| tracked.quota.release_grant());
                self.save();
                self.start_process();
            }
            Step::Save => self.save(),
            Step::SetClock(error) => self.clock_error = error,
        }
    }

    fn reload(&mut self, percent: u64) {
        let now = self.now();
        let scaled = |limit: Limit| limit.bound().map_or(limit, |n| Limit::AtMost((n * percent / 100).max(1)));
        let first = &mut self.quotas[0];
        let Limits { rpm, rpd, tpm, tpd, .. } = first.limits;
        first.in_force =
            Limits { rpm: scaled(rpm), rpd: scaled(rpd), tpm: scaled(tpm), tpd: scaled(tpd), ..first.limits };
        first.quota.reconfigure(first.in_force, &self.reset, now);
    }

    fn save(&mut self) {
        let (now, uptime) = (self.now(), self.uptime());
        for tracked in &mut self.quotas {
            tracked.disk = tracked.quota.record(now).marked(Some(uptime.clone()));
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

    /// Writes an attempt's request, with an answer at once.
    fn write(&mut self, one: &Admitted) {
        let mono = self.now().mono;
        assert!(one.own.sent_at.begin(mono));
        one.own.sent_at.finish(mono);
        for i in [one.call.api, APIS] {
            self.quotas[i].written.push(self.time);
            self.quotas[i].used.push((self.time, one.call.uses));
        }
        self.settle(one, Some(one.call.uses));
    }

    pub(super) fn settle(&mut self, one: &Admitted, tokens: Option<u64>) {
        let (now, actual) = (self.now(), ActualUsage { counts: true, tokens, cost: tokens });
        self.quotas[one.call.api].quota.settle(&one.own, actual, now);
        self.quotas[APIS].quota.settle(&one.shared, actual, now);
    }

    fn request(&mut self, call: Call, delay: Option<i64>) {
        let (api, demand, uses) = (call.api, call.demand(), call.uses);
        let now = self.now();
        let both = [api, APIS];
        if both.iter().any(|i| self.quotas[*i].quota.room(demand, now).is_err()) {
            return;
        }
        both.iter().for_each(|i| self.grant(*i, Some(Need { demand, waiting: uses % 5 })));
        let sent_at = SentAt::default();
        let [own, shared] = both.map(|i| self.quotas[i].quota.reserve(&sent_at, demand));
        both.iter().for_each(|i| self.grant(*i, None));
        let credits = both.map(|i| self.quotas[i].quota.credits().cloned());
        self.known_credits[api] = match credits {
            [Some(own), Some(shared)] => Some([own, shared]),
            _ => None,
        };
        let one = Admitted { at: self.time + delay.unwrap_or(0), call, own, shared };
        match delay {
            None => self.settle(&one, None),
            Some(0) => self.write(&one),
            Some(_) => self.under_way.push(one),
        }
        self.most_under_way = self.most_under_way.max(self.under_way.len() as u64 + 1);
        both.iter().for_each(|i| self.check(*i));
    }

    /// Grants whatever is asked for, as a disk does.
    fn grant(&mut self, i: usize, need: Option<Need>) {
        let (now, uptime) = (self.now(), self.uptime());
        let tracked = &mut self.quotas[i];
        if let Some(GrantRequest { wanted: units, record, .. }) = tracked.quota.request_grant(need, now) {
            tracked.disk = record.marked(Some(uptime));
            tracked.quota.record_grant(Some(&Grant { units, shared: None }));
        }
    }

    /// Checks the last minute against the limits in force, whatever the limits were before.
    pub(super) fn check(&self, i: usize) {
        let (tracked, within) = (&self.quotas[i], self.in_last_minute(i));
        assert!(tracked.in_force.rpm.bound().is_none_or(|rpm| within <= rpm), "{within} in the last minute");
        self.check_pace(i);
    }

    /// Checks the summary: clients must never see more than is truly left.
    pub(super) fn check_summary(&self, i: usize) {
        let (tracked, within) = (&self.quotas[i], self.in_last_minute(i));
        let Some(rpm) = tracked.in_force.rpm.bound() else { return };
        let summary = tracked.quota.credits().and_then(|credits| credits.summary(self.now().mono)).expect("a limit");
        assert!(summary.remaining <= rpm.saturating_sub(within), "{summary:?}, and {within} in the last minute");
    }

    /// Returns the requests of the last minute, with the ones under way.
    fn in_last_minute(&self, i: usize) -> u64 {
        let written = self.quotas[i].written.iter().filter(|at| **at > self.time - 60_000).count();
        written as u64 + self.unwritten(i)
    }

    /// Returns the requests under way, known to the quota or not.
    pub(super) fn unwritten(&self, i: usize) -> u64 {
        let concerns = |api: usize| i == APIS || api == i;
        let under_way = self.under_way.iter().filter(|one| concerns(one.call.api)).count();
        let unknown =
            self.taken.iter().filter(|taken| concerns(taken.call.api)).filter_map(|taken| taken.attempt.as_ref());
        let unwritten = unknown.filter(|attempt| attempt.sent_at.read() == SendProgress::NotStarted).count();
        (under_way + unwritten) as u64
    }

    /// Starts a new process with what is on disk. The old one writes nothing any more.
    fn start_process(&mut self) {
        self.under_way.clear();
        self.known_credits = vec![None; APIS];
        self.started = self.time;
        let (now, uptime) = (self.now(), self.uptime());
        for tracked in &mut self.quotas {
            let record = tracked.disk.clone().by_the_clock_of(now, Some(&uptime));
            tracked.quota = Quota::new(tracked.in_force, &self.reset, false, now);
            tracked.quota.add(&record, now);
        }
    }
}
