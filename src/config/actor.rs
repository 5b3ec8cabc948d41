//! The owner of the configuration in force.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::changes;
use super::edit::{Adopted, EditError, EditJob, EditedConfig, MaskedConfig, masked_text};
use super::load::{is_current, load};
use super::messages::{
    ConfigChanged, ConfigState, EditConfig, GetConfig, GetConfigText, Reload, ReloadReported, Subscribe,
};
use super::model::Config;
use super::reading::ConfigError;
use super::server_limits::ServerLimits;
use super::source::ConfigSource;
use crate::mailbox::{self, ActorKind, Context, LaterReply, LivesInMailbox};
use crate::text::file::remove_left_draft;
use crate::types::{Now, clock_time};

/// How long an edit may take: files are read and written on another thread.
const EDIT_WITHIN: Duration = Duration::from_secs(10);

/// Owns the valid configuration in force, and replaces the configuration when the file's content changes into another valid one.
pub struct ConfigActor {
    source: ConfigSource,
    /// The configuration of the start: what it says of the server's address holds until the end.
    started: Arc<Config>,
    state: ConfigState,
    subscribers: Vec<Recipient<ConfigChanged>>,
    /// Is told of mistakes.
    reporter: Option<Recipient<ReloadReported>>,
}

impl ConfigActor {
    /// Takes the configuration of the start, and its source.
    pub fn new(source: ConfigSource, config: Arc<Config>) -> Self {
        config.actors.apply();
        let state = ConfigState { config: config.clone(), loaded_at: Now::read().wall, last_error: None };
        ConfigActor { source, started: config, state, subscribers: Vec::new(), reporter: None }
    }

    /// Tells `reporter` of mistakes in the file, and of their end.
    #[must_use]
    pub fn reporting_to(self, reporter: Recipient<ReloadReported>) -> Self {
        ConfigActor { reporter: Some(reporter), ..self }
    }

    fn report(&self, before: Option<&String>) {
        let now = self.state.last_error.as_ref();
        if let Some(reporter) = self.reporter.as_ref().filter(|_| now != before) {
            reporter.do_send(ReloadReported(now.cloned()));
        }
    }

    fn adopt(&mut self, loaded: Result<Config, ConfigError>, forced: bool) {
        match loaded {
            Ok(config) if config.hash == self.state.config.hash => {
                if self.state.last_error.take().is_some() {
                    log::info!("configuration: the file is as it was when it was last good");
                } else if forced {
                    log::info!("configuration: read again, nothing changed");
                }
            }
            Ok(config) => {
                self.announce(&config);
                config.actors.apply();
                let config = Arc::new(config);
                self.state = ConfigState { config: config.clone(), loaded_at: Now::read().wall, last_error: None };
                self.subscribers.retain(Recipient::connected);
                for subscriber in &self.subscribers {
                    subscriber.do_send(ConfigChanged(config.clone()));
                }
            }
            Err(error) => {
                let why = error.to_string();
                // The poll comes every second: say a mistake once.
                if forced || self.state.last_error.as_ref() != Some(&why) {
                    let mut lines = why.lines();
                    let first = lines.next().unwrap_or_default();
                    let since = clock_time(self.state.loaded_at, Now::read().wall);
                    log::error!("configuration: {first}; the configuration of {since} stays in force");
                    lines.for_each(|line| log::error!("configuration: {line}"));
                    if why.contains("environment variable") {
                        log::error!(
                            "configuration: the environment and .env are read at the start: restart the server"
                        );
                    }
                }
                self.state.last_error = Some(why);
            }
        }
    }

    fn announce(&self, config: &Config) {
        let old = &self.state.config;
        log::info!("configuration: reloaded, {} (hash {})", changes::told(old, config), config.hash);
        for warning in &config.warnings {
            log::warn!("configuration: {warning}");
        }
        // What is in force since the start is no news, nor is what waits for a restart already.
        let waits = |differ: fn(&Config, &Config) -> bool| differ(config, &self.started) && differ(config, old);
        if waits(|one, other| one.store != other.store) {
            log::warn!("configuration: a new store takes effect after a restart");
        }
        if waits(|one, other| one.server.address() != other.server.address()) {
            log::warn!("configuration: a new server.host, server.port or server.admin takes effect after a restart");
        }
        let (old, new) = (&old.server, &config.server);
        let taken_up = ServerLimits {
            max_requests: new.limits.max_requests,
            bodies_in_flight: new.limits.bodies_in_flight,
            body_timeout: new.limits.body_timeout,
            ..old.limits.clone()
        };
        if taken_up != new.limits {
            let fields =
                "server.maxConnections, headTimeoutMs, writeTimeoutMs, drainDelayMs, shutdownTimeoutSec or tls";
            log::warn!("configuration: a new value of {fields} takes effect after a restart");
        }
    }
}

impl LivesInMailbox for ConfigActor {
    const KIND: ActorKind = ActorKind::Config;
}

impl Actor for ConfigActor {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        remove_left_draft(&self.source.path);
    }
}

impl Handler<GetConfig> for ConfigActor {
    type Result = ConfigState;

    fn handle(&mut self, _: GetConfig, _: &mut Self::Context) -> ConfigState {
        self.state.clone()
    }
}

impl Handler<Subscribe> for ConfigActor {
    type Result = ();

    fn handle(&mut self, Subscribe(subscriber): Subscribe, _: &mut Self::Context) {
        subscriber.do_send(ConfigChanged(self.state.config.clone()));
        self.subscribers.push(subscriber);
    }
}

impl Handler<Reload> for ConfigActor {
    type Result = ();

    // Reads two or three small files: a blocking read of some µs is cheaper than a thread for it.
    fn handle(&mut self, Reload { forced }: Reload, _: &mut Self::Context) {
        // The poll comes every second, and hardly ever finds anything new.
        if !forced && self.state.last_error.is_none() && is_current(&self.state.config, &self.source) {
            return;
        }
        let loaded = load(&self.source);
        let before = self.state.last_error.clone();
        self.adopt(loaded, forced);
        self.report(before.as_ref());
    }
}

impl Handler<EditConfig> for ConfigActor {
    /// One edit at a time, and no reload meanwhile.
    type Result = AtomicResponse<Self, Result<EditedConfig, EditError>>;

    fn handle(&mut self, message: EditConfig, _: &mut Self::Context) -> Self::Result {
        let EditConfig { edit, seen, dry_run, by } = message;
        let what = edit.to_string();
        let job = EditJob { source: self.source.clone(), edit, seen, dry_run };
        let done = blocking(move || job.run()).into_actor(self).map(move |done, actor, _| {
            let Adopted { config, edited } = done?;
            if let Some(config) = config {
                log::info!("configuration: {by} has edited the file: {what}");
                let before = actor.state.last_error.clone();
                actor.adopt(Ok(config), false);
                actor.report(before.as_ref());
            }
            Ok(edited)
        });
        AtomicResponse::new(Box::pin(done))
    }
}

impl Handler<GetConfigText> for ConfigActor {
    type Result = LaterReply<Result<MaskedConfig, EditError>>;

    fn handle(&mut self, _: GetConfigText, _: &mut Self::Context) -> Self::Result {
        let path = self.source.path.clone();
        LaterReply::of(blocking(move || masked_text(&path)))
    }
}

/// Does on a thread of its own what blocks.
async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, EditError> + Send + 'static,
) -> Result<T, EditError> {
    let done = tokio::time::timeout(EDIT_WITHIN, mailbox::blocking(job)).await;
    let seconds = EDIT_WITHIN.as_secs();
    match done {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(EditError::Io("the edit ended without an outcome; the log says why".to_owned())),
        Err(_) => Err(EditError::Io(format!("the disk has not answered for {seconds} s; the edit may still be done"))),
    }
}

#[cfg(test)]
mod tests;
