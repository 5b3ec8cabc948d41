//! What can be asked of the [`super::ConfigActor`], and what it tells.

use std::sync::Arc;

use actix::prelude::*;

use super::model::Config;

/// The configuration in force. Sent by handlers of `/v1/status`; a lost one costs that answer.
#[derive(Debug, Message)]
#[rtype(result = "ConfigState")]
pub struct GetConfig;

/// The configuration in force, and how it came to be.
#[derive(Debug, Clone, MessageResponse)]
pub struct ConfigState {
    /// In force.
    pub config: Arc<Config>,
    /// When it was put in force, in ms since the Unix epoch.
    pub loaded_at: i64,
    /// Why the newest content of the file is not in force, if it isn't.
    pub last_error: Option<String>,
}

/// Read the file again. Sent by the watcher (`forced: false`: only if its content changed) and on SIGHUP
/// (`forced: true`: say so even when nothing changed). A lost one costs a second, until the next poll.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reload {
    /// Log the outcome even if there was nothing to do.
    pub forced: bool,
}

/// Tell me the configuration now and at each change. Sent by the scheduler and each worker, once, at their start.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Subscribe(pub Recipient<ConfigChanged>);

/// A configuration came into force. Sent by the ConfigActor to all who subscribed; a lost one would leave a
/// subscriber on the old configuration until the next change.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ConfigChanged(pub Arc<Config>);
