//! A process that uses quotas, and the world around it, which keeps count in its own way.

use clock::Uptime;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::*;
use super::elsewhere::News;
use crate::credits::Allowance;
use crate::limits::Limit;
use crate::records::Grant;

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Time goes on.
    Wait(u64),
    /// A request comes to one of the APIs; once admitted it is written after `delay` ms, or not at all. It takes so many
    /// tokens, of which so many were foreseen.
    Request { api: usize, delay: u64, written: bool, demand: u64, takes: u64 },
    /// One comes that is admitted elsewhere, from what the quotas have opened; they hear of it when they are looked at next.
    Elsewhere { api: usize, delay: u64, demand: u64, takes: u64 },
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

/// So many APIs, each with a quota of its own, share another.
pub(super) const APIS: usize = 3;

/// A quota, and what the disk holds of it.
pub(super) struct Kept {
    pub(super) quota: Quota,
    pub(super) disk: QuotaRecord,
    pub(super) limits: Limits,
    /// As they are now.
    pub(super) in_force: Limits,
    /// True times of all requests that were written.
    pub(super) written: Vec<i64>,
    /// True times and numbers of tokens that were spent.
    pub(super) spent: Vec<(i64, u64)>,
}

/// A request that is admitted and not yet written.
#[derive(Clone)]
pub(super) struct UnderWay {
    pub(super) at: i64,
    pub(super) api: usize,
    pub(super) own: Share,
    pub(super) shared: Share,
    pub(super) takes: u64,
}

/// A process that uses quotas, and the world around it.
pub(super) struct World {
    /// Of each API, and the shared one last.
    pub(super) kept: Vec<Kept>,
    pub(super) reset: Reset,
    /// True time, in ms since the Unix epoch.
    pub(super) time: i64,
    /// How far the machine's clock is off.
    pub(super) clock_error: i64,
    /// True time of the process's start.
    pub(super) started: i64,
    pub(super) under_way: Vec<UnderWay>,
    pub(super) most_under_way: u64,
    /// What is known elsewhere of the allowances, of each API's own quota and of the shared one, since its last request.
    pub(super) known: Vec<Option<[Arc<Allowance>; 2]>>,
    pub(super) news: Vec<News>,
}

impl World {
    pub(super) fn new(own: Limits, shared: Limits, reset: Reset, time: i64) -> World {
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
        World {
            kept,
            reset,
            time,
            clock_error: 0,
            started: time,
            under_way: Vec::new(),
            most_under_way: 1,
            known: vec![None; APIS],
            news: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: 300_000_000 + (self.time - self.started) as u64, wall: self.time + self.clock_error }
    }

    /// The machine is never started anew.
    pub(super) fn uptime(&self) -> Uptime {
        Uptime { boot: "the only one".to_owned(), ms: self.time as u64 / 10 * 10 }
    }

    pub(super) fn run(&mut self, step: &Step) {
        match *step {
            Step::Elsewhere { api, delay, demand, takes } => {
                return self.take_elsewhere(api, (demand, takes), delay as i64);
            }
            // Nobody looks.
            Step::Wait(ms) if self.under_way.iter().all(|one| one.at > self.time + ms as i64) => {
                return self.time_passes(self.time + ms as i64);
            }
            // What was not heard is never heard.
            Step::Crash => self.news.clear(),
            Step::Wait(_) | Step::Request { .. } | Step::Restart | Step::Save | Step::SetClock(_) | Step::Reload(_) => {
            }
        }
        self.kept.iter_mut().for_each(|kept| kept.quota.call_in());
        self.hear();
        self.look(step);
        let now = self.now();
        self.kept.iter_mut().for_each(|kept| kept.quota.open(now));
    }

    fn look(&mut self, step: &Step) {
        match *step {
            Step::Elsewhere { .. } => {}
            Step::Wait(ms) => self.wait(ms as i64),
            Step::Request { api, delay, written, demand, takes } => {
                self.request(api, (demand, takes), written.then_some(delay as i64));
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

    pub(super) fn save(&mut self) {
        let (now, uptime) = (self.now(), self.uptime());
        for kept in &mut self.kept {
            kept.disk = kept.quota.record(now).marked(Some(uptime.clone()));
        }
    }

    pub(super) fn wait(&mut self, ms: i64) {
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
    pub(super) fn write(&mut self, one: &UnderWay) {
        let mono = self.now().mono;
        assert!(one.own.stamp.begin(mono));
        one.own.stamp.finish(mono);
        for i in [one.api, APIS] {
            self.kept[i].written.push(self.time);
            self.kept[i].spent.push((self.time, one.takes));
        }
        self.settle(one, Some(one.takes));
    }

    pub(super) fn settle(&mut self, one: &UnderWay, tokens: Option<u64>) {
        let (now, spent) = (self.now(), Spent { counts: true, tokens });
        self.kept[one.api].quota.settle(&one.own, spent, now);
        self.kept[APIS].quota.settle(&one.shared, spent, now);
    }

    pub(super) fn request(&mut self, api: usize, (demand, takes): (u64, u64), delay: Option<i64>) {
        let now = self.now();
        let both = [api, APIS];
        if both.iter().any(|i| self.kept[*i].quota.room(demand, now).is_err()) {
            return;
        }
        both.iter().for_each(|i| self.grant(*i, Some((demand, takes % 5))));
        let stamp = SentAt::default();
        let [own, shared] = both.map(|i| self.kept[i].quota.take(&stamp, demand));
        both.iter().for_each(|i| self.grant(*i, None));
        let open = both.map(|i| self.kept[i].quota.allowance().cloned());
        self.known[api] = match open {
            [Some(own), Some(shared)] => Some([own, shared]),
            _ => None,
        };
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
    pub(super) fn grant(&mut self, i: usize, needs: Option<(u64, u64)>) {
        let (now, uptime) = (self.now(), self.uptime());
        let kept = &mut self.kept[i];
        if let Some(Draw { wanted: units, record, .. }) = kept.quota.reserve(needs, now) {
            kept.disk = record.marked(Some(uptime));
            kept.quota.answered(Some(&Grant { units, shared: None }));
        }
    }

    /// Whatever the limits were before: what was just admitted fits those in force.
    pub(super) fn check(&self, i: usize) {
        let kept = &self.kept[i];
        let out = self.under_way.iter().filter(|one| i == APIS || one.api == i).count();
        let unheard =
            self.news.iter().filter(|news| i == APIS || news.api == i).filter_map(|news| news.attempt.as_ref());
        let out = out + unheard.filter(|(stamp, ..)| stamp.read() == SendProgress::NotStarted).count();
        let within = kept.written.iter().filter(|at| **at > self.time - 60_000).count() + out;
        assert!(kept.in_force.rpm.bound().is_none_or(|rpm| within as u64 <= rpm), "{within} in the last minute");
    }

    /// A process that is gone writes nothing any more.
    pub(super) fn start_anew(&mut self) {
        self.under_way.clear();
        self.known = vec![None; APIS];
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
    pub(super) fn most_within(&self, ms: i64) -> u64 {
        let holds = |from: &i64| self.written.iter().filter(|at| (*from..*from + ms).contains(at)).count();
        self.written.iter().map(holds).max().unwrap_or(0) as u64
    }

    /// The most requests that any civil day of the zone holds.
    pub(super) fn most_a_day(&self, zone: &TimeZone) -> u64 {
        let date = |at: &i64| Timestamp::from_millisecond(*at).expect("in range").to_zoned(zone.clone()).date();
        let of = |day: &i64| self.written.iter().filter(|at| date(at) == date(day)).count();
        self.written.iter().map(of).max().unwrap_or(0) as u64
    }

    /// By how many tokens any run of minutes was over, at most, and the most tokens of one request.
    pub(super) fn tokens_over(&self, tpm: u64) -> (u64, u64) {
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
