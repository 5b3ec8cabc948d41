//! Promises under any schedule of attempts, waits and reports, checked against a plain list of attempts and explicit waits:
//!
//! 1. Nobody goes before an explicit wait is over.
//! 2. No probe goes beside an unreported one younger than ten seconds.
//! 3. In panic mode an attempt goes within ten seconds of what was said explicitly.
//! 4. Every rest ends within the hour.
//!
//! `PROPTEST_CASES` sets the number of schedules.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::scope::{LONGEST_REST_MS, PROBE_EVERY_MS};
use super::*;
use crate::types::RouteId;

/// The process has run for some hours.
const BEGIN: u64 = 10 * LONGEST_REST_MS;

#[derive(Debug, Clone)]
enum Event {
    Pass(u64),
    Ask {
        panic: bool,
    },
    /// One of the open attempts begins to answer.
    Begin(usize),
    /// One of the open attempts ends.
    End(usize, Signal),
    /// The client of an open attempt leaves, without a report.
    Leave(usize),
    /// Another upstream served a request refused here.
    Confirm {
        which: usize,
        has_served: bool,
    },
}

fn signal() -> impl Strategy<Value = Signal> {
    let wait = proptest::option::of(select(vec![1_u64, 1_000, 5_000, 30_000, 4_000_000]));
    prop_oneof![
        3 => Just(Signal::Success { whole: true }),
        4 => Just(Signal::Failure),
        4 => (wait, any::<bool>()).prop_map(|(wait, of_model)| {
            Signal::Limited { wait: wait.map(std::time::Duration::from_millis), of_model }
        }),
        1 => any::<bool>().prop_map(|unpaid| Signal::KeyRefused { unpaid }),
        1 => Just(Signal::ModelRefused),
        1 => Just(Signal::Nothing),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let spans = vec![1_u64, 1, 100, 1_000, 5_000, 9_999, 10_000, 10_000, 30_000, 600_000, LONGEST_REST_MS];
    prop_oneof![
        20 => any::<bool>().prop_map(|panic| Event::Ask { panic }),
        14 => (0..6_usize, signal()).prop_map(|(which, signal)| Event::End(which, signal)),
        8 => select(spans).prop_map(Event::Pass),
        3 => (0..6_usize).prop_map(Event::Begin),
        2 => (0..6_usize).prop_map(Event::Leave),
        3 => (0..6_usize, any::<bool>()).prop_map(|(which, has_served)| Event::Confirm { which, has_served }),
    ]
}

/// An open attempt, or one whose client left without a report.
struct Out {
    sent: u64,
    /// Scopes whose rest the attempt probes.
    probes: Vec<Scope>,
    left: bool,
}

struct World {
    health: Health,
    model: Arc<str>,
    now: u64,
    out: Vec<Out>,
    /// Until when the upstream asked to be left alone.
    explicit_until: u64,
}

impl World {
    fn new() -> World {
        World { health: Health::default(), model: "m".into(), now: BEGIN, out: Vec::new(), explicit_until: 0 }
    }

    fn resting(&self) -> Vec<Scope> {
        let of = ModelRoute { model: &self.model, route: RouteId::new("chat/completions") };
        let scopes = self.health.common().into_iter().chain(self.health.of_model(of));
        scopes.filter(|(_, health)| health.rests_for().is_some()).map(|(scope, _)| scope).collect()
    }

    fn may_go(&self, panic: bool, now: u64) -> bool {
        let of = ModelRoute { model: &self.model, route: RouteId::new("chat/completions") };
        self.health.check(of, panic, now).is_ok()
    }

    fn ask(&mut self, panic: bool) {
        if !self.may_go(panic, self.now) {
            return;
        }
        assert!(self.now >= self.explicit_until, "1: it was asked to wait");
        let probes = self.resting();
        for other in &self.out {
            let same = other.probes.iter().any(|scope| probes.contains(scope));
            assert!(!same || self.now >= other.sent + PROBE_EVERY_MS, "2: two probes within ten seconds");
        }
        let (model, route) = (self.model.clone(), RouteId::new("chat/completions"));
        let is_probe = self.health.admit(ModelRoute { model: &model, route }, self.now);
        assert_eq!(is_probe, !probes.is_empty());
        self.out.push(Out { sent: self.now, probes, left: false });
    }

    /// Picks one of the attempts with a client, if there is any.
    fn pick(&self, which: usize) -> Option<usize> {
        let there: Vec<usize> = (0..self.out.len()).filter(|nth| !self.out[*nth].left).collect();
        which.checked_rem(there.len()).map(|which| there[which])
    }

    fn report<T>(&mut self, sent: u64, report: impl FnOnce(&mut Health, Reported<'_>) -> T) {
        let of = ModelRoute { model: &self.model, route: RouteId::new("chat/completions") };
        report(&mut self.health, Reported { of, times: Times { sent, now: self.now } });
        // A probe is one as long as the rest lasts.
        let resting = self.resting();
        self.out.iter_mut().for_each(|out| out.probes.retain(|scope| resting.contains(scope)));
    }

    fn end(&mut self, which: usize, signal: Signal) {
        let Out { sent, .. } = self.out.remove(which);
        let wait_ms = match signal {
            Signal::Limited { wait: Some(wait), .. } => (wait.as_millis() as u64).min(LONGEST_REST_MS),
            Signal::KeyRefused { unpaid: false } | Signal::ModelRefused => 600_000,
            Signal::KeyRefused { unpaid: true } => LONGEST_REST_MS,
            Signal::Limited { wait: None, .. } | Signal::Success { .. } | Signal::Failure | Signal::Nothing => 0,
        };
        self.explicit_until = self.explicit_until.max(self.now + wait_ms);
        let class = FailureClass::ServerError;
        self.report(sent, |health, report| health.failure(signal, class, report));
    }

    fn happens(&mut self, event: &Event) {
        match *event {
            Event::Pass(ms) => self.now += ms,
            Event::Ask { panic } => self.ask(panic),
            Event::Begin(which) => {
                if let Some(which) = self.pick(which) {
                    let sent = self.out[which].sent;
                    self.report(sent, |health, report| health.success(false, report));
                }
            }
            Event::End(which, signal) => {
                if let Some(which) = self.pick(which) {
                    self.end(which, signal);
                }
            }
            Event::Leave(which) => {
                if let Some(which) = self.pick(which) {
                    self.out[which].left = true;
                }
            }
            Event::Confirm { which, has_served } => {
                // The refusal may be some time ago.
                let sent = which.checked_rem(self.out.len()).map_or(self.now, |which| self.out[which].sent);
                self.report(sent, |health, report| {
                    health.confirmed(FailureClass::ModelNotFound, has_served, report).last()
                });
            }
        }
    }
}

fn schedules() -> ProptestConfig {
    match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig::with_cases(2_000),
    }
}

proptest! {
    #![proptest_config(schedules())]

    #[test]
    fn no_schedule_breaks_a_promise_of_health(events in proptest::collection::vec(event(), 120)) {
        let mut world = World::new();
        for event in &events {
            world.happens(event);
            let asked_again = world.now.max(world.explicit_until) + PROBE_EVERY_MS;
            assert!(world.may_go(true, asked_again), "3: the last one left is not asked");
            assert!(world.may_go(false, world.now + LONGEST_REST_MS), "4: a rest is longer than an hour");
        }
    }
}
