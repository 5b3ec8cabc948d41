//! `api-together alerts test`: posts a test message to each receiver of `alerts`.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::terminal::{Paint, Tone};
use super::{CliError, ConfigArgs};
use crate::alerts::{PostFailure, post_test};
use crate::config::load;

#[derive(Debug, Args)]
pub(super) struct AlertsArgs {
    #[command(subcommand)]
    command: AlertsCommand,
}

#[derive(Debug, Subcommand)]
enum AlertsCommand {
    /// Post a test message to each receiver of the configuration, once, and say what became of it.
    Test(ConfigArgs),
}

pub(super) fn alerts(args: AlertsArgs) -> Result<(), CliError> {
    let AlertsCommand::Test(config) = args.command;
    let config = load(&config.source()?)?;
    if config.alerts.is_empty() {
        return Err(CliError::Usage("the configuration has no alerts; see docs/alerts.md".to_owned()));
    }
    let (mut out, paint) = (io::stdout(), Paint::stdout());
    let mut failed = 0;
    for (nth, receiver) in config.alerts.iter().enumerate() {
        let posted = actix_web::rt::System::new().block_on(post_test(receiver, &config.server.name));
        let (tone, said) = match posted {
            Ok(()) => (Tone::Good, "delivered".to_owned()),
            Err(PostFailure { why, .. }) => {
                failed += 1;
                (Tone::Bad, format!("not delivered: {why}"))
            }
        };
        writeln!(out, "  alerts[{nth}] {}: {}", receiver.shown, paint.tint(tone, &said))?;
    }
    let of = config.alerts.len();
    if failed == 0 { Ok(()) } else { Err(CliError::Server(format!("{failed} of {of} receivers did not take it"))) }
}
