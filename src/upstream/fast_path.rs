//! The short way to a permit: taken on the client's own thread, without a message to anybody.
//!
//! 1. A fast path stands for one upstream and one model. A fast path admits only where the actor would.
//! 2. Its units were issued by the quotas before, so no limit is passed.
//! 3. The actor decides all else: a probe, a quota with nothing issued, a store to wait for.
//! 4. The back-offs of the model are part of the data. A change makes a new fast path, and the old one only asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quota::{Demand, Measure, TakeError};

use super::health::ModelBackoff;
use super::permit::{Permit, ReservedTokens};
use super::shared_state::{AdmissionMode, CreditsByQuota, ModelCredits, SharedState, UpstreamEvent};
use crate::quotas::Urgency;
use crate::types::{Now, Price, Profile, SentAt};

/// The short way to one upstream for one model.
#[derive(Debug)]
pub struct FastPath {
    pub(super) shared: Arc<SharedState>,
    pub(super) credits: Arc<ModelCredits>,
    /// The price of the model, if a quota counts money.
    price: Option<Price>,
    /// The back-offs of the model, by route.
    backoffs: Vec<ModelBackoff>,
    /// Another fast path has taken the place of this one.
    superseded: AtomicBool,
}

impl FastPath {
    /// Creates the fast path to a model of the upstream with this state.
    pub(super) fn new(shared: Arc<SharedState>, credits: ModelCredits, backoffs: Vec<ModelBackoff>) -> FastPath {
        let counts_cost = credits.credits.iter().flatten().any(|one| one.measure() == Measure::Cost);
        let price = if counts_cost { shared.endpoint.prices.price(&credits.model) } else { None };
        FastPath { shared, credits: Arc::new(credits), price, backoffs, superseded: AtomicBool::new(false) }
    }

    /// Returns whether the fast path is in force, and has this state, these credits and these back-offs.
    pub(super) fn matches(
        &self,
        shared: &Arc<SharedState>,
        credits: &CreditsByQuota,
        backoffs: &[ModelBackoff],
    ) -> bool {
        let in_force = !self.superseded.load(Ordering::Relaxed) && Arc::ptr_eq(&self.shared, shared);
        let same_quotas = self.credits.credits.iter().zip(credits).all(|(one, other)| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        });
        in_force && same_quotas && self.backoffs == backoffs
    }

    /// Returns whether a worker may still use the fast path, or events of one that did are queued.
    pub(super) fn is_in_use(self: &Arc<Self>) -> bool {
        // Both counts include the actor's own.
        Arc::strong_count(self) > 1 || Arc::strong_count(&self.credits) > 1
    }

    /// Sends every further attempt to the actor, unless the back-offs are still these.
    pub(super) fn supersede_unless(&self, backoffs: &[ModelBackoff]) {
        if self.backoffs != backoffs {
            self.superseded.store(true, Ordering::Release);
        }
    }

    /// Admits an attempt.
    ///
    /// # Errors
    /// When the attempt can't be admitted here: whether to ask the actor instead.
    pub fn try_admit(&self, profile: &Profile, now: Now) -> Result<Permit, TakeError> {
        self.may_admit(profile, now.mono)?;
        let counted = self.shared.endpoint.quirks.counted_tokens;
        let expected = self.shared.expected_completion();
        let cost = self.price.map_or(0, |price| price.estimate(profile.estimate, expected).nanodollars());
        let demand = Demand { tokens: profile.estimate.tokens(expected, counted), cost };
        let mut begin_by = u64::MAX;
        for (quotas, credits) in self.credits.credits.iter().enumerate() {
            match credits.as_ref().map_or(Ok(u64::MAX), |credits| credits.take(demand, now.mono)) {
                Ok(by) => begin_by = begin_by.min(by),
                Err(why) => {
                    self.refund(quotas, demand, why);
                    return Err(why);
                }
            }
        }
        let sent_at = SentAt::to_begin_by(begin_by);
        let admitted = UpstreamEvent::Admitted {
            credits: self.credits.clone(),
            route: profile.route,
            sent_at: sent_at.clone(),
            demand,
            admitted_at: now.mono,
        };
        self.shared.events.push(admitted, Urgency::Lazy);
        let of_tokens = self.credits.credits.iter().flatten().filter(|one| one.measure() == Measure::Tokens);
        let tightest = of_tokens.filter_map(|one| one.tightest_tokens()).min();
        let reserved = ReservedTokens { demand, tightest };
        Ok(Permit::new(self.shared.clone(), reserved, sent_at, now.mono).at_price(self.price))
    }

    /// Returns whether the upstream's health leaves the admission to a worker.
    fn may_admit(&self, profile: &Profile, now: u64) -> Result<(), TakeError> {
        // No credits are taken for a free request.
        if profile.route.is_free() {
            return Err(TakeError::AskActor);
        }
        let ask_from = |from: u64| Err(if from <= now { TakeError::AskActor } else { TakeError::Exhausted });
        if let AdmissionMode::AskActorFrom(from) = self.shared.admission() {
            return ask_from(from);
        }
        if self.superseded.load(Ordering::Acquire) {
            return Err(TakeError::AskActor);
        }
        let by_route = self.backoffs.iter().filter(|backoff| backoff.route == profile.route);
        by_route.map(|backoff| backoff.open_from).max().map_or(Ok(()), ask_from)
    }

    /// Reports that the first quotas had room, and the next had none. Only the actor can put units back: the quotas may have
    /// called in the issued ones.
    fn refund(&self, quotas: usize, demand: Demand, why: TakeError) {
        // An actor that is asked next applies the event then.
        let urgency = if why == TakeError::AskActor { Urgency::Lazy } else { Urgency::Batched };
        if self.credits.credits.iter().take(quotas).any(Option::is_some) {
            let refunded = UpstreamEvent::Refunded { credits: self.credits.clone(), count: quotas, demand };
            self.shared.events.push(refunded, urgency);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::quotas::EventQueue;
    use crate::types::RouteId;
    use crate::types::{
        Failure, FailureClass, Outcome, ParameterSet, Phase, Settlement, TokenEstimate, Usage, UsageSource,
    };
    use crate::upstream::Endpoint;
    use crate::upstream::testing::{actor, entry};

    fn open() -> Arc<FastPath> {
        with_backoffs(Vec::new())
    }

    fn with_backoffs(backoffs: Vec<ModelBackoff>) -> Arc<FastPath> {
        let (events, _) = EventQueue::new(actor());
        let shared = SharedState::new(Arc::new(Endpoint::new(&entry("a"))), events);
        shared.publish_state(AdmissionMode::Local);
        let credits = ModelCredits { model: "m".into(), credits: CreditsByQuota::default() };
        Arc::new(FastPath::new(Arc::new(shared), credits, backoffs))
    }

    fn failure() -> Failure {
        Failure::new(FailureClass::ServerError, Phase::Head, "")
    }

    fn failed(failure: Failure) -> Settlement {
        Settlement::of(Outcome::Failed(failure), Duration::ZERO)
    }

    /// Served, at the cost of so many tokens.
    fn served(total: u64) -> Settlement {
        let usage = Usage::new(0, total, total, UsageSource::Reported);
        Settlement { usage: Some(usage), ..Settlement::of(Outcome::Completed, Duration::ZERO) }
    }

    fn permit(fast_path: &FastPath) -> Permit {
        // Of a hundred tokens, two more than were foreseen may be reported later.
        let reserved = ReservedTokens { demand: Demand::of_tokens(10), tightest: Some(100) };
        Permit::new(fast_path.shared.clone(), reserved, SentAt::to_begin_by(u64::MAX), 1)
    }

    fn profile() -> Profile {
        Profile {
            model: "m".into(),
            route: RouteId::new("chat/completions"),
            estimate: TokenEstimate::default(),
            session: None,
            parameters: ParameterSet::NONE,
            apis: None,
        }
    }

    /// Says why the fast path does not admit an attempt, if so.
    fn refusal(fast_path: &Arc<FastPath>) -> Option<TakeError> {
        fast_path.try_admit(&profile(), Now::read()).err()
    }

    #[test]
    fn events_that_change_the_state_block_the_fast_path_and_others_do_not() {
        const MINUTE: Duration = Duration::from_secs(60);
        type Report = fn(Permit);
        let events: [(&str, bool, Report); 8] = [
            ("an answer that has begun", false, |permit| permit.responded(true, None)),
            ("an answer that reaches a limit", true, |permit| permit.responded(true, Some(MINUTE))),
            ("a success", false, |permit| permit.settle(served(12))),
            ("a success without a fast path", false, |permit| permit.on_slow_path(false, true).settle(served(12))),
            ("a success that took more than was foreseen", true, |permit| permit.settle(served(13))),
            ("a failure", true, |permit| permit.settle(failed(failure()))),
            ("a client's mistake", false, |permit| {
                permit.settle(failed(Failure { class: FailureClass::Rejected, ..failure() }));
            }),
            ("a refusal that another upstream's answer confirms", true, |permit| {
                let refused = Failure { class: FailureClass::ModelNotFound, status: Some(404), ..failure() };
                permit.suspicion(&refused, &profile()).expect("it may be about the request").confirm();
            }),
        ];
        for (what, blocks, report) in events {
            let fast_path = open();
            report(permit(&fast_path));
            assert_eq!(refusal(&fast_path), blocks.then_some(TakeError::AskActor), "{what}");
        }
    }

    #[test]
    fn the_fast_path_opens_when_the_actor_has_applied_all_blocking_events() {
        let fast_path = open();
        permit(&fast_path).settle(failed(failure()));
        let events = &fast_path.shared.events;
        let pending = events.pending_blocking();
        permit(&fast_path).settle(failed(failure()));
        events.applied(pending);
        assert_eq!(refusal(&fast_path), Some(TakeError::AskActor), "another failed while the actor applied the first");
        events.applied(events.pending_blocking());
        assert_eq!(refusal(&fast_path), None);
    }

    #[test]
    fn a_model_that_backs_off_by_a_route_is_not_asked_for_by_that_route_alone() {
        let backoff = |route, open_from| ModelBackoff { route, open_from, reason: FailureClass::ModelNotFound };
        for (route, open_from, refused) in [
            (RouteId::new("chat/completions"), u64::MAX, Some(TakeError::Exhausted)),
            (RouteId::new("chat/completions"), 0, Some(TakeError::AskActor)),
            (RouteId::new("embeddings"), u64::MAX, None),
        ] {
            assert_eq!(refusal(&with_backoffs(vec![backoff(route, open_from)])), refused, "{route} {open_from}");
        }
        let fast_path = open();
        fast_path.supersede_unless(&[]);
        assert_eq!(refusal(&fast_path), None);
        fast_path.supersede_unless(&[backoff(RouteId::new("embeddings"), 0)]);
        assert_eq!(refusal(&fast_path), Some(TakeError::AskActor), "another one has its place");
        assert!(!fast_path.matches(&fast_path.shared, &CreditsByQuota::default(), &[]));
    }

    #[test]
    fn stream_options_are_doubted_until_a_stream_has_reported_its_usage() {
        let fast_path = open();
        assert!(permit(&fast_path).doubts_stream_options());
        permit(&fast_path).refuse_stream_options();
        assert!(!permit(&fast_path).ask_usage, "they were refused");
        let fast_path = open();
        permit(&fast_path).settle(served(1));
        permit(&fast_path).refuse_stream_options();
        assert!(
            permit(&fast_path).ask_usage && !permit(&fast_path).doubts_stream_options(),
            "they were accepted before"
        );
    }
}
