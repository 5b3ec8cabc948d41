//! `api-together check`: says whether the configuration is valid, and what the configuration means.

use std::io::{self, Write};

use clap::Args;

use super::{CliError, ConfigArgs, describe, environment, online};
use crate::app::AppError;
use crate::config::load;
use crate::http::Certificate;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Ask each enabled account for its models, too: does its key work? Costs no request of a quota.
    #[arg(long)]
    online: bool,
}

pub(super) fn check(args: CheckArgs) -> Result<(), CliError> {
    let source = args.config.source()?;
    let config = load(&source)?;
    config.server.limits.tls.as_ref().map(Certificate::load).transpose().map_err(AppError::Tls)?;
    let trusted = transport::trusted_roots().map_err(AppError::Trust)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}: valid\n", source.path.display())?;
    describe::server(&mut out, &config)?;
    describe::apis(&mut out, &config, describe::Detail::Full)?;
    for warning in config.warnings.iter().chain(&environment::warnings()) {
        writeln!(out, "warning: {warning}")?;
    }
    for problem in trusted.problems() {
        writeln!(out, "warning: {problem}")?;
    }
    if args.online { online::ask_all(&mut out, &config) } else { Ok(()) }
}
