//! The single writer of one upstream's facts: wiring between messages, the store and [`UpstreamState`].

mod drain;
mod fast_paths;
mod reports;
mod steering;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use jiff::tz::TimeZone;
use quota::{ActualUsage, Demand, Reservation};
use tokio::sync::oneshot;

use self::drain::Unsaved;
pub use self::steering::{RestUntil, TryAgain};
use super::endpoint::Endpoint;
use super::fast_path::FastPath;
use super::health::ModelRoute;
use super::messages::{Declined, Forward, Forwarded, Reconfigure, Refusal, Retire};
use super::permit::{Permit, ReservedTokens};
use super::shared_state::{AdmissionMode, SharedState, UpstreamEvent};
use super::state::{Subject, UpstreamState};
use crate::config::ApiConfig;
use crate::mailbox::{ActorKind, Context, LaunchActor, LivesInMailbox};
use crate::persistence::{PersistenceActor, RestoreTokens};
use crate::quotas::{
    Admission, ApiQuotas, AppliesEvents, OwnedEvents, QuotaHandle, QuotaRegistry, QuotaStatus, admit, join_later,
};
use crate::types::{Now, Price, RouteId, TokenStats};

/// Owns one upstream.
pub struct UpstreamActor {
    state: UpstreamState,
    persistence: Addr<PersistenceActor>,
    registry: QuotaRegistry,
    quotas: ApiQuotas,
    /// The knowledge of the workers.
    shared: Arc<SharedState>,
    events: OwnedEvents<UpstreamEvent>,
    /// Fast paths in use, with the quotas they stand for.
    fast_paths: Vec<(Arc<FastPath>, Rc<[QuotaHandle]>)>,
    /// Of the back-offs in the fast paths.
    published_backoffs: u64,
    /// Admitted attempts that are not settled, by [`SentAt::id`](crate::types::SentAt::id).
    out: BTreeMap<usize, Attempt>,
    /// Attempts in wait for a store, first come first served.
    waiting: VecDeque<WaitingAttempt>,
    /// What changed and is not sent to the store yet.
    unsaved: Unsaved,
}

/// An open attempt, with reservations of the quotas.
struct Attempt {
    /// By the upstream's own name.
    model: Arc<str>,
    route: RouteId,
    quotas: Rc<[QuotaHandle]>,
    reservations: Vec<Reservation>,
    demand: Demand,
    /// ms, monotonic.
    admitted_at: u64,
    /// In force at the admission: the end says nothing of a later one.
    shared: Arc<SharedState>,
}

impl Attempt {
    /// Counts in these quotas of the upstream as well, as far as they are others.
    fn join(&mut self, in_force: &mut ApiQuotas, registry: &QuotaRegistry, now: Now) {
        if !self.quotas.is_empty() && !in_force.are(&self.model, &self.quotas) {
            let in_force = in_force.for_model(&self.model, registry);
            join_later((&mut self.quotas, &mut self.reservations), &in_force, self.demand, now);
        }
    }

    /// Returns the subject of a report at `now`.
    fn subject(&self, now: Now) -> Subject<'_> {
        Subject { of: ModelRoute { model: &self.model, route: self.route }, admitted_at: self.admitted_at, now }
    }
}

struct WaitingAttempt {
    asked: Forward,
    reply: oneshot::Sender<Result<Forwarded, Declined>>,
}

impl UpstreamActor {
    /// Starts the actor of a configured API on the current arbiter. The saved counts are restored before any admission.
    pub fn start(config: Arc<ApiConfig>, persistence: Addr<PersistenceActor>, registry: QuotaRegistry) -> Addr<Self> {
        UpstreamActor::launch_with(|ctx| {
            let events = OwnedEvents::new(ctx.address().recipient());
            UpstreamActor {
                shared: Arc::new(SharedState::new(Arc::new(Endpoint::new(&config)), events.queue.clone())),
                events,
                fast_paths: Vec::new(),
                published_backoffs: 0,
                quotas: registry.open_for(&config),
                state: UpstreamState::restore(config, TimeZone::system(), TokenStats::default(), Now::read()),
                persistence,
                registry,
                out: BTreeMap::new(),
                waiting: VecDeque::new(),
                unsaved: Unsaved::default(),
            }
        })
    }

    /// Admits, refuses, or (`None`) must wait for a store.
    fn decide(&mut self, asked: &Forward, ctx: &mut Context<Self>) -> Option<Result<Forwarded, Declined>> {
        let now = Now::read();
        let profile = &asked.profile;
        let model = self.shared.endpoint.upstream_model(&profile.model).unwrap_or(&profile.model).clone();
        let of = ModelRoute { model: &model, route: profile.route };
        let quotas =
            if profile.route.is_free() { Rc::default() } else { self.quotas.for_model(&model, &self.registry) };
        if let Err(refusal) = self.state.may_serve(of, asked.panic, now) {
            return Some(Err(Declined { refusal, fast_path: self.fast_path(&model, &quotas) }));
        }
        let price = price(&self.shared, &quotas, &model);
        let demand = self.state.demand(profile.estimate, price);
        match admit(&quotas, demand, self.waiting.len() + 1, now) {
            Admission::Admitted { sent_at, reservations } => {
                let is_probe = self.state.admitted(of, now);
                let fast_path = self.fast_path(&model, &quotas);
                let reserved =
                    ReservedTokens { demand, tightest: quotas.iter().filter_map(QuotaHandle::tightest_tokens).min() };
                let shared = self.shared.clone();
                let id = sent_at.id();
                let permit = Permit::new(shared.clone(), reserved, sent_at, now.mono).at_price(price);
                let attempt = Attempt {
                    model,
                    route: profile.route,
                    quotas,
                    reservations,
                    demand,
                    admitted_at: now.mono,
                    shared,
                };
                self.out.insert(id, attempt);
                // Without a fast path, an attempt's end may free what another one waits for.
                let frees = fast_path.is_none() && !profile.route.is_free();
                let permit = permit.on_slow_path(is_probe, frees);
                Some(Ok(Forwarded { permit, fast_path }))
            }
            Admission::Refused(no_room) => {
                Some(Err(Declined { refusal: no_room.into(), fast_path: self.fast_path(&model, &quotas) }))
            }
            Admission::Wait(answered) => {
                let then = answered.into_actor(self).map(|_, actor, ctx| {
                    actor.drain_events();
                    actor.serve_waiting(ctx);
                    actor.publish_state();
                });
                ctx.spawn(then);
                None
            }
        }
    }

    fn serve_waiting(&mut self, ctx: &mut Context<Self>) {
        while let Some(waiting) = self.waiting.pop_front() {
            // Without a client any more, the permit gives itself back.
            match self.decide(&waiting.asked, ctx) {
                Some(reply) => drop(waiting.reply.send(reply)),
                None => {
                    self.waiting.push_front(waiting);
                    return;
                }
            }
        }
    }

    fn quotas(&self, now: Now) -> Vec<QuotaStatus> {
        self.quotas.each().into_iter().map(|(model, quota)| quota.status(model, now)).collect()
    }
}

impl LivesInMailbox for UpstreamActor {
    const KIND: ActorKind = ActorKind::Upstream;
}

/// Returns the price of a model, by the upstream's own name, if one of the quotas counts money.
fn price(shared: &SharedState, quotas: &[QuotaHandle], model: &str) -> Option<Price> {
    if quotas.iter().any(QuotaHandle::counts_cost) { shared.endpoint.prices.price(model) } else { None }
}

impl Actor for UpstreamActor {
    type Context = Context<Self>;

    /// The mailbox waits until the saved statistics are there.
    fn started(&mut self, ctx: &mut Self::Context) {
        self.persistence
            .send(RestoreTokens(self.state.config.ledger.clone()))
            .into_actor(self)
            .map(|saved, actor, _| {
                let config = actor.state.config.clone();
                actor.state =
                    UpstreamState::restore(config, TimeZone::system(), saved.unwrap_or_default(), Now::read());
                actor.publish_state();
            })
            .wait(ctx);
    }
}

impl Drop for UpstreamActor {
    /// After a defect, no worker admits any more, and nobody will settle the open attempts.
    fn drop(&mut self) {
        self.shared.publish_state(AdmissionMode::AskActorFrom(0));
        let now = Now::read();
        let unknown = ActualUsage { counts: true, tokens: None, cost: None };
        for Attempt { quotas, reservations, .. } in self.out.values() {
            quotas.iter().zip(reservations).for_each(|(quota, reservation)| quota.settle(reservation, unknown, now));
        }
    }
}

impl Handler<Forward> for UpstreamActor {
    type Result = ActorResponse<Self, Result<Forwarded, Declined>>;

    fn handle(&mut self, asked: Forward, ctx: &mut Self::Context) -> Self::Result {
        self.drain_events();
        let decided = if self.waiting.is_empty() { self.decide(&asked, ctx) } else { None };
        let Some(decided) = decided else {
            let (reply, answer) = oneshot::channel();
            self.waiting.push_back(WaitingAttempt { asked, reply });
            self.publish_state();
            let retiring = Declined { refusal: Refusal::Retiring, fast_path: None };
            let answer = async { answer.await.unwrap_or(Err(retiring)) };
            return ActorResponse::r#async(answer.into_actor(self));
        };
        self.publish_state();
        ActorResponse::reply(decided)
    }
}

impl Handler<Reconfigure> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, Reconfigure(config): Reconfigure, _: &mut Self::Context) {
        self.drain_events();
        self.quotas = self.registry.open_for(&config);
        let now = Now::read();
        self.out.values_mut().for_each(|attempt| attempt.join(&mut self.quotas, &self.registry, now));
        if self.state.reconfigure(config) {
            self.renew_shared();
        }
        self.publish_state();
    }
}

impl Handler<Retire> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, _: Retire, _: &mut Self::Context) {
        self.drain_events();
        self.save();
        self.state.retire();
        self.publish_state();
    }
}

#[cfg(test)]
mod tests;
