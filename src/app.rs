//! The composition root: starts the actors, listens, watches over the core, and stops in order.

mod machine;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use actix_web::dev::ServerHandle;
use thiserror::Error;
use tokio::time::{sleep, timeout};

pub use machine::{keep_files_private, open_files};

use crate::config::{Config, ConfigActor, EdgeConfig, Source, Subscribe, Watcher};
use crate::http::{self, Certificate, Core, End, Listening, Load, Phase, TlsError};
use crate::persistence::{Flush, PersistenceActor, RedisStore, SharedBackend, SledStore, StoreError};
use crate::proxy::{DiscoveryActor, FirstRound};
use crate::scheduler::{StopUpstreams, SupervisorActor};

/// The share of the machine's memory that bodies may take: they count once, and are there twice while they are written upstream.
const BODIES_SHARE: u64 = 8;

/// Files that are open whatever is served: the store, the log, listeners, the runtime's own.
const OWN_FILES: u64 = 48;

/// How long answers may take that are told to end at once.
const CUT_WITHIN: Duration = Duration::from_millis(300);

/// Clients' connections, where the process may open more files than anybody needs.
const MOST_CONNECTIONS: u64 = 25_000;

/// How long the first clients may be kept waiting for upstreams to tell their models.
const FIRST_ROUND_WITHIN: Duration = Duration::from_millis(500);

/// How often the core actors are looked after.
const WATCHDOG: Duration = Duration::from_secs(1);

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
    /// The server's certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
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
    listening: Listening,
    end: End,
    _watcher: Watcher,
    _control: Arbiter,
}

impl App {
    /// Listens and starts the actors. To be called in a running `System`.
    ///
    /// # Errors
    /// When the address or the data folder can't be used.
    pub fn build(source: Source, config: Config, data: &Data) -> Result<App, AppError> {
        let certificate = config.server.edge.tls.as_ref().map(Certificate::load).transpose()?;
        let (host, port) = (&config.server.host, config.server.port);
        let listeners =
            machine::listen(host, port).map_err(|why| AppError::Listen { host: host.clone(), port, why })?;
        let failed = |why| AppError::Store { folder: data.folder.clone(), why };
        let store = SledStore::open(&data.folder, data.fresh).map_err(failed)?;
        let lender = config.store.as_ref().map(|store| RedisStore::new(store.url.expose(), &store.prefix)).transpose();
        let lender = lender.map_err(AppError::SharedStore)?.map(|lender| Arc::new(lender) as Arc<dyn SharedBackend>);
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
        let end = End::default();
        let (load, ending) = (Arc::new(Load::default()), end.watch());
        let bodies_in_flight = usize::try_from(machine::memory() / BODIES_SHARE).unwrap_or(usize::MAX);
        let listening = Listening { listeners, max_connections: max_connections(&initial.server.edge), certificate };
        let core = Core {
            config,
            supervisor,
            initial,
            load,
            bodies_in_flight,
            ending,
            budget: Arc::default(),
            scheduler_ended: Arc::default(),
        };
        let (_watcher, _control) = (watcher, control);
        Ok(App { core, persistence, discovery, listening, end, _watcher, _control })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listening.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Answers until the process is told to stop (SIGINT, SIGTERM); then lets running answers end, and saves.
    ///
    /// # Errors
    /// When it ended for another reason.
    pub async fn run(self) -> Result<(), AppError> {
        let (supervisor, persistence) = (self.core.supervisor.clone(), self.persistence.clone());
        let mut stop = Box::pin(stop_signal());
        let ended = tokio::select! {
            biased;
            () = &mut stop => Ok(()),
            ready = self.ready() => match ready {
                Ok(()) => self.serve(stop).await,
                Err(e) => Err(e),
            },
        };
        let _ = supervisor.send(StopUpstreams).await;
        match persistence.send(Flush).await {
            Ok(Ok(())) => log::info!("stopped; the counts are saved"),
            Ok(Err(e)) => log::error!("stopped; the last counts could not be saved: {e}"),
            Err(e) => log::error!("stopped; the last counts could not be saved: {e}"),
        }
        ended
    }

    /// The supervisor knows the upstreams before the first client is let in, and their models if they are quick.
    async fn ready(&self) -> Result<(), AppError> {
        let subscribers = [self.core.supervisor.clone().recipient(), self.discovery.clone().recipient()];
        for subscriber in subscribers {
            let subscribed = self.core.config.send(Subscribe(subscriber)).await;
            subscribed.map_err(|_| AppError::CoreActorEnded("ConfigActor"))?;
        }
        let _ = self.discovery.send(FirstRound).timeout(FIRST_ROUND_WITHIN).await;
        Ok(())
    }

    /// Answers until told to stop, and until what runs then has ended.
    async fn serve(self, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        if let Some(certificate) = &self.listening.certificate {
            actix::spawn(certificate.clone().follow());
        }
        let server = http::serve(&self.core, self.listening)?;
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        let edge = &self.core.initial.server.edge;
        let core: [(_, &dyn Fn() -> bool); 4] = [
            ("ConfigActor", &|| self.core.config.connected()),
            ("SupervisorActor", &|| self.core.supervisor.connected()),
            ("PersistenceActor", &|| self.persistence.connected()),
            ("SchedulerActor", &|| !self.core.scheduler_ended.load(Ordering::Relaxed)),
        ];
        tokio::select! {
            ended = &mut server => ended.map_err(AppError::from),
            () = stop => {
                let within = (edge.drain_delay + edge.shutdown_timeout).as_secs_f32();
                log::info!("stopping: running answers may take {within} s more; once more to stop at once");
                tokio::select! {
                    ended = &mut server => ended.map_err(AppError::from),
                    never = wind_down(&self.end, &handle, edge) => match never {},
                    () = stop_signal() => {
                        log::warn!("stopping at once: running answers are cut off");
                        self.end.reached(Phase::Over);
                        let _ = timeout(CUT_WITHIN, &mut server).await;
                        Ok(())
                    }
                }
            }
            dead = watchdog(&core) => Err(AppError::CoreActorEnded(dead)),
        }
    }
}

/// Lets running answers end, and in the end tells those that still run to. The server's own end is when all have.
async fn wind_down(end: &End, server: &ServerHandle, edge: &EdgeConfig) -> Infallible {
    end.reached(Phase::Stopping);
    sleep(edge.drain_delay).await;
    actix::spawn(server.stop(true));
    sleep(edge.shutdown_timeout).await;
    log::warn!("stopping: answers that still run are cut off");
    end.reached(Phase::Over);
    std::future::pending().await
}

/// As configured; or half of the files that may be open: the other half is for upstreams, for there may be as many, and for those
/// who are told that they are too many.
fn max_connections(edge: &EdgeConfig) -> usize {
    let half = |files: u64| (files.saturating_sub(OWN_FILES) * 8 / 17).clamp(1, MOST_CONNECTIONS);
    let files = machine::open_files().map_or(MOST_CONNECTIONS, half);
    edge.max_connections.or_else(|| usize::try_from(files).ok()).unwrap_or(usize::MAX)
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
async fn watchdog(core: &[(&'static str, &dyn Fn() -> bool)]) -> &'static str {
    loop {
        sleep(WATCHDOG).await;
        if let Some((dead, _)) = core.iter().find(|(_, lives)| !lives()) {
            return dead;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::mortal::{Die, Mortal};

    #[test]
    fn a_core_actor_that_panics_ends_the_watch() {
        System::new().block_on(async {
            let (well, ill) = (Mortal.start(), Mortal::start_in_arbiter(&Arbiter::new().handle(), |_| Mortal));
            let core: [(_, &dyn Fn() -> bool); 2] = [("well", &|| well.connected()), ("ill", &|| ill.connected())];
            assert!(timeout(2 * WATCHDOG, watchdog(&core)).await.is_err(), "both live");
            ill.do_send(Die);
            assert_eq!(timeout(3 * WATCHDOG, watchdog(&core)).await, Ok("ill"));
        });
    }
}
