//! `api-together check`: is the configuration valid, and what does it mean?

use std::io::{self, Write};

use super::{CliError, ConfigArgs, describe};
use crate::config::load;

pub(super) fn check(args: ConfigArgs) -> Result<(), CliError> {
    let source = args.source()?;
    let config = load(&source)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}: valid\n", source.path.display())?;
    describe::server(&mut out, &config)?;
    describe::apis(&mut out, &config, describe::Detail::Full)?;
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(())
}
