//! The supervisor of the upstreams: one for all workers. In `select_slow`: the selections that no worker decides alone.
//!
//! 1. Each id that was ever configured has one actor. Counts outlive an absence from the configuration.
//! 2. A change of the configuration or of a list of models makes a new snapshot, which goes to every scheduler.
//! 3. An actor that has ended is started again.

mod select_slow;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::future::join_all;
use quota::PoolLimits;

use super::messages::{ModelsFound, ModelsUnavailable, StopUpstreams};
use super::model_names::ModelNames;
use super::routes::Routes;
use super::selection::RestartUpstream;
use super::snapshot::{Member, RoutingChanged, RoutingSnapshot, SubscribeRouting};
use super::wait_queue::WaitQueues;
use crate::config::{ApiConfig, ConfigChanged, ModelAliases, QueueConfig};
use crate::persistence::PersistenceActor;
use crate::types::{ApiId, ModelKey};
use crate::upstream::{ListFailed, QuotaRegistry, Reconfigure, Retire, UpstreamActor};

/// The most models to remember. Where an upstream takes any name, clients make names up.
pub(super) const MAX_MODELS: usize = 1_000;

/// Owns the routing, the upstreams' actors and the wait queues.
pub struct SupervisorActor {
    persistence: Addr<PersistenceActor>,
    quotas: QuotaRegistry,
    /// In the order of the configuration.
    pub(super) apis: Vec<Arc<ApiConfig>>,
    /// Other names for models.
    aliases: ModelAliases,
    pub(super) upstreams: BTreeMap<ApiId, Addr<UpstreamActor>>,
    /// The lists of models so far.
    pub(super) found: HashMap<ApiId, ModelNames>,
    /// When upstreams without an answer are asked for their models again (ms, monotonic).
    unlisted: HashMap<ApiId, u64>,
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
            apis: Vec::new(),
            aliases: ModelAliases::default(),
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

    fn adopt(&mut self, apis: &[Arc<ApiConfig>]) {
        for gone in self.apis.iter().filter(|old| !apis.iter().any(|api| api.id == old.id)) {
            log::info!("{}: retired, it is no longer in the configuration", gone.id);
            if let Some(upstream) = self.upstreams.get(&gone.id) {
                upstream.do_send(Retire);
            }
            self.found.remove(&gone.id);
        }
        for api in apis {
            // A list from another address says nothing of this one.
            if self.apis.iter().any(|old| old.id == api.id && old.addresses != api.addresses) {
                self.found.remove(&api.id);
            }
            match self.upstreams.get(&api.id) {
                Some(upstream) => {
                    // At once: the new limits may be summed up before the actor handles the message.
                    self.quotas.configure(api);
                    upstream.do_send(Reconfigure(api.clone()));
                }
                None => self.start_upstream(api.clone()),
            }
        }
        self.apis = apis.to_vec();
        self.publish_snapshot();
    }

    /// Sends the present routing to every scheduler.
    fn publish_snapshot(&mut self) {
        let member = |api: &Arc<ApiConfig>| {
            let upstream = self.upstreams.get(&api.id)?.clone();
            Some(Member { api: api.id.clone(), upstream })
        };
        self.snapshot = Arc::new(RoutingSnapshot {
            serial: self.snapshot.serial + 1,
            routes: Routes::new(&self.apis, &self.found, &self.aliases),
            members: self.apis.iter().filter_map(member).collect(),
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
        let id = api.id.clone();
        let upstream = UpstreamActor::start(api, self.persistence.clone(), self.quotas.clone());
        self.upstreams.insert(id, upstream);
    }

    pub(super) fn addresses(&self) -> Vec<Addr<UpstreamActor>> {
        self.upstreams.values().cloned().collect()
    }
}

impl Actor for SupervisorActor {
    type Context = Context<Self>;
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
        ctx.set_mailbox_capacity(config.actors.mailbox);
        self.queue = config.queue;
        self.aliases = config.aliases.clone();
        self.adopt(&config.apis);
    }
}

impl Handler<ModelsFound> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, ModelsFound { api, models }: ModelsFound, _: &mut Self::Context) {
        if self.found.insert(api, models.clone()) != Some(models) {
            self.publish_snapshot();
        }
    }
}

impl Handler<ModelsUnavailable> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, message: ModelsUnavailable, _: &mut Self::Context) {
        let ModelsUnavailable { api, retry_at, class, detail } = message;
        if let Some(upstream) = self.upstreams.get(&api) {
            upstream.do_send(ListFailed { class, detail });
        }
        self.unlisted.insert(api, retry_at);
    }
}

impl Handler<RestartUpstream> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, RestartUpstream(id): RestartUpstream, _: &mut Self::Context) {
        let has_ended = self.upstreams.get(&id).is_some_and(|upstream| !upstream.connected());
        if let Some(api) = self.apis.iter().find(|api| api.id == id && has_ended) {
            log::error!("{id}: its actor ended, which is a defect of this program; it is started again");
            self.start_upstream(api.clone());
            self.publish_snapshot();
        }
    }
}

impl Handler<StopUpstreams> for SupervisorActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: StopUpstreams, _: &mut Self::Context) -> Self::Result {
        let retired = join_all(self.addresses().into_iter().map(|upstream| async move { upstream.send(Retire).await }));
        let quotas = self.quotas.clone();
        Box::pin(async move {
            drop(retired.await);
            quotas.close().await;
        })
    }
}

#[cfg(test)]
mod tests;
