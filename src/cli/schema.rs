//! `api-together schema`: the JSON Schema of the configuration, the same text as `config/apis.schema.json`.

use std::io::Write;

use super::CliError;
use crate::config::CONFIG_SCHEMA;

pub(super) fn schema() -> Result<(), CliError> {
    std::io::stdout().write_all(CONFIG_SCHEMA.as_bytes())?;
    Ok(())
}
