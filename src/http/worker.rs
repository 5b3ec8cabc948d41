//! What each worker thread has at hand: the addresses of the actors, its connections, and the configuration in force.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;

use crate::config::{Config, ConfigActor, ConfigChanged, Subscribe};
use crate::proxy::{Clients, Pool, RetryBudget};
use crate::scheduler::{SchedulerActor, SupervisorActor};

/// The actors that handlers talk to, and the configuration that the process started with.
#[derive(Clone)]
pub struct Core {
    /// Answers `GetConfig`.
    pub config: Addr<ConfigActor>,
    /// Answers what is asked about the pool, and what no scheduler can answer alone.
    pub supervisor: Addr<SupervisorActor>,
    /// In force at the start.
    pub initial: Arc<Config>,
    /// What all workers may spend on trying again.
    pub budget: Arc<RetryBudget>,
}

/// One worker's share of the application. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    /// For the data path.
    pub pool: Pool,
    /// Answers what is asked about the pool.
    pub supervisor: Addr<SupervisorActor>,
    /// Answers `GetConfig`.
    pub config_actor: Addr<ConfigActor>,
    config: Rc<RefCell<Arc<Config>>>,
}

impl Worker {
    /// Starts a worker's share on the current thread; it follows the configuration from then on.
    pub fn start(core: &Core) -> Worker {
        let config = Rc::new(RefCell::new(core.initial.clone()));
        let follower = Follower(config.clone()).start();
        core.config.do_send(Subscribe(follower.recipient()));
        let scheduler = SchedulerActor::new(core.supervisor.clone()).start();
        let pool = Pool { scheduler, clients: Rc::new(Clients::default()), budget: core.budget.clone() };
        Worker { pool, supervisor: core.supervisor.clone(), config_actor: core.config.clone(), config }
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.borrow().clone()
    }
}

/// Keeps a worker's copy of the configuration fresh, so that no request has to ask for it.
struct Follower(Rc<RefCell<Arc<Config>>>);

impl Actor for Follower {
    type Context = Context<Self>;
}

impl Handler<ConfigChanged> for Follower {
    type Result = ();

    fn handle(&mut self, ConfigChanged(config): ConfigChanged, _: &mut Self::Context) {
        *self.0.borrow_mut() = config;
    }
}
