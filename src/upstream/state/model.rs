//! No sequence of answers, failures, hang-ups, waits and reloads keeps an upstream out of the pool for good, lets anybody to one that
//! told us to wait, or puts two attempts to one test. What is checked against is a list of what was told, and of who is out.

use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::types::{Blame, Failure, LimitSpan, Phase};
use crate::upstream::an_entry;

mod cases;

const HOUR: u64 = 3_600_000;
const BEGIN: u64 = 10 * HOUR;
/// When a day's limit begins anew.
const DAY_ENDS: u64 = BEGIN + 2 * HOUR;

#[derive(Debug, Clone)]
enum Event {
    Wait(u64),
    /// Be it as the last resort.
    Ask(bool),
    /// One of those that are out is answered; nothing is left for so many seconds.
    Answer(usize, Option<u64>),
    End(usize, Outcome),
    /// Against one that failed as its request had before; else, that something did so long ago.
    Testify(usize, FailureClass, u64),
    /// The file was read again, and the entry is the same.
    Reload,
    Change,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use FailureClass::{
        Overloaded, PaymentRequired, RateLimited, Rejected, ServerError, StaleConnection, Timeout, Unauthorized,
    };
    let classes = vec![
        RateLimited,
        RateLimited,
        ServerError,
        ServerError,
        Timeout,
        Overloaded,
        Unauthorized,
        PaymentRequired,
        Rejected,
        StaleConnection,
    ];
    let told = proptest::option::of(select(vec![1_u64, 5, 30, 4_000]));
    let limit = proptest::option::weighted(0.2, select(vec![LimitSpan::Minute, LimitSpan::Day]));
    let failed = (select(classes), told, limit, any::<bool>()).prop_map(|(class, told, limit, doubt)| {
        let failure =
            Failure { retry_after: told.map(Duration::from_secs), limit, ..Failure::new(class, Phase::Head, "") };
        let doubtful = matches!(class, FailureClass::Unauthorized | FailureClass::PaymentRequired) && doubt;
        let blame = match (doubtful, failure.blame) {
            (true, _) => Blame::Unclear,
            (false, Blame::Unclear) if doubt => Blame::Request,
            (false, blame) => blame,
        };
        Outcome::Failed(Failure { blame, ..failure })
    });
    prop_oneof![3 => Just(Outcome::Completed), 8 => failed, 1 => Just(Outcome::ClientClosed), 1 => Just(Outcome::Abandoned)]
}

fn event() -> impl Strategy<Value = Event> {
    let spans = vec![1_u64, 1_000, 5_000, 10_000, 10_000, 30_000, 600_000, HOUR];
    let told = vec![FailureClass::ServerError, FailureClass::Timeout, FailureClass::Unauthorized];
    prop_oneof![
        20 => any::<bool>().prop_map(Event::Ask),
        14 => (0..6_usize, outcome()).prop_map(|(which, outcome)| Event::End(which, outcome)),
        8 => select(spans).prop_map(Event::Wait),
        3 => (0..6_usize, proptest::option::weighted(0.3, select(vec![1_u64, 20])))
            .prop_map(|(which, closed)| Event::Answer(which, closed)),
        2 => (0..6_usize, select(told), 0..20_000_u64).prop_map(|(which, class, ago)| Event::Testify(which, class, ago)),
        1 => Just(Event::Reload),
        1 => Just(Event::Change),
    ]
}

/// One that is out.
struct Out {
    sent: Sent,
    since: u64,
    /// The entry it was made with.
    entry: usize,
}

struct World {
    state: State,
    now: u64,
    entry: usize,
    /// Is anybody asked as the last resort? Then any number may go where a key's refusal is but a guess, and another beside a slow probe.
    last_resorts: bool,
    out: Vec<Out>,
    /// What failed as its request had before, when, and with which entry.
    witnesses: Vec<(Failure, u64, Sent, usize)>,
    /// Until when the upstream told us to wait: for a limit, and for its key.
    limit: u64,
    key: u64,
}

/// An entry of the configuration, the nth.
fn config(nth: usize) -> Arc<ApiConfig> {
    static FIRST: LazyLock<Arc<ApiConfig>> = LazyLock::new(an_entry);
    Arc::new(ApiConfig { name: nth.to_string(), ..(**FIRST).clone() })
}

impl World {
    fn new(last_resorts: bool) -> World {
        let state = State::restore(config(0), TimeZone::UTC, TokenStats::default(), Now { mono: BEGIN, wall: 0 });
        let (out, witnesses) = (Vec::new(), Vec::new());
        World { state, now: BEGIN, entry: 0, last_resorts, out, witnesses, limit: 0, key: 0 }
    }

    fn now(&self) -> Now {
        Now { mono: self.now, wall: 0 }
    }

    fn serves(&self, last_resort: bool) -> bool {
        self.state.may_serve(("m", Operation::ChatCompletions), last_resort, self.now()).is_ok()
    }

    fn ask(&mut self, last_resort: bool) {
        let (entry, since) = (self.entry, self.now);
        let last_resort = last_resort && self.last_resorts;
        if self.state.way(self.now()) == Way::Open {
            let sent = self.state.joined();
            return self.out.push(Out { sent, since, entry });
        }
        if !self.serves(last_resort) {
            return;
        }
        assert!(self.now >= self.limit.max(self.key), "it told us to wait");
        let sent = self.state.admitted(self.now());
        let alike = |out: &Out| {
            sent.wait.is_some() && sent.wait == out.sent.wait || sent.health.probe && sent.health == out.sent.health
        };
        let same = self.out.iter().any(|out| out.entry == entry && alike(out));
        assert!(self.last_resorts || !same, "two find out the same");
        self.out.push(Out { sent, since, entry });
    }

    fn end(&mut self, which: usize, outcome: &Outcome) {
        let Some(which) = which.checked_rem(self.out.len()) else { return };
        let Out { sent, since, entry, .. } = self.out.remove(which);
        let settlement = Settlement::of(outcome.clone(), Duration::from_millis(self.now - since));
        self.state.left(&settlement, self.now());
        if entry != self.entry {
            return;
        }
        if let Some(failure) = settlement.failure() {
            self.is_told(failure);
            if failure.blame == Blame::Request {
                self.witnesses.push((failure.clone(), self.now, sent, entry));
            }
        }
        self.state.judge(&settlement, Ending { sent, now: self.now() }, || DAY_ENDS);
    }

    fn is_told(&mut self, failure: &Failure) {
        let told = failure.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(HOUR));
        let wait = match (failure.class, failure.limit) {
            (FailureClass::RateLimited, Some(LimitSpan::Day)) => {
                Some(DAY_ENDS.saturating_sub(self.now).clamp(1_000, HOUR))
            }
            (FailureClass::RateLimited, Some(LimitSpan::Minute)) => told.map(|told| told.min(60_000)),
            (FailureClass::RateLimited, None) | (FailureClass::Overloaded, _) => told,
            _ => None,
        };
        self.limit = self.limit.max(wait.map_or(0, |wait| self.now + wait));
        let key = match (failure.class, failure.blame) {
            (FailureClass::Unauthorized, Blame::Upstream) => 600_000,
            (FailureClass::PaymentRequired, Blame::Upstream) => HOUR,
            _ => return,
        };
        self.key = self.key.max(self.now + key);
    }

    fn answer(&mut self, which: usize, closed: Option<u64>) {
        let now = self.now();
        let Some(which) = which.checked_rem(self.out.len()) else { return };
        let Some(out) = self.out.get_mut(which).filter(|out| out.entry == self.entry) else { return };
        self.state.answered((out.sent.answered(), now), closed.map(Duration::from_secs));
        self.limit = self.limit.max(closed.map_or(0, |closed| now.mono + closed * 1_000));
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Wait(ms) => self.now += ms,
            Event::Ask(last_resort) => self.ask(*last_resort),
            Event::Answer(which, closed) => self.answer(*which, *closed),
            Event::End(which, outcome) => self.end(*which, outcome),
            Event::Testify(which, class, ago) => {
                let invented = || (Failure::new(*class, Phase::Head, ""), self.now - ago, Sent::default(), self.entry);
                let witness = which.checked_rem(self.witnesses.len()).map(|which| self.witnesses.remove(which));
                let (failure, at, sent, entry) = witness.unwrap_or_else(invented);
                let failure = Failure { blame: Blame::Unclear, ..failure };
                let sent = sent.is_probe().then_some(sent);
                if entry == self.entry {
                    self.state.testified((&failure, at), (sent, self.now()), || DAY_ENDS);
                }
            }
            Event::Reload => {
                self.state.reconfigure(self.state.config.clone());
                self.key = 0;
            }
            Event::Change => {
                self.entry += 1;
                self.state.reconfigure(config(self.entry));
                (self.limit, self.key) = (0, 0);
            }
        }
    }

    fn all_end(&mut self) {
        while !self.out.is_empty() {
            self.end(0, &Outcome::Abandoned);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_kept_out_for_good_and_nobody_goes_where_we_were_told_to_wait(
        events in proptest::collection::vec(event(), 1..150),
        last_resorts: bool,
    ) {
        let mut world = World::new(last_resorts);
        events.iter().for_each(|event| world.happens(event));
        let last = world.now;
        world.now = world.limit.max(world.key).max(last + 10_000);
        assert!(world.serves(true), "the last one left is asked: {:?}", world.state.health(world.now()));
        world.now = last;
        world.all_end();
        assert_eq!(world.state.in_flight, 0);
        world.now = last + HOUR;
        assert!(world.serves(false), "every rest has an end: {:?}", world.state.health(world.now()));
    }
}
