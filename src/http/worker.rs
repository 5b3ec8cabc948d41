//! The state of each worker thread: the addresses of the actors, the connections, and the configuration in force.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix::prelude::*;
use actix_web::web::ServiceConfig;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::concurrency::{LoadReport, LocalConcurrency};
use super::key_spending::PastDays;
use super::request_id::LastApp;
use super::shutdown::LocalShutdown;
use super::{Concurrency, ShutdownSignal};
use crate::alerts::AlertsActor;
use crate::config::{Config, ConfigActor, ConfigChanged, Subscribe};
use crate::homes::Homes;
use crate::keys::{KeyGate, KeysActor};
use crate::mailbox::{ActorKind, Context, LaunchActor, LivesInMailbox, spawn};
use crate::proxy::own_chat::OwnClient;
use crate::proxy::{ClientCache, ClientSecrets, FileCopies, Pool, RetryBudget, SocketEvidence, Spool};
use crate::records::{Recorder, RecorderActor, RecorderHandle};
use crate::scheduler::{SchedulerActor, SupervisorActor};

/// Adds paths beside the API's to a worker's routes: the dashboard.
pub type MorePages = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// The actors behind the handlers, and the configuration at the start of the process.
#[derive(Clone)]
pub struct Core {
    /// Answers `GetConfig`.
    pub config: Addr<ConfigActor>,
    /// Answers questions about the pool, and what no scheduler can answer alone.
    pub supervisor: Addr<SupervisorActor>,
    /// Owns what clients' keys have used.
    pub keys: Addr<KeysActor>,
    /// In force at the start.
    pub initial: Arc<Config>,
    /// The retry budget of all workers.
    pub budget: Arc<RetryBudget>,
    /// Where objects live.
    pub homes: Homes,
    /// Which upstreams speak WebSockets, as far as all workers know.
    pub sockets: Arc<SocketEvidence>,
    /// Whose the secrets of realtime sessions are.
    pub secrets: Arc<ClientSecrets>,
    /// What is kept of files.
    pub copies: Arc<FileCopies>,
    /// How much is served at the same time.
    pub concurrency: Arc<Concurrency>,
    /// How much memory bodies may take, in bytes, unless the configuration says so.
    pub bodies_in_flight: usize,
    /// Receives the record of every request.
    pub recorder: RecorderHandle,
    /// Where large uploads wait.
    pub spool: Arc<Spool>,
    /// How far the shutdown is.
    pub shutdown: ShutdownSignal,
    /// A worker's scheduler has ended, which is a defect: all requests of that worker would be refused for ever.
    pub scheduler_ended: Arc<AtomicBool>,
    /// Answers questions about the receivers of alerts.
    pub alerts: Addr<AlertsActor>,
    /// What is served beside the API.
    pub more: MorePages,
}

/// How often a worker checks the scheduler.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// One worker's share of the application. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    /// For the data path.
    pub pool: Rc<Pool>,
    /// Answers questions about the pool.
    pub supervisor: Addr<SupervisorActor>,
    /// Answers `GetConfig`.
    pub config_actor: Addr<ConfigActor>,
    /// Answers what the ended requests add up to, and who used what.
    pub recorder_actor: Addr<RecorderActor>,
    /// Admits the requests of clients' keys.
    pub(crate) keys: KeyGate,
    /// Answers `GetReceivers`.
    pub(crate) alerts: Addr<AlertsActor>,
    /// What all workers serve at the same time.
    pub(super) concurrency: LocalConcurrency,
    pub(super) shutdown: LocalShutdown,
    pub(crate) sockets: Arc<SocketEvidence>,
    pub(crate) recorder: Recorder,
    pub(super) last_app: LastApp,
    /// Where large uploads wait.
    pub(super) spool: Arc<Spool>,
    /// What keys spent on days that are over.
    pub(super) past_days: PastDays,
    bodies_in_flight: usize,
    config: Current,
    changed: Rc<Notify>,
}

/// The configuration in force, on a worker's thread. Requests count their references on this thread alone.
type Current = Rc<RefCell<Rc<Arc<Config>>>>;

impl Worker {
    /// Starts a worker's share on the current thread. The share follows the configuration from then on.
    pub fn start(core: &Core) -> Worker {
        let config = Rc::new(RefCell::new(Rc::new(core.initial.clone())));
        let changed = Rc::new(Notify::new());
        let follower = Follower { config: config.clone(), changed: changed.clone() }.launch();
        core.config.do_send(Subscribe(follower.recipient()));
        let scheduler = SchedulerActor::new(core.supervisor.clone()).launch();
        spawn(look_after(scheduler.clone(), core.scheduler_ended.clone()));
        let pool = Rc::new(Pool {
            scheduler,
            clients: ClientCache::default(),
            budget: core.budget.clone(),
            homes: core.homes.clone(),
            secrets: core.secrets.clone(),
            copies: core.copies.clone(),
        });
        let shutdown = LocalShutdown::follow(core.shutdown.clone());
        let watched = shutdown.clone();
        Worker {
            pool,
            supervisor: core.supervisor.clone(),
            config_actor: core.config.clone(),
            recorder_actor: core.recorder.actor().clone(),
            keys: KeyGate::new(core.keys.clone()),
            alerts: core.alerts.clone(),
            concurrency: LocalConcurrency::new(core.concurrency.clone()),
            shutdown,
            sockets: core.sockets.clone(),
            recorder: Recorder::new(core.recorder.clone(), move || watched.is_over()),
            last_app: LastApp::default(),
            spool: core.spool.clone(),
            past_days: PastDays::default(),
            bodies_in_flight: core.bodies_in_flight,
            config,
            changed,
        }
    }

    /// Returns how many bytes of request bodies may be in memory at the same time.
    pub(super) fn bodies_in_flight(&self) -> usize {
        self.config.borrow().server.limits.bodies_in_flight.unwrap_or(self.bodies_in_flight)
    }

    /// Returns what the dashboard's own chats need. `client`: where the person at the dashboard is.
    pub fn own_client(&self, client: Option<IpAddr>) -> OwnClient {
        OwnClient {
            pool: self.pool.clone(),
            keys: self.keys.clone(),
            recorder: self.recorder.clone(),
            records: self.recorder_actor.clone(),
            supervisor: self.supervisor.clone(),
            config: Arc::clone(&self.config()),
            client,
        }
    }

    /// Returns whether the server is about to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.shutdown.has_begun()
    }

    /// Returns how much is served now.
    pub(crate) fn load(&self) -> LoadReport {
        self.concurrency.report()
    }

    /// Resolves when another configuration is in force: for connections that stay open.
    pub(super) async fn config_changed(&self) {
        self.changed.notified().await;
    }

    /// Returns the configuration in force.
    pub fn config(&self) -> Rc<Arc<Config>> {
        self.config.borrow().clone()
    }
}

/// Sets `ended` when an actor of this thread has ended.
async fn look_after<A: Actor>(actor: Addr<A>, ended: Arc<AtomicBool>) {
    while actor.connected() {
        sleep(LOOK_AFTER).await;
    }
    ended.store(true, Ordering::Relaxed);
}

/// Keeps a worker's copy of the configuration fresh, so no request sends a message for one.
struct Follower {
    config: Current,
    changed: Rc<Notify>,
}

impl LivesInMailbox for Follower {
    const KIND: ActorKind = ActorKind::Follower;
}

impl Actor for Follower {
    type Context = Context<Self>;
}

impl Handler<ConfigChanged> for Follower {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, _: &mut Self::Context) {
        *self.config.borrow_mut() = Rc::new(config);
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::http::crashing_actor::{Crash, CrashingActor};

    #[test]
    fn a_scheduler_that_panics_on_the_workers_own_thread_is_noticed() {
        let ended = Arc::new(AtomicBool::new(false));
        System::new().block_on(async {
            let actor = CrashingActor.start();
            let mut look = Box::pin(look_after(actor.clone(), ended.clone()));
            assert!(timeout(LOOK_AFTER / 2, &mut look).await.is_err() && !ended.load(Ordering::Relaxed));
            actor.do_send(Crash);
            assert!(timeout(3 * LOOK_AFTER, look).await.is_ok() && ended.load(Ordering::Relaxed));
        });
    }
}
