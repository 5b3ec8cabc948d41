//! Starts, reconfigures and retires the upstreams' actors as the configuration changes, and makes those selections that no
//! scheduler can make alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::FutureExt;
use futures_util::future::{join_all, ready};
use quota::PoolLimits;
use tokio::sync::oneshot;

use super::board::{Board, BoardChanged, Follow, Seat};
use super::line::{Ahead, Lines, Waiter};
use super::messages::{
    AdmissionError, Ask, Granted, ModelNames, ModelsFound, ModelsUnavailable, Select, StopUpstreams,
};
use super::routes::Routes;
use super::selection::{Selected, select};
use crate::config::{ApiConfig, ConfigChanged, Models, QueueConfig};
use crate::persistence::PersistenceActor;
use crate::types::{ApiId, Now, Profile};
use crate::upstream::{QuotaRegistry, Reconfigure, Refusal, Retire, UpstreamActor};

/// The most models that are remembered. Where an upstream takes any name, clients make names up.
pub(super) const MAX_MODELS: usize = 1_000;

/// Owns the routing table, the upstreams' actors and the waiting lines.
pub struct SupervisorActor {
    persistence: Addr<PersistenceActor>,
    /// The quotas of all upstreams.
    books: QuotaRegistry,
    /// In the order of the configuration.
    pub(super) apis: Vec<Arc<ApiConfig>>,
    /// One for each id that was ever configured: counts outlive an absence from the file.
    pub(super) upstreams: BTreeMap<ApiId, Addr<UpstreamActor>>,
    pub(super) found: HashMap<ApiId, ModelNames>,
    /// When upstreams are asked again that could not be asked for their models (ms, monotonic).
    unlisted: HashMap<ApiId, u64>,
    pub(super) board: Arc<Board>,
    schedulers: Vec<Recipient<BoardChanged>>,
    /// The limits on requests for each model that was asked for.
    limits: HashMap<Arc<str>, Arc<PoolLimits>>,
    queue: QueueConfig,
    pub(super) lines: Lines,
}

/// An upstream's actor ended, which only a defect can cause. Sent by the supervisor to itself; a lost one leaves that
/// upstream out until the next request for it.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Revive(pub(super) ApiId);

impl SupervisorActor {
    /// A supervisor without upstreams: they come with the first [`ConfigChanged`]. `shared`: quotas are shared with other
    /// servers.
    pub fn new(persistence: Addr<PersistenceActor>, shared: bool) -> Self {
        SupervisorActor {
            books: QuotaRegistry::new(persistence.clone(), shared),
            persistence,
            apis: Vec::new(),
            upstreams: BTreeMap::new(),
            found: HashMap::new(),
            unlisted: HashMap::new(),
            board: Arc::default(),
            schedulers: Vec::new(),
            limits: HashMap::new(),
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
                Some(upstream) => {
                    // At once: the new limits may be summed up before the actor handles its message.
                    self.books.configure(api);
                    upstream.do_send(Reconfigure(api.clone()));
                }
                None => self.start(api.clone()),
            }
        }
        self.apis = apis.to_vec();
        self.change_board();
    }

    /// Shows every scheduler the state of the pool.
    fn change_board(&mut self) {
        let seat =
            |api: &Arc<ApiConfig>| Some(Seat { api: api.id.clone(), upstream: self.upstreams.get(&api.id)?.clone() });
        self.board = Arc::new(Board {
            serial: self.board.serial + 1,
            routes: Routes::new(&self.apis, &self.found),
            seats: self.apis.iter().filter_map(seat).collect(),
            max_wait: Duration::from_millis(self.queue.max_wait_ms),
            signs: self.board.signs.clone(),
        });
        self.limits.clear();
        self.schedulers.retain(Recipient::connected);
        self.schedulers.iter().for_each(|scheduler| scheduler.do_send(BoardChanged(self.board.clone())));
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

    /// Asks the upstreams that serve a profile, but for some, one after the other in the order of the strategy: `first` the one
    /// that was drawn already.
    pub(super) fn selection(
        &self,
        profile: &Profile,
        (left_out, first): (Vec<ApiId>, Option<ApiId>),
        ctx: &Context<Self>,
    ) -> impl Future<Output = Result<Selected, AdmissionError>> + use<> {
        let left_out: Vec<bool> = self.board.seats.iter().map(|seat| left_out.contains(&seat.api)).collect();
        // Drawn by a scheduler that may know an older state of the pool.
        let first = first.and_then(|first| self.board.seats.iter().position(|seat| seat.api == first));
        let first = first.filter(|first| self.board.routes.lot(&profile.model).slots().any(|slot| slot == *first));
        let (board, profile, supervisor) = (self.board.clone(), profile.clone(), ctx.address());
        let unlisted =
            if board.routes.lot(&profile.model).is_empty() { Some(self.not_found(&profile.model)) } else { None };
        async move {
            match unlisted {
                Some(error) => Err(error),
                None => select(board, profile, (first, left_out), supervisor).await,
            }
        }
    }

    /// Nobody is known to serve the model. An upstream that has not told its models yet may: then it is worth trying again.
    fn not_found(&self, model: &Arc<str>) -> AdmissionError {
        /// Where nobody knows when the list will be there.
        const SOON_MS: u64 = 1_000;
        let soon = Now::read().mono + SOON_MS;
        let unlisted = self
            .apis
            .iter()
            .filter(|api| api.enabled && api.models == Models::Asked && !self.found.contains_key(&api.id));
        let refusals: Vec<(ApiId, Refusal)> = unlisted
            .map(|api| {
                let until = self.unlisted.get(&api.id).copied().unwrap_or(soon).max(soon);
                (api.id.clone(), Refusal::ModelsUnknown { until })
            })
            .collect();
        if refusals.is_empty() {
            return AdmissionError::ModelNotFound(model.clone());
        }
        AdmissionError::NoneAvailable { model: model.clone(), refusals, rate: None }
    }

    /// Those that serve a model.
    fn serving(&self, model: &str) -> impl Iterator<Item = &ApiId> {
        let Board { routes, seats, .. } = &*self.board;
        routes.lot(model).slots().filter_map(|slot| seats.get(slot)).map(|seat| &seat.api)
    }

    /// May a refused request wait? Only for a limit, only if one frees in time, and not behind too many others.
    fn may_wait(&self, refused: &AdmissionError, deadline: u64) -> bool {
        let AdmissionError::NoneAvailable { refusals, .. } = refused else { return false };
        let in_time = refusals.iter().any(|(_, refusal)| refusal.may_pass_by(deadline));
        self.queue.max_wait_ms > 0 && in_time && self.lines.len() < self.queue.max_waiting
    }

    /// Adds the limits on requests for the model.
    fn with_limits(
        &mut self,
        model: &Arc<str>,
        decided: Result<Selected, AdmissionError>,
    ) -> Result<Granted, AdmissionError> {
        match decided {
            Ok(Selected { permit, lanes, board }) => {
                Ok(Granted { permit, lanes, limits: self.pool_limits(model), board })
            }
            Err(AdmissionError::NoneAvailable { model, refusals, .. }) => {
                let rate = self.pool_limits(&model).summary(Now::read_mono());
                Err(AdmissionError::NoneAvailable { model, refusals, rate })
            }
            Err(other) => Err(other),
        }
    }

    fn pool_limits(&mut self, model: &Arc<str>) -> Arc<PoolLimits> {
        if let Some(known) = self.limits.get(model) {
            return known.clone();
        }
        if self.limits.len() >= MAX_MODELS {
            self.limits.clear();
        }
        let serving = self.board.routes.lot(model).slots().filter_map(|slot| self.apis.get(slot));
        let serving = serving.map(|api| &**api).filter(|api| api.enabled);
        let limits = Arc::new(self.books.pool_limits(serving, model));
        self.limits.insert(model.clone(), limits.clone());
        limits
    }

    pub(super) fn addresses(&self) -> Vec<Addr<UpstreamActor>> {
        self.upstreams.values().cloned().collect()
    }
}

impl Actor for SupervisorActor {
    type Context = Context<Self>;
}

impl Handler<Ask> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, Ask { select, first, reply, mailed }: Ask, ctx: &mut Self::Context) {
        drop(mailed);
        let Select { profile, tried, client, waits } = select;
        let deadline = Now::read().mono + self.queue.max_wait_ms;
        let model = profile.model.clone();
        // Who waits comes first: this one is for what they leave.
        let ahead = self.lines.ahead(&profile.model);
        let kept = |api: &&ApiId| ahead.as_ref().is_some_and(|ahead| !ahead.open.contains(api));
        let left_out = self.board.seats.iter().map(|seat| &seat.api).filter(kept).chain(&tried).cloned().collect();
        let first = first.filter(|_| ahead.is_none());
        let others = self.serving(&profile.model).any(|api| !tried.contains(api));
        let selection = self.selection(&profile, (left_out, first), ctx).map(move |selected| match ahead {
            Some(Ahead { refused, .. }) if others => selected.map_err(|_| refused),
            // There is nobody left for whom it would wait.
            Some(_) | None => selected,
        });
        let selection = selection.into_actor(self).then(move |selected, actor, ctx| {
            let decided = match selected {
                Err(refused) if waits && actor.may_wait(&refused, deadline) => {
                    let (reply, told) = oneshot::channel();
                    actor.lines.join(Waiter { profile, tried, deadline, client, reply }, refused);
                    actor.plan_lines(ctx);
                    told.map(|told| told.unwrap_or(Err(AdmissionError::Stopping))).left_future()
                }
                decided => ready(decided).right_future(),
            };
            decided.into_actor(actor)
        });
        let answered = selection.map(move |decided, actor, _| {
            // If nobody waits any more, the permit gives itself back.
            let _ = reply.send(actor.with_limits(&model, decided));
        });
        ctx.spawn(answered);
    }
}

impl Handler<Follow> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, Follow(scheduler): Follow, _: &mut Self::Context) {
        scheduler.do_send(BoardChanged(self.board.clone()));
        self.schedulers.push(scheduler);
    }
}

impl Handler<ConfigChanged> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(config.actors.mailbox);
        self.queue = config.queue;
        self.adopt(&config.apis);
    }
}

impl Handler<ModelsFound> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, ModelsFound { api, models }: ModelsFound, _: &mut Self::Context) {
        if self.found.insert(api, models.clone()) != Some(models) {
            self.change_board();
        }
    }
}

impl Handler<ModelsUnavailable> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, ModelsUnavailable { api, retry_at }: ModelsUnavailable, _: &mut Self::Context) {
        self.unlisted.insert(api, retry_at);
    }
}

impl Handler<Revive> for SupervisorActor {
    type Result = ();

    fn handle(&mut self, Revive(id): Revive, _: &mut Self::Context) {
        let dead = self.upstreams.get(&id).is_some_and(|upstream| !upstream.connected());
        if let Some(api) = self.apis.iter().find(|api| api.id == id && dead) {
            log::error!("{id}: its actor ended, which is a defect of this program; it is started anew");
            self.start(api.clone());
            self.change_board();
        }
    }
}

impl Handler<StopUpstreams> for SupervisorActor {
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
