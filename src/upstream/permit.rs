//! The right to make one attempt, as a value.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quota::Demand;

use super::Endpoint;
use super::shared_state::{ConfirmedRefusal, SharedState, StreamOptions, UpstreamEvent};
use crate::quotas::{EventQueue, Urgency};
use crate::types::{Cost, Failure, FailureClass, Now, Outcome, Price, Profile, SentAt, Settlement, UsageSource};

/// An overshoot of less than this part of the tightest limit may be reported with the next batch.
const LAZY_OVERSHOOT: u64 = 50;

/// One admitted attempt, bound to an endpoint: counted against the quotas before the permit existed.
///
/// # Invariants
/// Settled exactly once: by [`Permit::settle`], or by the drop, as abandoned. The units of a request that was never written
/// are then given back.
#[derive(Debug)]
pub struct Permit {
    /// Set by the transport when the request is written.
    pub sent_at: SentAt,
    /// The proxy may ask for a stream's usage. The proxy clears the flag for a request without such a wish of its own.
    pub ask_usage: bool,
    shared: Arc<SharedState>,
    /// What is set aside, at most.
    demand: Demand,
    /// An overshoot of so many tokens or fewer may be reported later.
    lazy_overshoot: u64,
    /// The price of the model, if a quota counts money.
    price: Option<Price>,
    since: Instant,
    /// The moment of admission (ms, monotonic).
    admitted_at: u64,
    /// The probe of a rest: the answer decides whether others are admitted.
    is_probe: bool,
    /// The end may free a place for a waiting attempt.
    frees: bool,
    settled: bool,
}

/// What is set aside for an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReservedTokens {
    /// What the attempt may use, as far as is known.
    pub(super) demand: Demand,
    /// The tightest limit of tokens.
    pub(super) tightest: Option<u64>,
}

impl Permit {
    /// Creates the permit of an attempt admitted at `admitted_at` (ms, monotonic).
    pub(super) fn new(shared: Arc<SharedState>, reserved: ReservedTokens, sent_at: SentAt, admitted_at: u64) -> Self {
        Permit {
            sent_at,
            ask_usage: shared.stream_options() != StreamOptions::Refused,
            shared,
            demand: reserved.demand,
            lazy_overshoot: reserved.tightest.map_or(u64::MAX, |tightest| tightest / LAZY_OVERSHOOT),
            price: None,
            since: Instant::now(),
            admitted_at,
            is_probe: false,
            frees: false,
            settled: false,
        }
    }

    /// Marks an attempt admitted by the actor. `frees`: no fast path leads here, so others may wait for the end.
    pub(super) fn on_slow_path(mut self, is_probe: bool, frees: bool) -> Self {
        self.is_probe = is_probe;
        self.frees = frees;
        self
    }

    /// Sets the price of the model, if a quota of the attempt counts money.
    pub(super) fn at_price(mut self, price: Option<Price>) -> Self {
        self.price = price;
        self
    }

    /// Returns the state of the upstream.
    pub(super) fn shared(&self) -> &Arc<SharedState> {
        &self.shared
    }

    /// Returns where the attempt goes.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.shared.endpoint
    }

    /// Returns whether the attempt is the probe of a rest.
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// Returns the time since the attempt was admitted.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Reports an answer for the client. `is_streaming`: the end is still to come. `exhausted_for`: how long the upstream says
    /// to have nothing left.
    pub fn responded(&self, is_streaming: bool, exhausted_for: Option<Duration>) {
        let urgency = match exhausted_for {
            Some(_) => Urgency::Blocking,
            None if self.is_probe => Urgency::Immediate,
            None => Urgency::Lazy,
        };
        // The end of a finished answer decides the same.
        if is_streaming || exhausted_for.is_some() {
            let responded = UpstreamEvent::Responded { sent_at: self.sent_at.clone(), at: Now::read(), exhausted_for };
            self.shared.events.push(responded, urgency);
        }
    }

    /// Settles the attempt.
    pub fn settle(mut self, settlement: Settlement) {
        self.close(settlement);
    }

    /// Returns whether a refusal may be for the proxy's `stream_options`.
    pub fn doubts_stream_options(&self) -> bool {
        self.ask_usage && self.shared.stream_options() == StreamOptions::Unknown
    }

    /// Records that the upstream served the client's own bytes, after a refusal with `stream_options` added.
    pub fn refuse_stream_options(&self) {
        self.shared.refuse_stream_options();
    }

    /// Returns the suspicion of an uncertain refusal: only another upstream's answer can tell.
    pub fn suspicion(&self, failure: &Failure, profile: &Profile) -> Option<Suspicion> {
        let endpoint = &self.shared.endpoint;
        let model = endpoint.upstream_model(&profile.model).unwrap_or(&profile.model).clone();
        let refusal = || ConfirmedRefusal {
            endpoint_serial: endpoint.serial,
            model,
            route: profile.route,
            admitted_at: self.admitted_at,
            failure: failure.clone(),
        };
        let events = &self.shared.events;
        failure.needs_confirmation().then(|| Suspicion { events: events.clone(), refusal: refusal() })
    }

    fn close(&mut self, settlement: Settlement) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let reported = settlement.usage.filter(|usage| usage.source == UsageSource::Reported);
        if self.ask_usage && reported.is_some() {
            self.shared.accept_stream_options();
        }
        // A client's own mistake says nothing new of the upstream.
        let failed = settlement.failure().is_some_and(|failure| failure.class != FailureClass::Rejected);
        let counted = self.shared.endpoint.quirks.counted_tokens;
        let tokens = settlement.usage.and_then(|usage| usage.counted(counted)).unwrap_or_default();
        let overshoot = tokens.saturating_sub(self.demand.tokens);
        let known = self.price.zip(settlement.usage).and_then(|(price, usage)| price.known_cost(&usage));
        let cost = known.map_or(0, Cost::nanodollars);
        // An overshoot may fill a window.
        let urgency = if failed || overshoot > self.lazy_overshoot || cost > self.demand.cost {
            Urgency::Blocking
        } else if self.is_probe || self.frees {
            Urgency::Immediate
        } else {
            Urgency::Batched
        };
        self.shared.events.push(UpstreamEvent::Settled { sent_at: self.sent_at.clone(), settlement }, urgency);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.settled {
            self.close(Settlement::of(Outcome::Abandoned, self.elapsed()));
        }
    }
}

/// An uncertain refusal, maybe about the request itself. Such a refusal counts only when another upstream serves the same
/// request.
#[derive(Debug)]
pub struct Suspicion {
    events: Arc<EventQueue<UpstreamEvent>>,
    refusal: ConfirmedRefusal,
}

impl Suspicion {
    /// Returns whether the permit is for the refusing upstream.
    pub fn is_of(&self, permit: &Permit) -> bool {
        Arc::ptr_eq(&self.events, &permit.shared.events)
    }

    /// Reports that another upstream served the request.
    pub fn confirm(self) {
        self.events.push(UpstreamEvent::Confirmed(self.refusal), Urgency::Blocking);
    }
}
