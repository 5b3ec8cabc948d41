//! The supervisor of the upstreams: one for all workers. In `select_slow`: the selections that no worker decides alone. In
//! `shared_ledgers`: what servers with one store tell each other of ledgers.
//!
//! 1. Each ledger that was ever configured has one actor. Counts outlive an absence from the configuration, and a new id.
//! 2. A change of the configuration or of a list of models makes a new snapshot, which goes to every scheduler.
//! 3. An actor that has ended is started again.

mod lists;
mod select_slow;
mod shared_ledgers;
mod steering;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use quota::PoolLimits;

use self::shared_ledgers::Entries;
use super::ledgers::{Ledgers, Resolved};
use super::messages::StopUpstreams;
use super::model_names::ModelNames;
use super::routes::Routes;
use super::selection::RestartUpstream;
use super::snapshot::{Member, RoutingChanged, RoutingSnapshot, SubscribeRouting};
use super::wait_queue::WaitQueues;
use crate::alerts::AlertSender;
use crate::config::{ApiConfig, ConfigChanged, ModelAliases, Models, QueueConfig};
use crate::mailbox::{ActorKind, Context, LaterReply, LivesInMailbox};
use crate::persistence::{LedgersChanged, PersistenceActor, RestoreLedgers, SaveLedgers};
use crate::quotas::QuotaRegistry;
use crate::types::{ApiId, FailureClass, LedgerId, ModelKey, Now, ParameterSet};
use crate::upstream::{Reconfigure, RestUntil, Retire, UpstreamActor};

/// The most models to remember. Where an upstream takes any name, clients make names up.
pub(super) const MAX_MODELS: usize = 1_000;

/// How soon a list of models may be there, while no time for the next attempt is known (ms).
const LISTED_SOON_MS: u64 = 1_000;

/// Owns the routing, the upstreams' actors and the wait queues.
pub struct SupervisorActor {
    persistence: Addr<PersistenceActor>,
    quotas: QuotaRegistry,
    /// Whether other servers share the quotas.
    shared: bool,
    /// The next try to learn the ledgers of other servers.
    learns_again: Option<SpawnHandle>,
    /// The entries, as typed.
    typed: Vec<Arc<ApiConfig>>,
    /// The entries, each with its ledger. In the order of the configuration.
    pub(super) apis: Vec<Arc<ApiConfig>>,
    /// Other names for models.
    aliases: ModelAliases,
    pub(super) ledgers: Ledgers,
    /// Keeps homes by ledger.
    homes: Option<Recipient<LedgersChanged>>,
    pub(super) upstreams: BTreeMap<LedgerId, Addr<UpstreamActor>>,
    /// The lists of models so far.
    pub(super) found: HashMap<ApiId, ModelNames>,
    /// Why upstreams gave no list of models, and when they are asked again (ms, monotonic).
    unlisted: HashMap<ApiId, (FailureClass, Option<u64>)>,
    pub(super) snapshot: Arc<RoutingSnapshot>,
    schedulers: Vec<Recipient<RoutingChanged>>,
    /// The limits on requests, by model.
    limits: HashMap<ModelKey, Arc<PoolLimits>>,
    queue: QueueConfig,
    waiting: WaitQueues,
    /// A timer for the wait queues is set.
    plans_trials: bool,
}

impl SupervisorActor {
    /// Creates a supervisor without upstreams: the first [`ConfigChanged`] brings them. `shared`: other servers share the
    /// quotas.
    pub fn new(persistence: Addr<PersistenceActor>, shared: bool) -> Self {
        SupervisorActor {
            quotas: QuotaRegistry::new(persistence.clone(), shared),
            persistence,
            shared,
            learns_again: None,
            typed: Vec::new(),
            apis: Vec::new(),
            aliases: ModelAliases::default(),
            ledgers: Ledgers::default(),
            homes: None,
            upstreams: BTreeMap::new(),
            found: HashMap::new(),
            unlisted: HashMap::new(),
            snapshot: Arc::default(),
            schedulers: Vec::new(),
            limits: HashMap::new(),
            queue: QueueConfig::default(),
            waiting: WaitQueues::default(),
            plans_trials: false,
        }
    }

    /// Tells `homes` which entry has which ledger.
    #[must_use]
    pub fn telling(self, homes: Recipient<LedgersChanged>) -> Self {
        SupervisorActor { homes: Some(homes), ..self }
    }

    /// Tells people of events.
    #[must_use]
    pub fn alerting(self, alerts: AlertSender) -> Self {
        SupervisorActor { quotas: self.quotas.alerting(alerts), ..self }
    }

    /// Adopts the entries, each with its ledger.
    fn adopt_typed(&mut self) {
        let Resolved { apis, changed, news, warnings } = self.ledgers.resolve(&self.typed);
        news.iter().for_each(|line| log::info!("{line}"));
        warnings.iter().for_each(|line| log::warn!("{line}"));
        if !changed.is_empty() {
            self.persistence.do_send(SaveLedgers(changed));
        }
        self.adopt(&apis);
    }

    fn adopt(&mut self, apis: &[Arc<ApiConfig>]) {
        for gone in self.apis.iter().filter(|old| !apis.iter().any(|api| api.ledger == old.ledger)) {
            if !apis.iter().any(|api| api.id == gone.id) {
                log::info!("{}: retired, it is no longer in the configuration", gone.id);
            }
            if let Some(upstream) = self.upstreams.get(&gone.ledger) {
                upstream.do_send(Retire);
            }
        }
        self.found.retain(|id, _| apis.iter().any(|api| api.id == *id));
        self.unlisted.retain(|id, _| apis.iter().any(|api| api.id == *id));
        for api in apis {
            // A list from another address says nothing of this one.
            if self.apis.iter().any(|old| old.id == api.id && old.addresses != api.addresses) {
                self.found.remove(&api.id);
            }
            // A changed entry is asked anew, perhaps with another key.
            if self.apis.iter().any(|old| old.id == api.id && old != api) {
                self.unlisted.remove(&api.id);
            }
            match self.upstreams.get(&api.ledger) {
                Some(upstream) => {
                    // At once: the new limits may be summed up before the actor handles the message.
                    self.quotas.configure(api);
                    upstream.do_send(Reconfigure(api.clone()));
                }
                None => self.start_upstream(api.clone()),
            }
        }
        self.apis = apis.to_vec();
        if let Some(homes) = &self.homes {
            homes.do_send(LedgersChanged(apis.iter().map(|api| (api.id.clone(), api.ledger.clone())).collect()));
        }
        self.publish_snapshot();
    }

    /// Sends the present routing to every scheduler.
    fn publish_snapshot(&mut self) {
        let member = |api: &Arc<ApiConfig>| {
            let upstream = self.upstreams.get(&api.ledger)?.clone();
            Some(Member { api: api.id.clone(), upstream, unsupported: api.quirks.unsupported })
        };
        self.snapshot = Arc::new(RoutingSnapshot {
            serial: self.snapshot.serial + 1,
            routes: Routes::new(&self.apis, &self.found, &self.aliases),
            members: self.apis.iter().filter_map(member).collect(),
            unsupported: self.apis.iter().fold(ParameterSet::NONE, |all, api| all.with(api.quirks.unsupported)),
            max_wait: Duration::from_millis(self.queue.max_wait_ms),
            flags: self.snapshot.flags.clone(),
        });
        self.limits.clear();
        self.schedulers.retain(Recipient::connected);
        for scheduler in &self.schedulers {
            scheduler.do_send(RoutingChanged(self.snapshot.clone()));
        }
    }

    fn start_upstream(&mut self, api: Arc<ApiConfig>) {
        let ledger = api.ledger.clone();
        let upstream = UpstreamActor::start(api, self.persistence.clone(), self.quotas.clone());
        // A rest outlives a restart of the process, and of the actor.
        if let Some(until) = self.ledgers.rested_until(&ledger).filter(|until| *until > Now::read().wall) {
            upstream.do_send(RestUntil(until));
        }
        self.upstreams.insert(ledger, upstream);
    }

    /// Returns the actor of a configured entry.
    pub(super) fn upstream(&self, id: &ApiId) -> Option<&Addr<UpstreamActor>> {
        let api = self.apis.iter().find(|api| api.id == *id)?;
        self.upstreams.get(&api.ledger)
    }

    /// Returns when the list of models may be there (ms, monotonic), if it decides what the upstream serves, and is missing.
    /// `None` as well after a refusal: what has no list serves nothing.
    pub(super) fn models_at(&self, api: &ApiConfig) -> Option<u64> {
        let is_missing = api.enabled && api.models == Models::Asked && !self.found.contains_key(&api.id);
        let soon = Now::read_mono() + LISTED_SOON_MS;
        match self.unlisted.get(&api.id).filter(|_| is_missing) {
            Some((_, retry_at)) => retry_at.map(|retry_at| soon.max(retry_at)),
            None => is_missing.then_some(soon),
        }
    }

    /// Returns the writer of the store.
    pub(super) fn persistence(&self) -> &Addr<PersistenceActor> {
        &self.persistence
    }

    /// Returns how many requests wait for a limit.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn addresses(&self) -> Vec<Addr<UpstreamActor>> {
        self.upstreams.values().cloned().collect()
    }
}

impl LivesInMailbox for SupervisorActor {
    const KIND: ActorKind = ActorKind::Supervisor;
}

impl Actor for SupervisorActor {
    type Context = Context<Self>;

    /// The mailbox waits until the saved ledgers are there.
    fn started(&mut self, ctx: &mut Self::Context) {
        let restored = self.persistence.send(RestoreLedgers).into_actor(self);
        restored.map(|records, actor, _| actor.ledgers = Ledgers::restore(records.unwrap_or_default())).wait(ctx);
    }
}

impl Handler<SubscribeRouting> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, SubscribeRouting(scheduler): SubscribeRouting, _: &mut Self::Context) {
        scheduler.do_send(RoutingChanged(self.snapshot.clone()));
        self.schedulers.push(scheduler);
    }
}

impl Handler<ConfigChanged> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(config.actors.mailbox(ActorKind::Supervisor));
        self.queue = config.queue;
        self.aliases = config.aliases.clone();
        self.typed.clone_from(&config.apis);
        if self.shared { self.adopt_with_shared_ledgers(Entries::New, ctx) } else { self.adopt_typed() }
    }
}

impl Handler<RestartUpstream> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, RestartUpstream(id): RestartUpstream, _: &mut Self::Context) {
        let has_ended = self.upstream(&id).is_some_and(|upstream| !upstream.connected());
        if let Some(api) = self.apis.iter().find(|api| api.id == id && has_ended) {
            log::error!("{id}: its actor ended, which is a defect of this program; it is started again");
            self.start_upstream(api.clone());
            self.publish_snapshot();
        }
    }
}

impl Handler<StopUpstreams> for SupervisorActor {
    type Result = LaterReply<()>;

    fn handle(&mut self, _: StopUpstreams, _: &mut Self::Context) -> Self::Result {
        let retired = join_all(self.addresses().into_iter().map(|upstream| async move { upstream.send(Retire).await }));
        let quotas = self.quotas.clone();
        LaterReply::of(async move {
            drop(retired.await);
            quotas.close().await;
        })
    }
}

#[cfg(test)]
mod tests;
