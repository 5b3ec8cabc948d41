//! `api-together schema`: the JSON Schema of the configuration, the same text as `config/apis.schema.json`.

use std::io::Write;

use super::CliError;
use crate::config::generate_schema;

pub(super) fn schema() -> Result<(), CliError> {
    writeln!(std::io::stdout(), "{:#}", generate_schema())?;
    Ok(())
}
