//! The composition root: starts the actors, listens, watches over the core, and stops in order.

mod app_error;
mod machine;
mod signals;
mod stores;

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix::prelude::*;
use actix_web::dev::ServerHandle;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use jiff::tz::TimeZone;
use tokio::time::{sleep, timeout};

pub use app_error::AppError;
pub use machine::{keep_files_private, open_files};
use signals::{second_stop_signal, stop_signal};
pub use stores::Data;
use stores::Stores;

use crate::alerts::{AlertsActor, FlushAlerts};
use crate::config::{ApiKey, Config, ConfigActor, ConfigSource, ServerLimits, Subscribe, Watcher};
use crate::homes::{FlushHomes, Homes, HomesActor};
use crate::http::{self, Certificate, Core, Listening, ShutdownHandle, ShutdownPhase};
use crate::keys::{KeysActor, StopKeys};
use crate::mailbox::{LaunchActor, spawn};
use crate::persistence::{Flush, PersistenceActor};
use crate::proxy::{DiscoveryActor, FirstRound, Spool};
use crate::records::{FlushRecords, RecordReaders, RecorderActor, UsageRecorder};
use crate::scheduler::{StopUpstreams, SupervisorActor};
use crate::ui::{self, DashboardActor, MakeLink};

/// How long the end of an answer may take after the order to end at once.
const CUT_WITHIN: Duration = Duration::from_millis(300);

/// How long the first clients may wait for the upstreams' lists of models.
const FIRST_ROUND_WITHIN: Duration = Duration::from_millis(500);

/// How long the last alerts may take when the process stops.
const ALERTS_WITHIN: Duration = Duration::from_secs(1);

/// How often the core actors are looked after.
const WATCHDOG: Duration = Duration::from_secs(1);

/// The application, listening but not yet answering.
pub struct App {
    core: Core,
    persistence: Addr<PersistenceActor>,
    homes: Addr<HomesActor>,
    discovery: Addr<DiscoveryActor>,
    dashboard: Addr<DashboardActor>,
    listening: Listening,
    shutdown: ShutdownHandle,
    /// Resolves with a signal to stop.
    stop: LocalBoxFuture<'static, ()>,
    _running: (Watcher, Arbiter),
}

impl App {
    /// Listens and starts the actors. To be called in a running `System`.
    ///
    /// # Errors
    /// When the address or the data folder can't be used.
    pub fn build(source: ConfigSource, config: Config, data: &Data) -> Result<App, AppError> {
        let stop = stop_signal().boxed_local();
        let listening = listening(&config)?;
        warn_of_roots()?;
        let Stores { store, lender, shared_homes, shared_usage, known_homes, copies, usage } =
            Stores::open(&config, data)?;
        let (shared, initial, path) = (lender.is_some(), Arc::new(config), source.path.clone());

        // All core actors share one thread: a message between them costs 0.2 µs, to a sleeping thread 40.
        let control = Arbiter::new();
        let on = control.handle();
        let (alerts, told) = AlertsActor::start_on(&on);
        let persistence = {
            let (told, told_usage) = (told.clone(), shared_usage.clone());
            PersistenceActor::launch_on(&on, |_| {
                PersistenceActor::alerting(store, lender, told).sharing_homes(shared_homes).sharing_usage(told_usage)
            })
        };
        let homes = {
            let persistence = persistence.clone();
            HomesActor::launch_on(&on, move |_| HomesActor::new(known_homes, persistence, shared))
        };
        let supervisor = {
            let (persistence, homes, told) = (persistence.clone(), homes.clone().recipient(), told.clone());
            SupervisorActor::launch_on(&on, move |_| {
                SupervisorActor::new(persistence, shared).telling(homes).alerting(told)
            })
        };
        let keys = KeysActor::start_on(&on, persistence.clone(), shared, told);
        let discovery = {
            let supervisor = supervisor.clone();
            DiscoveryActor::launch_on(&on, |_| DiscoveryActor::new(supervisor))
        };
        let usage = Some(UsageRecorder::new(usage, TimeZone::system(), persistence.clone()).sharing(shared_usage));
        let recorder = RecorderActor::start_on(&on, RecordReaders { format: data.log_format, usage });
        let config = {
            let (initial, reporter) = (initial.clone(), alerts.clone().recipient());
            ConfigActor::launch_on(&on, |_| ConfigActor::new(source, initial).reporting_to(reporter))
        };
        let dashboard = DashboardActor::start_on(&on, initial.clone(), &data.folder);
        let (watcher, shutdown) = (Watcher::start(&path, config.clone()), ShutdownHandle::default());
        let core = Core {
            config,
            supervisor,
            keys,
            initial,
            concurrency: Arc::default(),
            bodies_in_flight: machine::bodies_in_flight(),
            recorder,
            spool: Arc::new(Spool::new(data.folder.join("uploads"))),
            shutdown: shutdown.watch(),
            budget: Arc::default(),
            homes: Homes::of(homes.clone()),
            sockets: Arc::default(),
            secrets: Arc::default(),
            copies,
            scheduler_ended: Arc::default(),
            alerts,
            more: ui::configure(dashboard.clone()),
        };
        let _running = (watcher, control);
        Ok(App { core, persistence, homes, discovery, dashboard, listening, shutdown, stop, _running })
    }

    /// Returns the addresses of the listeners.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listening.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Returns the port of the dashboard.
    pub fn dashboard_port(&self) -> Option<u16> {
        let Listening { listeners, admin, .. } = &self.listening;
        admin.first().or(listeners.first())?.local_addr().ok().map(|address| address.port())
    }

    /// Returns the secret of a link that logs the holder of a key in once.
    pub async fn log_in_link(&self, key: ApiKey) -> Option<String> {
        self.dashboard.send(MakeLink { key }).await.ok()
    }

    /// Serves until a signal (SIGINT, SIGTERM) stops the process; then lets running answers end, and saves.
    ///
    /// # Errors
    /// When the server ended for another reason.
    pub async fn run(mut self) -> Result<(), AppError> {
        let (supervisor, keys) = (self.core.supervisor.clone(), self.core.keys.clone());
        let (persistence, homes) = (self.persistence.clone(), self.homes.clone());
        let (recorder, alerts) = (self.core.recorder.actor().clone(), self.core.alerts.clone());
        let ended = tokio::select! {
            biased;
            () = &mut self.stop => Ok(()),
            ready = ready(&self.core, &self.discovery, &self.dashboard) => match ready {
                Ok(()) => self.serve().await,
                Err(e) => Err(e),
            },
        };
        let _ = recorder.send(FlushRecords).await;
        let _ = alerts.send(FlushAlerts).timeout(ALERTS_WITHIN).await;
        let _ = supervisor.send(StopUpstreams).await;
        let _ = keys.send(StopKeys).await;
        let _ = homes.send(FlushHomes).await;
        match persistence.send(Flush).await {
            Ok(Ok(())) => log::info!("stopped; the counts are saved"),
            Ok(Err(e)) => log::error!("stopped; the last counts could not be saved: {e}"),
            Err(e) => log::error!("stopped; the last counts could not be saved: {e}"),
        }
        ended
    }

    /// Serves until the order to stop, and until the requests of that moment have ended.
    async fn serve(self) -> Result<(), AppError> {
        if let Some(certificate) = &self.listening.certificate {
            spawn(certificate.clone().follow());
        }
        let server = http::serve(&self.core, self.listening)?;
        let handle = server.handle();
        let mut server = std::pin::pin!(server);
        let limits = &self.core.initial.server.limits;
        let core: [(_, &dyn Fn() -> bool); 6] = [
            ("ConfigActor", &|| self.core.config.connected()),
            ("SupervisorActor", &|| self.core.supervisor.connected()),
            ("KeysActor", &|| self.core.keys.connected()),
            ("PersistenceActor", &|| self.persistence.connected()),
            ("HomesActor", &|| self.homes.connected()),
            ("SchedulerActor", &|| !self.core.scheduler_ended.load(Ordering::Relaxed)),
        ];
        tokio::select! {
            ended = &mut server => ended.map_err(AppError::from),
            () = self.stop => {
                let within = (limits.drain_delay + limits.shutdown_timeout).as_secs_f32();
                log::info!("stopping: running answers may take {within} s more; a second signal cuts them off");
                tokio::select! {
                    ended = &mut server => ended.map_err(AppError::from),
                    never = wind_down(&self.shutdown, &handle, limits) => match never {},
                    () = second_stop_signal() => {
                        log::warn!("stopping at once: running answers are cut off");
                        self.shutdown.reached(ShutdownPhase::Over);
                        let _ = timeout(CUT_WITHIN, &mut server).await;
                        Ok(())
                    }
                }
            }
            dead = watchdog(&core) => Err(AppError::CoreActorEnded(dead)),
        }
    }
}

/// Waits until the supervisor knows the upstreams, and for a moment until the upstreams have listed their models.
async fn ready(
    core: &Core,
    discovery: &Addr<DiscoveryActor>,
    dashboard: &Addr<DashboardActor>,
) -> Result<(), AppError> {
    let subscribers = [
        core.keys.clone().recipient(),
        core.supervisor.clone().recipient(),
        discovery.clone().recipient(),
        dashboard.clone().recipient(),
        core.recorder.actor().clone().recipient(),
        core.alerts.clone().recipient(),
    ];
    for subscriber in subscribers {
        let subscribed = core.config.send(Subscribe(subscriber)).await;
        subscribed.map_err(|_| AppError::CoreActorEnded("ConfigActor"))?;
    }
    let _ = discovery.send(FirstRound).timeout(FIRST_ROUND_WITHIN).await;
    Ok(())
}

/// Warns of certificates that are to be trusted and can't be read.
fn warn_of_roots() -> Result<(), AppError> {
    for problem in transport::trusted_roots()?.problems() {
        log::warn!("{problem}");
    }
    Ok(())
}

/// Opens the listeners of a configuration.
fn listening(config: &Config) -> Result<Listening, AppError> {
    let server = &config.server;
    let certificate = server.limits.tls.as_ref().map(Certificate::load).transpose()?;
    let max_connections = machine::max_connections(&server.limits);
    let listeners = listeners(&server.host, server.port)?;
    let admin = server.admin.as_ref().map(|(host, port)| self::listeners(host, *port)).transpose()?;
    Ok(Listening { listeners, admin: admin.unwrap_or_default(), max_connections, certificate })
}

/// Listens on an address.
fn listeners(host: &str, port: u16) -> Result<Vec<TcpListener>, AppError> {
    machine::listen(host, port).map_err(|why| AppError::Listen { host: host.to_owned(), port, why })
}

/// Lets running answers end, and cuts off the rest when time is up. The server ends by itself when all answers have.
async fn wind_down(shutdown: &ShutdownHandle, server: &ServerHandle, limits: &ServerLimits) -> Infallible {
    shutdown.reached(ShutdownPhase::Stopping);
    sleep(limits.drain_delay).await;
    shutdown.reached(ShutdownPhase::Draining);
    spawn(server.stop(true));
    sleep(limits.shutdown_timeout).await;
    log::warn!("stopping: answers that still run are cut off");
    shutdown.reached(ShutdownPhase::Over);
    std::future::pending().await
}

/// Resolves with the name of an ended core actor. Without the actor the process would look healthy and serve nobody.
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
    use crate::http::crashing_actor::{Crash, CrashingActor};

    #[test]
    fn a_core_actor_that_panics_ends_the_watch() {
        System::new().block_on(async {
            let (well, ill) =
                (CrashingActor.start(), CrashingActor::start_in_arbiter(&Arbiter::new().handle(), |_| CrashingActor));
            let core: [(_, &dyn Fn() -> bool); 2] = [("well", &|| well.connected()), ("ill", &|| ill.connected())];
            assert!(timeout(2 * WATCHDOG, watchdog(&core)).await.is_err(), "both live");
            ill.do_send(Crash);
            assert_eq!(timeout(3 * WATCHDOG, watchdog(&core)).await, Ok("ill"));
        });
    }
}
