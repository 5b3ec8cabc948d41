//! The messages of the [`super::ConfigActor`].

use std::sync::Arc;

use actix::prelude::*;

use super::edit::{ConfigEdit, EditError, EditedConfig, MaskedConfig, TextHash};
use super::model::Config;

/// Asks for the configuration in force. Sent by handlers of `/v1/status`; a lost one costs one answer.
#[derive(Debug, Message)]
#[rtype(result = "ConfigState")]
pub struct GetConfig;

/// The configuration in force, and its history.
#[derive(Debug, Clone, MessageResponse)]
pub struct ConfigState {
    /// In force.
    pub config: Arc<Config>,
    /// When the configuration came into force, in ms since the Unix epoch.
    pub loaded_at: i64,
    /// Why the newest content of the file is not in force, if so.
    pub last_error: Option<String>,
}

/// Reads the file again. Sent by the watcher (`forced: false`: only if the content changed) and on SIGHUP
/// (`forced: true`: say so even when nothing changed). A lost one costs a second, until the next poll.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Reload {
    /// Log the outcome even if there was nothing to do.
    pub forced: bool,
}

/// Edits the file, and puts the new configuration in force at once. Sent by pages of the dashboard; a lost one costs one edit, of which
/// the page then says that nobody knows whether the edit is done. Other messages wait until the edit is done.
#[derive(Debug, Message)]
#[rtype(result = "Result<EditedConfig, EditError>")]
pub struct EditConfig {
    /// What to do.
    pub edit: ConfigEdit,
    /// The text that the operator saw ([`MaskedConfig::hash`]). After another's edit this one is refused.
    pub seen: TextHash,
    /// Only say what would come of the edit.
    pub dry_run: bool,
    /// Who does it, for the log: the name of a key, never the key.
    pub by: String,
}

/// Asks for the file's text without secrets. Sent by pages of the dashboard; a lost one costs one page.
#[derive(Debug, Message)]
#[rtype(result = "Result<MaskedConfig, EditError>")]
pub struct GetConfigText;

/// Asks for the configuration now and at each change. Sent by the supervisor, the discovery and each worker, once, at the start.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Subscribe(pub Recipient<ConfigChanged>);

/// The newest content of the file has mistakes (the text never holds a value of the file), or is right again. Sent by the
/// ConfigActor at each change of that; a lost one costs the message to people.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ReloadReported(pub Option<String>);

/// A configuration came into force. Sent by the ConfigActor to all subscribers; a lost one would leave a
/// subscriber on the old configuration until the next change.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct ConfigChanged(pub Arc<Config>);
