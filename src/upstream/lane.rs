//! The short way to a permit: taken on the thread that serves the client, with no message to anybody.
//!
//! A lane stands for one upstream and one model. Its door says whether the upstream may be asked at all; its allowances are
//! those of the quotas that an attempt counts in. Whatever a lane can't decide (a probe, a quota that has nothing open, a
//! store to wait for) its actor does: a lane refuses nothing for good, and admits nothing that the actor would not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use quota::{Credits, TakeError};

use super::inbox::{Haste, Inbox, News};
use super::{Endpoint, Permit};
use crate::types::{Now, Operation, Profile, SentAt};

/// What the workers know of an upstream's state: a hint, kept by its actor. A changed configuration makes a new one.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) inbox: Arc<Inbox>,
    /// See [`Way`].
    way: AtomicU64,
    /// How often it refused `stream_options`, and did not take them since.
    refusals: AtomicU8,
    /// Tokens of an answer, as long as its request bounds none.
    typical_completion: AtomicU64,
}

/// So many refusals of `stream_options` are believed without a proof: where a limit leaves no room for the same request without.
const BELIEVED: u8 = 3;

/// Which way an attempt has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Through the lane.
    Open,
    /// To the actor, from this moment on (ms, monotonic); nowhere before.
    AskFrom(u64),
}

impl Door {
    /// Shut until the actor opens it.
    pub(super) fn new(endpoint: Arc<Endpoint>, inbox: Arc<Inbox>) -> Door {
        let way = AtomicU64::new(Self::packed(Way::AskFrom(0)));
        Door { endpoint, inbox, way, refusals: AtomicU8::new(0), typical_completion: AtomicU64::new(0) }
    }

    fn packed(way: Way) -> u64 {
        match way {
            Way::Open => 0,
            Way::AskFrom(from) => from.max(1),
        }
    }

    /// Sets the way. (What is unchanged is not written: each write takes the line away from every worker's cache.)
    pub(super) fn set(&self, way: Way) {
        let way = Self::packed(way);
        if self.way.load(Ordering::Relaxed) != way {
            self.way.store(way, Ordering::Release);
        }
    }

    /// Sets the tokens of an answer whose request bounds none.
    pub(super) fn expect(&self, completion: u64) {
        if self.typical_completion.load(Ordering::Relaxed) != completion {
            self.typical_completion.store(completion, Ordering::Relaxed);
        }
    }

    /// May the proxy ask for a stream's usage?
    pub(super) fn ask_usage(&self) -> bool {
        self.refusals.load(Ordering::Relaxed) < BELIEVED
    }

    /// It took `stream_options`.
    pub(super) fn usage_told(&self) {
        if self.refusals.load(Ordering::Relaxed) > 0 && self.ask_usage() {
            self.refusals.store(0, Ordering::Relaxed);
        }
    }

    /// It refused them. `proven`: it takes the same request without.
    pub(super) fn usage_refused(&self, proven: bool) {
        let more = if proven { BELIEVED } else { 1 };
        let before = self.refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| Some(n.saturating_add(more)));
        if before.is_ok_and(|before| before < BELIEVED && before.saturating_add(more) >= BELIEVED) {
            log::warn!("{}: does not take stream_options; usage of its streams is estimated", self.endpoint.api);
        }
    }

    fn way(&self) -> Way {
        if self.inbox.pressing() > 0 {
            return Way::AskFrom(0);
        }
        match self.way.load(Ordering::Acquire) {
            0 => Way::Open,
            from => Way::AskFrom(from),
        }
    }
}

/// The short way to one upstream for one model.
#[derive(Debug)]
pub struct Lane {
    pub(super) door: Arc<Door>,
    /// By the upstream's own name.
    pub(super) model: Arc<str>,
    pub(super) allowances: Allowances,
    /// Until when the model rests, for each operation (ms, monotonic).
    rests_until: [AtomicU64; Operation::ALL.len()],
}

/// Of the quotas that an attempt counts in, in their order; `None` for one that bounds nothing, and behind the last. There are four
/// at most: an API's, its group's, and those of the model in both.
pub(super) type Allowances = [Option<Arc<Credits>>; 4];

impl Lane {
    /// The lane behind a door to a model.
    pub(super) fn new(door: Arc<Door>, model: Arc<str>, allowances: Allowances) -> Lane {
        Lane { door, model, allowances, rests_until: Default::default() }
    }

    /// Does it lead behind this door, and take from these?
    pub(super) fn leads(&self, door: &Arc<Door>, allowances: &Allowances) -> bool {
        let place = |allowance: &Option<Arc<Credits>>| allowance.as_ref().map(Arc::as_ptr);
        Arc::ptr_eq(&self.door, door) && self.allowances.each_ref().map(place) == allowances.each_ref().map(place)
    }

    /// The upstream does not serve the model so: nobody need try before this moment (ms, monotonic).
    pub(super) fn rest(&self, of: Operation, until: u64) {
        self.rests_until.get(of as usize).into_iter().for_each(|rest| rest.store(until, Ordering::Release));
    }

    /// A permit for an attempt, or whom to ask instead.
    ///
    /// # Errors
    /// When it can't be admitted here.
    pub fn take(self: &Arc<Self>, profile: &Profile, now: Now) -> Result<Permit, TakeError> {
        match self.door.way() {
            Way::Open => {}
            Way::AskFrom(from) if from <= now.mono => return Err(TakeError::AskActor),
            Way::AskFrom(_) => return Err(TakeError::Exhausted),
        }
        let of = profile.operation;
        if self.rests_until.get(of as usize).is_some_and(|until| until.load(Ordering::Acquire) > now.mono) {
            return Err(TakeError::Exhausted);
        }
        let demand = profile.demand.tokens(self.door.typical_completion.load(Ordering::Relaxed));
        let mut begin_by = u64::MAX;
        for (quotas, allowance) in self.allowances.iter().enumerate() {
            match allowance.as_ref().map_or(Ok(u64::MAX), |allowance| allowance.take(demand, now.mono)) {
                Ok(by) => begin_by = begin_by.min(by),
                Err(why) => {
                    self.give_back((quotas, demand), why);
                    return Err(why);
                }
            }
        }
        let inbox = &self.door.inbox;
        let stamp = SentAt::to_begin_by(begin_by);
        inbox.tell(News::Began { lane: self.clone(), of, stamp: stamp.clone(), demand }, Haste::None);
        let tightest = self.allowances.iter().flatten().filter_map(|allowance| allowance.tightest_tokens()).min();
        Ok(Permit::new(self.door.clone(), (demand, tightest), stamp))
    }

    /// The first quotas had room, and the next had none. (Their open units may have been called in since: only the actor can
    /// put them back.)
    fn give_back(self: &Arc<Self>, (quotas, demand): (usize, u64), why: TakeError) {
        // Who is to be asked hears it then.
        let haste = if why == TakeError::AskActor { Haste::None } else { Haste::Soon };
        if self.allowances.iter().take(quotas).any(Option::is_some) {
            self.door.inbox.tell(News::Returned { lane: self.clone(), quotas, demand }, haste);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use actix::prelude::*;

    use super::*;
    use crate::types::{Demand, Failure, FailureClass, Outcome, Phase, Settlement, Usage, UsageSource};
    use crate::upstream::an_entry;
    use crate::upstream::state::Sent;

    fn open_lane() -> Arc<Lane> {
        let (inbox, _) = Inbox::new(Context::new().address());
        let door = Door::new(Arc::new(Endpoint::new(&an_entry())), inbox);
        door.set(Way::Open);
        Arc::new(Lane::new(Arc::new(door), "m".into(), Allowances::default()))
    }

    fn failure() -> Failure {
        Failure::new(FailureClass::ServerError, Phase::Head, "")
    }

    fn failed(failure: Failure) -> Settlement {
        Settlement::of(Outcome::Failed(failure), Duration::ZERO)
    }

    /// Served, at the cost of so many tokens.
    fn served(total: u64) -> Settlement {
        let usage = Usage { prompt: 0, completion: total, total, source: UsageSource::Reported };
        Settlement { usage: Some(usage), ..Settlement::of(Outcome::Completed, Duration::ZERO) }
    }

    fn permit(lane: &Lane) -> Permit {
        // Of a hundred tokens, two more than were foreseen may be told later.
        Permit::new(lane.door.clone(), (10, Some(100)), SentAt::to_begin_by(u64::MAX))
    }

    fn asks(lane: &Arc<Lane>) -> bool {
        let profile = Profile { model: "m".into(), operation: Operation::ChatCompletions, demand: Demand::default() };
        match lane.take(&profile, Now::read()) {
            Ok(_) => false,
            Err(TakeError::AskActor) => true,
            Err(TakeError::Exhausted) => panic!("neither open, nor is there anybody to ask"),
        }
    }

    #[test]
    fn what_changes_an_upstreams_state_shuts_its_door_and_all_else_does_not() {
        const MINUTE: Duration = Duration::from_secs(60);
        type Tell = fn(Permit);
        let news: [(&str, bool, Tell); 8] = [
            ("an answer", false, |permit| permit.answered(true, None)),
            ("one with which a limit is reached", true, |permit| permit.answered(true, Some(MINUTE))),
            ("a success", false, |permit| permit.settle(served(12))),
            ("one without a lane", false, |permit| permit.on_terms(None, Sent::default()).settle(served(12))),
            ("a success that took more than was foreseen", true, |permit| permit.settle(served(13))),
            ("a failure", true, |permit| permit.settle(failed(failure()))),
            ("a mistake of a caller's", false, |permit| {
                permit.settle(failed(Failure { class: FailureClass::Rejected, ..failure() }));
            }),
            ("a failure that was blamed on the request", true, |permit| permit.witness(failure()).testify()),
        ];
        for (what, shuts, tell) in news {
            let lane = open_lane();
            tell(permit(&lane));
            assert_eq!(asks(&lane), shuts, "{what}");
        }
    }

    #[test]
    fn the_door_opens_when_its_actor_has_acted_on_all_that_pressed() {
        let lane = open_lane();
        permit(&lane).settle(failed(failure()));
        let inbox = &lane.door.inbox;
        let taken_up = inbox.pressing();
        permit(&lane).settle(failed(failure()));
        inbox.acted_on(taken_up);
        assert!(asks(&lane), "another failed while the actor acted on the first");
        inbox.acted_on(inbox.pressing());
        assert!(!asks(&lane), "the actor left the door open");
    }
}
