//! The composition root: starts the actors, listens, watches over the core, and stops in order.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use thiserror::Error;

use crate::config::{Config, ConfigActor, Source, Subscribe, Watcher};
use crate::http::{Core, Worker, routes};
use crate::persistence::{Flush, Lender, PersistenceActor, RedisStore, SledStore, StoreError};
use crate::proxy::{DiscoveryActor, FirstRound};
use crate::scheduler::{StopUpstreams, SupervisorActor};

/// How long running answers may take to end when the process is asked to stop.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(30);

/// How long the first clients may be kept waiting for upstreams to tell their models.
const FIRST_ROUND_WITHIN: Duration = Duration::from_secs(1);

/// How often the core actors are looked after.
const WATCHDOG: Duration = Duration::from_secs(1);

/// How long a client's connection is kept idle.
const CLIENT_KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Why the application did not start, or ended.
#[derive(Debug, Error)]
pub enum AppError {
    /// The address can't be listened on.
    #[error("can't listen on {host}:{port}: {why}; choose another with --port or --host")]
    Listen {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// What the system said.
        why: io::Error,
    },
    /// The data folder can't be used.
    #[error("{}: {why}", folder.display())]
    Store {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        why: StoreError,
    },
    /// The store that servers share can't be used.
    #[error("{0}")]
    SharedStore(StoreError),
    /// The server ended by itself.
    #[error("the server ended: {0}")]
    Server(#[from] io::Error),
    /// An actor that nothing works without has ended.
    #[error("the {0} ended, which is a defect of this program")]
    CoreActorEnded(&'static str),
}

/// Where counts and statistics are kept.
#[derive(Debug, Clone)]
pub struct Data {
    /// The folder.
    pub folder: PathBuf,
    /// If it is damaged, begin at zero, and not with every limit spent.
    pub fresh: bool,
}

/// The application, listening but not yet answering.
pub struct App {
    core: Core,
    persistence: Addr<PersistenceActor>,
    discovery: Addr<DiscoveryActor>,
    listeners: Vec<TcpListener>,
    _watcher: Watcher,
    _control: Arbiter,
}

impl App {
    /// Listens and starts the actors. To be called in a running `System`.
    ///
    /// # Errors
    /// When the address or the data folder can't be used.
    pub fn build(source: Source, config: Config, data: &Data) -> Result<App, AppError> {
        let listeners = listen(&config.server.host, config.server.port)?;
        let failed = |why| AppError::Store { folder: data.folder.clone(), why };
        let store = SledStore::open(&data.folder, data.fresh).map_err(failed)?;
        let lender = config.store.as_ref().map(|store| RedisStore::new(store.url.expose(), &store.prefix)).transpose();
        let lender = lender.map_err(AppError::SharedStore)?.map(|lender| Arc::new(lender) as Arc<dyn Lender>);
        let shared = lender.is_some();
        let initial = Arc::new(config);

        // All core actors share one thread: a message between them costs 0.2 µs, to a sleeping thread 40.
        let control = Arbiter::new();
        let on = control.handle();
        let persistence = PersistenceActor::start_in_arbiter(&on, |_| PersistenceActor::new(Arc::new(store), lender));
        let supervisor = {
            let persistence = persistence.clone();
            SupervisorActor::start_in_arbiter(&on, move |_| SupervisorActor::new(persistence, shared))
        };
        let discovery = {
            let supervisor = supervisor.clone();
            DiscoveryActor::start_in_arbiter(&on, |_| DiscoveryActor::new(supervisor))
        };
        let path = source.path.clone();
        let config = {
            let initial = initial.clone();
            ConfigActor::start_in_arbiter(&on, |_| ConfigActor::new(source, initial))
        };
        let watcher = Watcher::start(&path, config.clone());
        let core = Core { config, supervisor, initial, budget: Arc::default() };
        Ok(App { core, persistence, discovery, listeners, _watcher: watcher, _control: control })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Answers until the process is told to stop (SIGINT, SIGTERM); then lets running answers end, and saves.
    ///
    /// # Errors
    /// When it ended for another reason.
    pub async fn run(self) -> Result<(), AppError> {
        // The supervisor knows the upstreams before the first client is let in, and their models if they are quick.
        let subscribers = [self.core.supervisor.clone().recipient(), self.discovery.clone().recipient()];
        for subscriber in subscribers {
            let subscribed = self.core.config.send(Subscribe(subscriber)).await;
            subscribed.map_err(|_| AppError::CoreActorEnded("ConfigActor"))?;
        }
        let _ = self.discovery.send(FirstRound).timeout(FIRST_ROUND_WITHIN).await;

        let core = self.core.clone();
        let mut server = HttpServer::new(move || routes(Worker::start(&core)))
            .keep_alive(CLIENT_KEEP_ALIVE)
            // A client that hangs up is noticed at once, and its upstream is stopped.
            .h1_allow_half_closed(false)
            .tcp_nodelay(true)
            .shutdown_timeout(SHUTDOWN_WITHIN.as_secs())
            .disable_signals();
        if let Some(workers) = self.core.initial.actors.workers {
            server = server.workers(workers);
        }
        for listener in self.listeners {
            server = server.listen(listener)?;
        }
        let server = server.run();
        let handle = server.handle();
        let mut server = std::pin::pin!(server);

        let ended = tokio::select! {
            ended = &mut server => ended.map_err(AppError::from),
            () = stop_signal() => {
                log::info!("stopping: running answers may take {} s more; once more to stop at once", SHUTDOWN_WITHIN.as_secs());
                actix::spawn(stop(handle));
                tokio::select! {
                    ended = &mut server => ended.map_err(AppError::from),
                    () = stop_signal() => {
                        log::warn!("stopping at once: answers that are cut off are not in the token statistics");
                        Ok(())
                    }
                }
            }
            dead = watchdog(&self.core, &self.persistence) => Err(AppError::CoreActorEnded(dead)),
        };
        let _ = self.core.supervisor.send(StopUpstreams).await;
        match self.persistence.send(Flush).await {
            Ok(Ok(())) => log::info!("stopped; the counts are saved"),
            Ok(Err(e)) => log::error!("stopped; the last counts could not be saved: {e}"),
            Err(e) => log::error!("stopped; the last counts could not be saved: {e}"),
        }
        ended
    }
}

async fn stop(server: ServerHandle) {
    server.stop(true).await;
}

/// `localhost` is both loopback addresses: a client may resolve it to either.
fn listen(host: &str, port: u16) -> Result<Vec<TcpListener>, AppError> {
    let failed = |why| AppError::Listen { host: host.to_owned(), port, why };
    if host != "localhost" {
        let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs().map_err(failed)?.collect();
        return Ok(vec![TcpListener::bind(&*addresses).map_err(failed)?]);
    }
    let v4 = TcpListener::bind(("127.0.0.1", port)).map_err(failed)?;
    let port = v4.local_addr().map_err(failed)?.port();
    match TcpListener::bind(("::1", port)) {
        Ok(v6) => Ok(vec![v4, v6]),
        // A machine without IPv6 has one loopback address; a taken port is taken.
        Err(why) if why.kind() == io::ErrorKind::AddrInUse => Err(failed(why)),
        Err(_) => Ok(vec![v4]),
    }
}

/// Resolves when the process is told to stop.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// Resolves with the name of a core actor that has ended: a process without it would look healthy and serve nobody.
async fn watchdog(core: &Core, persistence: &Addr<PersistenceActor>) -> &'static str {
    loop {
        tokio::time::sleep(WATCHDOG).await;
        let alive = [
            ("ConfigActor", core.config.connected()),
            ("SupervisorActor", core.supervisor.connected()),
            ("PersistenceActor", persistence.connected()),
        ];
        if let Some((dead, _)) = alive.iter().find(|(_, connected)| !connected) {
            return dead;
        }
    }
}
