//! `api-together check`: says whether the configuration is valid, and what the configuration means.

use std::io::{self, Write};

use super::{CliError, ConfigArgs, describe, environment};
use crate::app::AppError;
use crate::config::load;
use crate::http::Certificate;

pub(super) fn check(args: ConfigArgs) -> Result<(), CliError> {
    let source = args.source()?;
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
    Ok(())
}
