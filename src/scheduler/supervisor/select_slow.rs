//! The selections that no worker decides alone: on a first request, without credits, after a failure, in wait for a limit.
//!
//! 1. A new request may overtake waiting ones only to upstreams that none of them may use.
//! 2. A refused request waits if a limit is the reason, the limit may free in time, and the queue has room.
//! 3. While requests wait, selections are made for them every [`TRIAL_INTERVAL`]: a slot may come free at any time, by a
//!    refund, the end of an answer or a new configuration.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use futures_util::FutureExt;
use futures_util::future::ready;
use quota::PoolLimits;
use tokio::sync::oneshot;

use super::{MAX_MODELS, SupervisorActor};
use crate::mailbox::Context;
use crate::scheduler::messages::{AdmissionError, Select};
use crate::scheduler::selection::{ChosenUpstream, Selection};
use crate::scheduler::slow_path::{SelectSlow, Selected};
use crate::scheduler::snapshot::Member;
use crate::scheduler::wait_queue::{Allowed, Trial, Waiter};
use crate::types::{ApiId, ModelKey, Now, ParameterSet, Profile, RequestTarget};
use crate::upstream::Refusal;

/// The time between two trials of the requests that wait.
const TRIAL_INTERVAL: Duration = Duration::from_millis(10);

impl SupervisorActor {
    /// Returns the selection among the allowed upstreams of a model, `first` of all this one.
    ///
    /// # Errors
    /// When no upstream is known to serve the model.
    fn selection(
        &self,
        profile: Profile,
        allowed: &Allowed,
        first: Option<ApiId>,
    ) -> Result<Selection, AdmissionError> {
        let snapshot = self.snapshot.clone();
        let tiers = snapshot.routes.tiers(profile.route.format(), &profile.model);
        if tiers.is_empty() {
            return Err(self.not_found(&profile));
        }
        let unfit = snapshot.unfit(&tiers, &profile, |api| allowed.allows(api));
        // The worker may know an older routing.
        let slot_of = |api: ApiId| snapshot.members.iter().position(|member| member.api == api);
        let is_of_model = |first: &usize| tiers.slots().any(|slot| slot == *first) && !unfit.contains(first);
        let first = first.and_then(slot_of).filter(is_of_model);
        let is_skipped = |(slot, member): (usize, &Member)| unfit.contains(&slot) || !allowed.allows(&member.api);
        let skipped = snapshot.members.iter().enumerate().map(is_skipped).collect();
        Ok(Selection { snapshot: snapshot.clone(), tiers, profile, first, skipped, may_panic: true })
    }

    /// Returns the error for a model that no upstream is known to serve. An upstream without a list of models may serve it:
    /// the client is to try again.
    fn not_found(&self, profile: &Profile) -> AdmissionError {
        let ModelKey { format, model } = &profile.key();
        let offering = self.apis.iter().filter(|api| api.offers(*format) && profile.may_use(&api.id));
        let unlisted = offering.filter_map(|api| {
            let why = self.unlisted.get(&api.id).map(|(class, _)| *class);
            Some((api.id.clone(), Refusal::ModelsUnknown { until: self.models_at(api)?, why }))
        });
        let refusals: Vec<(ApiId, Refusal)> = unlisted.collect();
        let mut others = format.others();
        let served = others.find(|other| !self.snapshot.routes.tiers(*other, model).is_empty());
        if let Some(served) = served.filter(|_| refusals.is_empty()) {
            return AdmissionError::OtherFormat { model: model.clone(), served };
        }
        if refusals.is_empty() {
            return AdmissionError::ModelNotFound(model.clone());
        }
        AdmissionError::NoneAvailable { model: model.clone(), refusals, rate: None }
    }

    /// Returns whether an upstream of the model has not failed this request yet.
    fn has_upstream_left(&self, of: &Profile, excluded: &[ApiId]) -> bool {
        let tiers = self.snapshot.routes.tiers(of.route.format(), &of.model);
        let unfit = self.snapshot.unfit(&tiers, of, |api| !excluded.contains(api));
        let mut left = tiers.slots().filter(|slot| !unfit.contains(slot));
        left.any(|slot| self.snapshot.members.get(slot).is_some_and(|member| !excluded.contains(&member.api)))
    }

    /// Excludes all upstreams but a target's home: nobody else knows the object. A home that is not configured any more is none.
    /// Returns whether there is a home.
    fn exclude_all_but(&self, target: &RequestTarget, excluded: &mut Vec<ApiId>) -> bool {
        let Some(home) = self.snapshot.home(target) else { return false };
        let others = self.snapshot.members.iter().enumerate().filter(|(slot, _)| *slot != home);
        excluded.extend(others.map(|(_, member)| member.api.clone()));
        true
    }

    /// Excludes the upstreams that are closed to the client's key. Returns whether all are that serve the model, or the home is.
    fn exclude_closed(&self, of: &Profile, target: &RequestTarget, excluded: &mut Vec<ApiId>) -> bool {
        let closed = self.snapshot.closed_to(of.apis.as_ref());
        if closed.is_empty() {
            return false;
        }
        let tiers = self.snapshot.routes.tiers(of.route.format(), &of.model);
        let is_closed = match self.snapshot.home(target) {
            Some(home) => closed.contains(&home),
            None => !tiers.is_empty() && tiers.slots().all(|slot| closed.contains(&slot)),
        };
        let members = closed.iter().filter_map(|slot| self.snapshot.members.get(*slot));
        excluded.extend(members.map(|member| member.api.clone()));
        is_closed
    }

    /// Returns whether a refused request may wait until `deadline` (ms, monotonic).
    fn may_wait(&self, refused: &AdmissionError, deadline: u64) -> bool {
        let AdmissionError::NoneAvailable { refusals, .. } = refused else { return false };
        let in_time = refusals.iter().any(|(_, refusal)| refusal.may_pass_by(deadline));
        self.queue.max_wait_ms > 0 && in_time && self.waiting.len() < self.queue.max_waiting
    }

    /// Adds the pool's limits on requests for the model.
    fn with_limits(
        &mut self,
        of: &ModelKey,
        decided: Result<ChosenUpstream, AdmissionError>,
    ) -> Result<Selected, AdmissionError> {
        match decided {
            Ok(choice) => Ok(Selected { choice, limits: self.limits_of(of) }),
            Err(AdmissionError::NoneAvailable { model, refusals, .. }) => {
                let rate = self.limits_of(of).summary(Now::read_mono());
                Err(AdmissionError::NoneAvailable { model, refusals, rate })
            }
            Err(other) => Err(other),
        }
    }

    fn limits_of(&mut self, of: &ModelKey) -> Arc<PoolLimits> {
        if let Some(known) = self.limits.get(of) {
            return known.clone();
        }
        if self.limits.len() >= MAX_MODELS {
            self.limits.clear();
        }
        let tiers = self.snapshot.routes.tiers(of.format, &of.model);
        let serving = tiers.slots().filter_map(|slot| self.apis.get(slot));
        let enabled = serving.map(|api| &**api).filter(|api| api.enabled);
        let limits = Arc::new(self.quotas.pool_limits(enabled, &of.model));
        self.limits.insert(of.clone(), limits.clone());
        limits
    }

    /// Plans the next trial, if requests wait. Then no worker takes a fast path.
    fn plan_trials(&mut self, ctx: &mut Context<Self>) {
        let any = self.waiting.len() > 0;
        self.snapshot.flags.queueing.store(any, Ordering::Release);
        if any && !self.plans_trials {
            self.plans_trials = true;
            ctx.run_later(TRIAL_INTERVAL, |actor, ctx| {
                actor.plans_trials = false;
                actor.try_waiting(ctx);
            });
        }
    }

    fn try_waiting(&mut self, ctx: &mut Context<Self>) {
        for Trial { id, profile, allowed } in self.waiting.trials(Now::read()) {
            let model = profile.key();
            let selection = run(self.selection(profile, &allowed, None), ctx).into_actor(self);
            ctx.spawn(selection.map(move |selected, actor, ctx| match selected {
                Ok(mut choice) => {
                    if let Some(waiter) = actor.waiting.served(&model, id) {
                        choice.waited = Duration::from_millis(Now::read_mono().saturating_sub(waiter.since));
                        // Without a client, the permit gives itself back.
                        let _ = waiter.reply.send(Ok(choice));
                    }
                    actor.try_waiting(ctx);
                }
                Err(refused) => actor.waiting.refused(&model, id, refused),
            }));
        }
        self.plan_trials(ctx);
    }
}

fn run(
    selection: Result<Selection, AdmissionError>,
    ctx: &Context<SupervisorActor>,
) -> impl Future<Output = Result<ChosenUpstream, AdmissionError>> + use<> {
    match selection {
        Ok(selection) => selection.run(ctx.address().recipient()).left_future(),
        Err(error) => ready(Err(error)).right_future(),
    }
}

impl Handler<SelectSlow> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, SelectSlow { select, picked, reply }: SelectSlow, ctx: &mut Self::Context) {
        let Select { mut profile, target, mut excluded, client, may_queue, may_panic } = select;
        if self.exclude_all_but(&target, &mut excluded) {
            // Nobody else is asked, whatever the home refuses.
            profile.parameters = ParameterSet::NONE;
        }
        if self.exclude_closed(&profile, &target, &mut excluded) {
            // A client that has left reads no reply.
            let _ = reply.send(Err(AdmissionError::ClosedToKey(profile.model)));
            return;
        }
        let since = Now::read_mono();
        let deadline = since + self.queue.max_wait_ms;
        let model = profile.key();
        // A free request waits for no limit.
        let overtaking = self.waiting.overtaking(&model).filter(|_| !profile.route.is_free());
        // Without an upstream left, there is nothing to wait for.
        let behind = overtaking.as_ref().filter(|_| self.has_upstream_left(&profile, &excluded));
        let refused_before = behind.map(|overtaking| overtaking.refused.clone());
        let picked = picked.filter(|_| overtaking.is_none());
        let allowed =
            Allowed { excluded: excluded.clone(), overtakes_to: overtaking.map(|overtaking| overtaking.upstreams) };
        let selection = self.selection(profile.clone(), &allowed, picked);
        let selection = run(selection.map(|selection| Selection { may_panic, ..selection }), ctx).into_actor(self);
        let decision = selection.then(move |selected, actor, ctx| {
            let decided = match selected.map_err(|refused| refused_before.unwrap_or(refused)) {
                Err(refused) if may_queue && actor.may_wait(&refused, deadline) => {
                    let (reply, answer) = oneshot::channel();
                    actor.waiting.join(Waiter { profile, excluded, since, deadline, client, reply }, refused);
                    actor.plan_trials(ctx);
                    answer.map(|answer| answer.unwrap_or(Err(AdmissionError::Stopping))).left_future()
                }
                decided => ready(decided).right_future(),
            };
            decided.into_actor(actor)
        });
        ctx.spawn(decision.map(move |decided, actor, _| {
            // Without a client, the permit gives itself back.
            let _ = reply.send(actor.with_limits(&model, decided));
        }));
    }
}
