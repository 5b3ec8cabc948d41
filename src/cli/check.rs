//! `api-together check`: says whether the configuration is valid, and what the configuration means.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use super::terminal::{Paint, Tone};
use super::{CliError, ConfigArgs, describe, environment, online, prices, serve};
use crate::app::AppError;
use crate::config::load;
use crate::http::Certificate;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// As for serve, so that its arguments can be checked as they are; not opened.
    #[arg(short, long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Ask each enabled account for its models, too: does its key work? Costs no request of a quota.
    #[arg(long)]
    online: bool,
}

pub(super) fn check(args: CheckArgs) -> Result<(), CliError> {
    let source = args.config.source()?;
    let config = load(&source)?;
    config.server.limits.tls.as_ref().map(Certificate::load).transpose().map_err(AppError::Tls)?;
    let trusted = transport::trusted_roots().map_err(AppError::Trust)?;
    let paint = Paint::stdout();
    let mut out = io::stdout().lock();
    writeln!(out, "{}: {}\n", source.path.display(), paint.tint(Tone::Good, "valid"))?;
    describe::server(&mut out, &config)?;
    if let Some(data) = &args.data {
        writeln!(out, "  Data      {}", serve::full(data).display())?;
    }
    writeln!(out, "  Prices    {}", prices::sources(Some(&config)))?;
    describe::apis(&mut out, &config, describe::Detail::Full)?;
    for warning in config.warnings.iter().chain(&environment::warnings()).chain(trusted.problems()) {
        writeln!(out, "{} {warning}", paint.tint(Tone::Warning, "warning:"))?;
    }
    if args.online { online::ask_all(&mut out, &config) } else { Ok(()) }
}
