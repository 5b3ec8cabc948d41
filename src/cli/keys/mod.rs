//! `api-together keys`: makes, lists and disables the keys of clients. The configuration's own text is edited, and stays the
//! only truth: a running server takes a change up by itself.

mod document;
mod list;
mod new;
mod switch;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CliError, DEFAULT_CONFIG};
use crate::config::ConfigSource;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key for a client, and print the key this once with the entry for the configuration.
    New(new::NewArgs),
    /// List the clients' keys, and what is used of them if the server runs.
    List(list::ListKeysArgs),
    /// Refuse a key from now on: writes "enabled": false into the configuration.
    Disable(switch::SwitchArgs),
    /// Let a disabled key in again.
    Enable(switch::SwitchArgs),
}

/// The configuration that is edited.
#[derive(Debug, Args)]
struct FileArgs {
    /// The configuration.
    #[arg(short, long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
}

impl FileArgs {
    fn source(&self) -> ConfigSource {
        ConfigSource { path: self.config.clone(), overrides: Default::default() }
    }
}

pub(super) fn keys(command: KeysCommand) -> Result<(), CliError> {
    match command {
        KeysCommand::New(args) => new::new(args),
        KeysCommand::List(args) => list::list(args),
        KeysCommand::Disable(args) => switch::switch(&args, false),
        KeysCommand::Enable(args) => switch::switch(&args, true),
    }
}
