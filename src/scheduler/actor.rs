//! Answers selections; starts, reconfigures and retires the upstreams' actors as the configuration changes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use actix::prelude::*;
use futures_util::FutureExt;
use futures_util::future::{join_all, ready};
use tokio::sync::oneshot;

use super::line::{Lines, Waiter};
use super::messages::{AdmissionError, ModelNames, ModelsFound, Select, StopUpstreams};
use super::rates::Rates;
use super::routes::Routes;
use super::strategy::{Candidate, draw};
use crate::config::{ApiConfig, ConfigChanged, QueueConfig};
use crate::persistence::PersistenceActor;
use crate::types::{ApiId, Now, Profile};
use crate::upstream::{Books, Forward, Permit, Reconfigure, Refusal, Retire, UpstreamActor};

/// Owns the routing table and the addresses of the upstreams.
pub struct SchedulerActor {
    persistence: Addr<PersistenceActor>,
    /// The quotas of all upstreams.
    books: Books,
    /// In the order of the configuration.
    pub(super) apis: Vec<Arc<ApiConfig>>,
    /// One for each id that was ever configured: counts outlive an absence from the file.
    pub(super) upstreams: BTreeMap<ApiId, Addr<UpstreamActor>>,
    pub(super) found: HashMap<ApiId, ModelNames>,
    pub(super) routes: Routes,
    rates: Rates,
    queue: QueueConfig,
    pub(super) lines: Lines,
}

/// An upstream's actor ended, which only a defect can cause. Sent by the scheduler to itself; a lost one leaves that
/// upstream out until the next request for it.
#[derive(Message)]
#[rtype(result = "()")]
struct Revive(ApiId);

impl SchedulerActor {
    /// A scheduler without upstreams: they come with the first [`ConfigChanged`]. `shared`: quotas are shared with other
    /// servers.
    pub fn new(persistence: Addr<PersistenceActor>, shared: bool) -> Self {
        SchedulerActor {
            books: Books::new(persistence.clone(), shared),
            persistence,
            apis: Vec::new(),
            upstreams: BTreeMap::new(),
            found: HashMap::new(),
            routes: Routes::default(),
            rates: Rates::default(),
            queue: QueueConfig::default(),
            lines: Lines::default(),
        }
    }

    fn adopt(&mut self, apis: &[Arc<ApiConfig>]) {
        for gone in self.apis.iter().filter(|old| !apis.iter().any(|api| api.id == old.id)) {
            log::info!("{}: retired, it is no longer in the configuration", gone.id);
            self.tell(&gone.id, Retire);
            self.found.remove(&gone.id);
        }
        for api in apis {
            // What another place told says nothing of this one.
            if self.apis.iter().any(|old| old.id == api.id && old.base_url != api.base_url) {
                self.found.remove(&api.id);
            }
            match self.upstreams.get(&api.id) {
                Some(upstream) => upstream.do_send(Reconfigure(api.clone())),
                None => self.start(api.clone()),
            }
        }
        self.apis = apis.to_vec();
        self.rates.forget();
        self.routes = Routes::new(&self.apis, &self.found);
    }

    fn start(&mut self, api: Arc<ApiConfig>) {
        let upstream = UpstreamActor::start(api.clone(), self.persistence.clone(), self.books.clone());
        self.upstreams.insert(api.id.clone(), upstream);
    }

    fn tell<M>(&self, api: &ApiId, message: M)
    where
        M: Message<Result = ()> + Send + 'static,
        UpstreamActor: Handler<M>,
    {
        if let Some(upstream) = self.upstreams.get(api) {
            upstream.do_send(message);
        }
    }

    /// The upstreams to ask, in no order yet.
    fn candidates(&self, model: &str, tried: &[ApiId]) -> Vec<Candidate> {
        self.routes
            .serving(model)
            .filter_map(|slot| self.apis.get(slot).map(|api| (slot, api)))
            .filter(|(_, api)| !tried.contains(&api.id))
            .map(|(slot, api)| Candidate { slot, priority: api.priority, weight: api.weight })
            .collect()
    }

    /// Asks the upstreams that serve a profile, one after the other in the order of the strategy.
    pub(super) fn selection(
        &self,
        profile: &Profile,
        tried: &[ApiId],
        ctx: &Context<Self>,
    ) -> impl Future<Output = Result<Permit, AdmissionError>> + use<> {
        let known = self.routes.serving(&profile.model).next().is_some();
        let mut candidates = self.candidates(&profile.model, tried);
        let mut rng = rand::rng();
        let order: Vec<_> = std::iter::from_fn(|| draw(&mut candidates, &mut rng))
            .filter_map(|slot| self.apis.get(slot))
            .filter_map(|api| Some((api.id.clone(), self.upstreams.get(&api.id)?.clone())))
            .collect();
        let (profile, scheduler) = (profile.clone(), ctx.address());
        async move {
            match known {
                true => select(profile, order, scheduler).await,
                false => Err(AdmissionError::ModelNotFound(profile.model)),
            }
        }
    }

    /// May a refused request wait? Only for a limit, only if one frees in time, and not behind too many others.
    fn may_wait(&self, refused: &AdmissionError, deadline: u64) -> bool {
        let AdmissionError::NoneAvailable { refusals, .. } = refused else { return false };
        let in_time = refusals.iter().any(|(_, refusal)| refusal.may_pass_by(deadline));
        self.queue.max_wait_ms > 0 && in_time && self.lines.len() < self.queue.max_waiting
    }

    /// Adds what the pool's limits leave now.
    fn with_rate(
        &mut self,
        model: &Arc<str>,
        decided: Result<Permit, AdmissionError>,
    ) -> Result<Permit, AdmissionError> {
        let SchedulerActor { rates, routes, apis, books, .. } = self;
        let mut after = |admitted: bool| {
            rates.after(model, admitted, || {
                let serving = routes.serving(model).filter_map(|slot| apis.get(slot)).map(|api| &**api);
                books.headroom(serving.filter(|api| api.enabled), model)
            })
        };
        match decided {
            Ok(mut permit) => {
                permit.rate = after(true);
                Ok(permit)
            }
            Err(AdmissionError::NoneAvailable { model, refusals, .. }) => {
                Err(AdmissionError::NoneAvailable { model, refusals, rate: after(false) })
            }
            Err(other) => Err(other),
        }
    }

    pub(super) fn addresses(&self) -> Vec<Addr<UpstreamActor>> {
        self.upstreams.values().cloned().collect()
    }
}

/// Asks one candidate after the other until one admits.
async fn select(
    profile: Profile,
    order: Vec<(ApiId, Addr<UpstreamActor>)>,
    scheduler: Addr<SchedulerActor>,
) -> Result<Permit, AdmissionError> {
    let mut refusals: Vec<(ApiId, Refusal)> = Vec::new();
    for (api, upstream) in order {
        match upstream.send(Forward { profile: profile.clone() }).await {
            Ok(Ok(permit)) => return Ok(permit),
            Ok(Err(refusal)) => refusals.push((api, refusal)),
            Err(_) => scheduler.do_send(Revive(api)),
        }
    }
    Err(AdmissionError::NoneAvailable { model: profile.model, refusals, rate: None })
}

impl Actor for SchedulerActor {
    type Context = Context<Self>;
}

impl Handler<Select> for SchedulerActor {
    type Result = ResponseActFuture<Self, Result<Permit, AdmissionError>>;

    fn handle(&mut self, Select { profile, tried, client }: Select, ctx: &mut Self::Context) -> Self::Result {
        let deadline = Now::read().mono + self.queue.max_wait_ms;
        let model = profile.model.clone();
        let selection = match self.lines.reason(&profile.model) {
            // Who waits comes first.
            Some(refused) => ready(Err(refused)).left_future(),
            None => self.selection(&profile, &tried, ctx).right_future(),
        };
        let selection = selection.into_actor(self).then(move |selected, actor, ctx| {
            let decided = match selected {
                Err(refused) if actor.may_wait(&refused, deadline) => {
                    let (reply, told) = oneshot::channel();
                    actor.lines.join(Waiter { profile, tried, deadline, client, reply }, refused);
                    actor.plan_lines(ctx);
                    told.map(|told| told.unwrap_or(Err(AdmissionError::Stopping))).left_future()
                }
                decided => ready(decided).right_future(),
            };
            decided.into_actor(actor)
        });
        Box::pin(selection.map(move |decided, actor, _| actor.with_rate(&model, decided)))
    }
}

impl Handler<ConfigChanged> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, _: &mut Self::Context) {
        self.queue = config.queue;
        self.adopt(&config.apis);
    }
}

impl Handler<ModelsFound> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, ModelsFound { api, models }: ModelsFound, _: &mut Self::Context) {
        if self.found.insert(api, models.clone()) != Some(models) {
            self.routes = Routes::new(&self.apis, &self.found);
        }
    }
}

impl Handler<Revive> for SchedulerActor {
    type Result = ();

    fn handle(&mut self, Revive(id): Revive, _: &mut Self::Context) {
        let dead = self.upstreams.get(&id).is_some_and(|upstream| !upstream.connected());
        if let Some(api) = self.apis.iter().find(|api| api.id == id && dead) {
            log::error!("{id}: its actor ended, which is a defect of this program; it is started anew");
            self.start(api.clone());
        }
    }
}

impl Handler<StopUpstreams> for SchedulerActor {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: StopUpstreams, _: &mut Self::Context) -> Self::Result {
        let told = join_all(self.addresses().into_iter().map(|upstream| async move { upstream.send(Retire).await }));
        let books = self.books.clone();
        Box::pin(async move {
            drop(told.await);
            books.close().await;
        })
    }
}
