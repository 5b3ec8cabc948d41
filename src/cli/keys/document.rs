//! The configuration as a text with keys in it, to be edited. Variables need not be set.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::CliError;
use crate::cli::init::files::writable_mend;
use crate::config::{Config, ConfigEdit, ConfigError, ConfigSource, LARGEST, Unambiguous, check_for_server};
use crate::text::file::{Manner, ReplaceError, TextFile};
use crate::types::Now;

/// The old text is kept beside the file, and nobody else reads the keys.
const MANNER: Manner = Manner { keeps_old: true, makes_private: true };

/// A configuration as it is.
pub(super) struct ConfigText {
    path: PathBuf,
    file: TextFile,
    value: Value,
}

impl ConfigText {
    /// Reads a configuration.
    pub(super) fn read(path: &Path) -> Result<ConfigText, CliError> {
        let wrong = |why: String| CliError::Usage(format!("{}: {why}", path.display()));
        let file = TextFile::read(path, LARGEST).map_err(|why| wrong(why.to_string()))?;
        if file.text.is_empty() {
            return Err(wrong("there is no configuration; write one with `api-together init`".to_owned()));
        }
        let text = file.text.trim_start_matches('\u{feff}');
        let Unambiguous(value) = serde_json::from_str(text)
            .map_err(|_| wrong(format!("this is no JSON; `api-together check -c {}` says where", path.display())))?;
        Ok(ConfigText { path: path.to_owned(), file, value })
    }

    /// Returns the entries of `keys`.
    pub(super) fn keys(&self) -> &[Value] {
        self.value.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns a field below `server`.
    pub(super) fn of_server(&self, field: &str) -> Option<&Value> {
        self.value.get("server")?.get(field)
    }

    /// Returns the entry of a name.
    pub(super) fn key(&self, name: &str) -> Option<&Value> {
        self.keys().iter().find(|key| name_of(key) == Some(name))
    }

    /// Returns the names of the keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.keys().iter().filter_map(name_of)
    }

    /// Edits the text, and judges the new one as a server will. `wrong` makes the error of a mistake.
    pub(super) fn edit(
        &self,
        edit: &ConfigEdit,
        wrong: impl FnOnce(ConfigError) -> CliError,
    ) -> Result<Edited<'_>, CliError> {
        let new = edit.edit_text(&self.file.text).map_err(|why| self.failed(&why))?;
        let source = ConfigSource { path: self.path.clone(), overrides: Default::default() };
        let config = check_for_server(&new, &source).map_err(wrong)?;
        Ok(Edited { of: self, new, config })
    }

    fn failed(&self, why: &dyn Display) -> CliError {
        CliError::Server(format!("{}: {why}; nothing was changed", self.path.display()))
    }
}

/// A text that a server will take up, not written yet.
pub(super) struct Edited<'a> {
    of: &'a ConfigText,
    new: String,
    /// What the text means, as far as the variables are set here.
    pub(super) config: Option<Config>,
}

impl Edited<'_> {
    /// Writes the file. Returns what to tell.
    pub(super) fn write(&self) -> Result<String, CliError> {
        let ConfigText { path, file, .. } = self.of;
        let failed = |why: &dyn Display| self.of.failed(why);
        let written = file.replace_with(&self.new, MANNER).map_err(|why| match &why {
            ReplaceError::Io(error) => match writable_mend(path, error.kind()) {
                Some(mend) => failed(&format!("can't be written: {why}; {mend}")),
                None => failed(&why),
            },
            ReplaceError::Changed | ReplaceError::ReadOnly(_) => failed(&why),
        })?;
        let kept = written.map(|backup| format!("; the old file is {}", backup.display())).unwrap_or_default();
        Ok(format!("{}: written{kept}", path.display()))
    }
}

/// Says that a configuration has mistakes, so that a server would not take it up.
pub(super) fn refused(error: ConfigError) -> CliError {
    CliError::Server(format!("nothing was changed, as a server would refuse the configuration: {error}"))
}

/// Warns of a key that a server refuses whatever the request.
pub(super) fn warn_if_refused(config: Option<&Config>, name: &str) {
    let Some(key) = config.and_then(|config| config.keys.iter().find(|key| key.name.as_str() == name)) else { return };
    let why = match key {
        key if key.is_expired(Now::read().wall) => "expires is over",
        key if !key.enabled => "a limit is 0",
        _ => return,
    };
    // A reader who is gone misses a warning, and nothing else.
    let _ = writeln!(io::stderr(), "warning: {name} will be refused: {why}");
}

/// Returns the name of an entry.
pub(super) fn name_of(key: &Value) -> Option<&str> {
    key.get("name")?.as_str()
}
