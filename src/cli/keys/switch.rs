//! `api-together keys disable NAME` and `keys enable NAME`.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Map, Value};

use super::FileArgs;
use super::document::{ConfigText, refused, warn_if_refused};
use crate::cli::{CliError, nearest_name};
use crate::config::{ConfigEdit, DEFAULT_KEY};

/// Stands at the end of the help.
const EXAMPLE: &str = "\
Example:
  api-together keys disable team-a    a running server refuses the key within 2 s";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLE)]
pub(crate) struct SwitchArgs {
    /// The name of the key.
    name: String,
    #[command(flatten)]
    file: FileArgs,
}

pub(super) fn switch(args: &SwitchArgs, enabled: bool) -> Result<(), CliError> {
    let document = ConfigText::read(&args.file.config)?;
    let name = args.name.as_str();
    let Some(key) = document.key(name) else { return Err(unknown(name, &document)) };
    let word = if enabled { "enabled" } else { "disabled" };
    let mut out = io::stdout().lock();
    if key.get("enabled").and_then(Value::as_bool).unwrap_or(true) == enabled {
        writeln!(out, "{name} is {word} already, nothing to change")?;
        return Ok(());
    }
    let fields = Map::from_iter([("enabled".to_owned(), Value::from(enabled))]);
    let edited = document.edit(&ConfigEdit::SetKey { name: name.to_owned(), fields }, refused)?;
    let told = edited.write()?;
    writeln!(out, "{name} is {word}. {told}")?;
    if enabled {
        warn_if_refused(edited.config.as_ref(), name);
    }
    Ok(())
}

fn unknown(name: &str, document: &ConfigText) -> CliError {
    if name == DEFAULT_KEY {
        let mend = "remove the keys of server.apiKey and server.apiKeys in the configuration instead";
        return CliError::Usage(format!("{DEFAULT_KEY} has no entry in \"keys\"; {mend}"));
    }
    let near = nearest_name(name, document.names()).map(|near| format!("did you mean {near}?"));
    // The argument may be a key in the wrong place, and is not shown.
    let hint = near.unwrap_or_else(|| "`api-together keys list` lists the names".to_owned());
    CliError::Usage(format!("no key has this name; {hint}"))
}
