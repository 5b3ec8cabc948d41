//! The scheduler of one worker. A selection is answered here on a fast path, or else by the supervisor.
//!
//! 1. A request that has failed somewhere, or finds others in a wait queue, goes to the supervisor.
//! 2. Upstreams without room just now are skipped: their fast paths say so.
//! 3. Upstreams that refuse a parameter of the request are skipped, if another one serves the model.
//! 4. Upstreams that are closed to the client's key are skipped.
//! 5. What a fast path can't decide, the supervisor decides. Its answer brings the fast paths for the next request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use quota::{PoolLimits, TakeError};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::messages::{AdmissionError, Admitted, GetSimilarNames, Select};
use super::selection::ChosenUpstream;
use super::similar_names::similar;
use super::slow_path::{SelectSlow, Selected};
use super::snapshot::{RoutingChanged, RoutingSnapshot, SubscribeRouting};
use super::supervisor::{MAX_MODELS, SupervisorActor};
use super::weighted_tiers::WeightedTiers;
use crate::mailbox::{ActorKind, Context, LivesInMailbox, refused};
use crate::types::{ByFormat, ModelKey, Now};
use crate::upstream::FastPath;

/// How long the supervisor may take: it waits for the disk alone, and only when a block of units is used up.
const SELECT_WITHIN: Duration = Duration::from_secs(5);

/// How many upstreams without room are skipped before the supervisor is asked.
const MAX_SKIPPED: usize = 8;

/// The scheduler of one worker.
pub struct SchedulerActor {
    supervisor: Addr<SupervisorActor>,
    snapshot: Arc<RoutingSnapshot>,
    /// What the supervisor's answers brought, by model.
    models: ByFormat<BTreeMap<Arc<str>, ModelCache>>,
}

/// What a worker knows of one model.
struct ModelCache {
    limits: Arc<PoolLimits>,
    tiers: Arc<WeightedTiers>,
    /// By slot.
    fast_paths: Vec<Option<Arc<FastPath>>>,
}

impl SchedulerActor {
    /// Creates a scheduler that knows nothing yet, and asks this supervisor.
    pub fn new(supervisor: Addr<SupervisorActor>) -> Self {
        SchedulerActor { supervisor, snapshot: Arc::default(), models: ByFormat::default() }
    }

    /// Returns a permit by a fast path.
    ///
    /// # Errors
    /// When the supervisor has to decide: with the slot that was picked, if one was.
    fn select_fast(&self, select: &Select) -> Result<Admitted, Option<usize>> {
        if !select.excluded.is_empty() || self.snapshot.flags.queueing.load(Ordering::Acquire) {
            return Err(None);
        }
        let now = Now::read();
        let model = self.models.of(select.profile.route.format()).get(&select.profile.model).ok_or(None)?;
        let home = self.snapshot.home(&select.target);
        // At its home alone an object is known, whatever the home refuses.
        let mut skipped = match home {
            Some(_) => Vec::new(),
            None => self.snapshot.unfit(&model.tiers, &select.profile, |_| true),
        };
        skipped.extend(self.snapshot.closed_to(select.profile.apis.as_ref()));
        let most_skipped = skipped.len() + MAX_SKIPPED;
        let mut rng = rand::rng();
        let session = select.profile.session;
        while skipped.len() < most_skipped {
            let slot = model
                .tiers
                .pick(session, &mut rng, |slot| skipped.contains(&slot) || home.is_some_and(|home| home != slot));
            let slot = slot.ok_or(None)?;
            let fast_path = model.fast_paths.get(slot).and_then(Option::as_ref).ok_or(Some(slot))?;
            match fast_path.try_admit(&select.profile, now) {
                Ok(permit) => {
                    let rate = model.limits.after_one_more(now.mono);
                    return Ok(Admitted { permit, rate, waited: Duration::ZERO });
                }
                Err(TakeError::AskActor) => return Err(Some(slot)),
                Err(TakeError::Exhausted) => skipped.push(slot),
            }
        }
        Err(None)
    }

    /// Asks the supervisor, if the mailbox has room.
    fn select_slow(
        &self,
        select: Select,
        picked: Option<usize>,
    ) -> oneshot::Receiver<Result<Selected, AdmissionError>> {
        let (reply, answer) = oneshot::channel();
        let picked = picked.and_then(|slot| self.snapshot.members.get(slot)).map(|member| member.api.clone());
        // `try_send`, on an address that lives as long as the worker: all else ignores the mailbox's bound.
        match self.supervisor.try_send(SelectSlow { select, picked, reply }) {
            Ok(()) => {}
            Err(SendError::Full(SelectSlow { reply, .. })) => {
                refused(ActorKind::Supervisor, 1);
                // A client that has left reads no reply.
                let _ = reply.send(Err(AdmissionError::Overloaded));
            }
            // Without a sender, the receiver ends.
            Err(SendError::Closed(_)) => {}
        }
        answer
    }

    /// Keeps what came with the permit: the next request may take a fast path.
    fn learn(&mut self, ModelKey { format, model }: ModelKey, selected: Selected) -> Admitted {
        let Selected { choice: ChosenUpstream { permit, fast_paths, snapshot, waited }, limits } = selected;
        let rate = limits.after_one_more(Now::read_mono());
        self.adopt(&snapshot);
        if snapshot.serial != self.snapshot.serial || fast_paths.is_empty() {
            return Admitted { permit, rate, waited };
        }
        let models = self.models.of_mut(format);
        if models.len() >= MAX_MODELS {
            models.clear();
        }
        let cache = models.entry(model).or_insert_with_key(|model| ModelCache {
            limits,
            tiers: snapshot.routes.tiers(format, model),
            fast_paths: vec![None; snapshot.members.len()],
        });
        for (slot, fast_path) in fast_paths {
            if let Some(known) = cache.fast_paths.get_mut(slot) {
                *known = Some(fast_path);
            }
        }
        Admitted { permit, rate, waited }
    }

    fn adopt(&mut self, snapshot: &Arc<RoutingSnapshot>) {
        if snapshot.serial > self.snapshot.serial {
            self.snapshot = snapshot.clone();
            self.models = ByFormat::default();
        }
    }
}

impl LivesInMailbox for SchedulerActor {
    const KIND: ActorKind = ActorKind::Scheduler;
}

impl Actor for SchedulerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.supervisor.do_send(SubscribeRouting(ctx.address().recipient()));
    }
}

impl Handler<RoutingChanged> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, RoutingChanged(snapshot): RoutingChanged, _: &mut Self::Context) {
        self.adopt(&snapshot);
    }
}

impl Handler<GetSimilarNames> for SchedulerActor {
    type Result = MessageResult<GetSimilarNames>;

    fn handle(
        &mut self,
        GetSimilarNames { of: ModelKey { format, model }, apis }: GetSimilarNames,
        _: &mut Self::Context,
    ) -> Self::Result {
        let closed = self.snapshot.closed_to(apis.as_ref());
        MessageResult(similar(&model, &self.snapshot.routes.names(format, &closed)))
    }
}

impl Handler<Select> for SchedulerActor {
    type Result = ActorResponse<Self, Result<Admitted, AdmissionError>>;

    fn handle(&mut self, select: Select, _: &mut Self::Context) -> Self::Result {
        let picked = match self.select_fast(&select) {
            Ok(admitted) => return ActorResponse::reply(Ok(admitted)),
            Err(picked) => picked,
        };
        let model = select.profile.key();
        let answer = timeout(SELECT_WITHIN + self.snapshot.max_wait, self.select_slow(select, picked));
        ActorResponse::r#async(answer.into_actor(self).map(move |answer, actor, _| match answer {
            Ok(Ok(Ok(selected))) => Ok(actor.learn(model, selected)),
            Ok(Ok(Err(refused))) => Err(refused),
            Ok(Err(_)) => Err(AdmissionError::Stopping),
            Err(_) => Err(AdmissionError::NotInTime),
        }))
    }
}

#[cfg(test)]
mod tests;
