//! The configuration as a text with keys in it, to be edited. Variables need not be set.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::CliError;
use crate::cli::init::files::writable_mend;
use crate::config::{ConfigEdit, LARGEST, Unambiguous};
use crate::text::file::{Manner, ReplaceError, TextFile};

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

    /// Edits the text, and writes the file. Returns what to tell.
    pub(super) fn write(&self, edit: &ConfigEdit) -> Result<String, CliError> {
        let failed =
            |why: &dyn Display| CliError::Server(format!("{}: {why}; nothing was changed", self.path.display()));
        let new = edit.edit_text(&self.file.text).map_err(|why| failed(&why))?;
        let written = self.file.replace_with(&new, MANNER).map_err(|why| match &why {
            ReplaceError::Io(error) => match writable_mend(&self.path, error.kind()) {
                Some(mend) => failed(&format!("can't be written: {why}; {mend}")),
                None => failed(&why),
            },
            ReplaceError::Changed | ReplaceError::ReadOnly(_) => failed(&why),
        })?;
        let kept = written.map(|backup| format!("; the old file is {}", backup.display())).unwrap_or_default();
        Ok(format!("{}: written{kept}", self.path.display()))
    }
}

/// Returns the name of an entry.
pub(super) fn name_of(key: &Value) -> Option<&str> {
    key.get("name")?.as_str()
}
