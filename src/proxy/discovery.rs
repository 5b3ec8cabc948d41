//! Asks the upstreams that list no `models`, or patterns of names, for theirs: at load, every ten minutes, and sooner after a failure.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use transport::ClientCache;

use super::model_list::{self, ModelListReply};
use crate::config::{ApiConfig, ConfigChanged};
use crate::mailbox::{ActorKind, Context, LaterReply, LivesInMailbox};
use crate::scheduler::{ModelNames, ModelsFound, ModelsUnavailable, SupervisorActor};
use crate::types::{ApiId, Failure, Now};
use crate::upstream::{Endpoint, mend};

/// How often a list is asked for again.
const REFRESH: Duration = Duration::from_secs(600);

/// How soon after a failure.
const RETRY: Duration = Duration::from_secs(15);

/// How long a list may take.
const WITHIN: Duration = Duration::from_secs(20);

/// Keeps the lists of models fresh. Not part of any quota: providers don't count these.
pub struct DiscoveryActor {
    supervisor: Addr<SupervisorActor>,
    clients: std::rc::Rc<ClientCache>,
    asked: HashMap<ApiId, (Arc<ApiConfig>, Arc<Endpoint>)>,
    /// Why upstreams could not be asked, as long as they can't.
    failing: HashMap<ApiId, String>,
    outstanding: usize,
    waiting: Vec<oneshot::Sender<()>>,
}

/// Answered when every list that is being asked for has come or failed. Sent by the app at start, so that the first
/// client finds the models there; a lost one costs nothing.
#[derive(Message)]
#[rtype(result = "()")]
pub struct FirstRound;

impl DiscoveryActor {
    /// Reports to `scheduler`.
    pub fn new(supervisor: Addr<SupervisorActor>) -> Self {
        DiscoveryActor {
            supervisor,
            clients: std::rc::Rc::default(),
            asked: HashMap::new(),
            failing: HashMap::new(),
            outstanding: 0,
            waiting: Vec::new(),
        }
    }

    fn ask(&mut self, endpoint: Arc<Endpoint>, ctx: &mut Context<Self>) {
        self.outstanding += 1;
        let clients = self.clients.clone();
        let asking = {
            let endpoint = endpoint.clone();
            async move { tokio::time::timeout(WITHIN, model_list::ask(&clients, &endpoint)).await }
        };
        asking
            .into_actor(self)
            .map(move |found, actor, ctx| {
                actor.outstanding -= 1;
                if actor.outstanding == 0 {
                    // Dropping what they wait for is the word that they wait for.
                    actor.waiting.clear();
                }
                let found = found.unwrap_or_else(|_| Err(model_list::timeout())).map(ModelNames::from);
                if !actor.is_current(&endpoint) {
                    return;
                }
                let again = actor.report(&endpoint, found);
                ctx.run_later(again, move |actor, ctx| actor.ask_again(&endpoint, ctx));
            })
            .spawn(ctx);
    }

    fn report(&mut self, endpoint: &Endpoint, found: Result<ModelNames, Failure>) -> Duration {
        let api = endpoint.api.clone();
        match found {
            Ok(models) => {
                self.failing.remove(&api);
                let has_patterns = self.asked.get(&api).is_some_and(|(config, _)| !config.models.patterns().is_empty());
                log_list(&api, &models, has_patterns);
                self.supervisor.do_send(ModelsFound { api, models });
                REFRESH
            }
            Err(why) => {
                let class = why.class;
                let url = endpoint.list_reach().map(model_list::shown_url).unwrap_or_default();
                let why = format!("GET {url}: {}: {}", why.detail, mend(&why));
                // Once, and not each time for as long as it goes on.
                if self.failing.insert(api.clone(), why.clone()).as_ref() != Some(&why) {
                    log::warn!("{api}: could not be asked for its models ({why}); again each {} s", RETRY.as_secs());
                }
                let retry_at = Now::read_mono() + RETRY.as_millis() as u64;
                self.supervisor.do_send(ModelsUnavailable { api, retry_at, class, detail: why });
                RETRY
            }
        }
    }

    fn ask_again(&mut self, endpoint: &Arc<Endpoint>, ctx: &mut Context<Self>) {
        if self.is_current(endpoint) {
            self.ask(endpoint.clone(), ctx);
        }
    }

    /// Or has the configuration changed since? Then another round is under way, or none is wanted.
    fn is_current(&self, endpoint: &Endpoint) -> bool {
        self.asked.get(&endpoint.api).is_some_and(|(_, current)| current.serial == endpoint.serial)
    }
}

/// Logs what came of the question. `has_patterns`: the file has patterns, which say what is asked there.
fn log_list(api: &ApiId, models: &ModelNames, has_patterns: bool) {
    match models {
        ModelNames::These(names) if names.is_empty() && !has_patterns => {
            log::warn!("{api}: its list of models is empty, and nothing is asked there. List `models` for it");
        }
        ModelNames::These(names) if has_patterns => log::info!("{api}: its own list has {} models", names.len()),
        ModelNames::These(names) => log::info!("{api}: serves {} models", names.len()),
        ModelNames::Any if has_patterns => {
            log::info!("{api}: it has no list of models; those of its patterns are served, and not listed");
        }
        ModelNames::Any => {
            log::warn!("{api}: it has no list of models; every model is tried there. List `models` for it");
        }
    }
}

impl From<ModelListReply> for ModelNames {
    fn from(reply: ModelListReply) -> Self {
        match reply {
            ModelListReply::Names(names) => ModelNames::These(names),
            ModelListReply::NoList(_) => ModelNames::Any,
        }
    }
}

impl LivesInMailbox for DiscoveryActor {
    const KIND: ActorKind = ActorKind::Discovery;
}

impl Actor for DiscoveryActor {
    type Context = Context<Self>;
}

impl Handler<ConfigChanged> for DiscoveryActor {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, ctx: &mut Self::Context) {
        let wanted = |api: &&Arc<ApiConfig>| api.enabled && api.models.are_asked();
        self.asked.retain(|id, _| config.apis.iter().filter(wanted).any(|api| api.id == *id));
        for api in config.apis.iter().filter(wanted) {
            if self.asked.get(&api.id).is_none_or(|(known, _)| known != api) {
                let endpoint = Arc::new(Endpoint::new(api));
                let why =
                    if api.models.patterns().is_empty() { "lists no models" } else { "has patterns in its models" };
                log::info!("{}: {why}, it is asked for its list", api.id);
                self.asked.insert(api.id.clone(), (api.clone(), endpoint.clone()));
                self.ask(endpoint, ctx);
            }
        }
    }
}

impl Handler<FirstRound> for DiscoveryActor {
    type Result = LaterReply<()>;

    fn handle(&mut self, _: FirstRound, _: &mut Self::Context) -> Self::Result {
        let (done, first_round) = oneshot::channel();
        if self.outstanding > 0 {
            self.waiting.push(done);
        }
        // A sender that is dropped unsent has nothing to wait for.
        LaterReply::of(async { first_round.await.unwrap_or_default() })
    }
}
