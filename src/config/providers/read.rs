//! Reads the presets: those of the program, and the file that stands beside them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::Value;
use thiserror::Error;

use super::known::Providers;
use super::provider::Provider;
use crate::config::json::Unambiguous;
use crate::config::problem::Problem;
use crate::config::source::ConfigSource;

/// The name of the file beside the configuration.
const FILE: &str = "presets.json";

/// Why the file of presets can't be used. No text holds a value of the file.
#[derive(Debug, Error)]
pub enum PresetsError {
    /// The file can't be read.
    #[error("{}: the presets can't be read: {why}; name another file with --presets", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// The file is not JSON, or says a thing twice.
    #[error("{}:{line}:{column}: not valid JSON: {why}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What was expected there.
        why: String,
    },
    /// The file has mistakes.
    #[error("{}: {}", path.display(), Problem::listed(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Vec<Problem>,
    },
}

/// The presets for a configuration, and what they were read from.
pub(in crate::config) struct PresetsRead {
    pub(in crate::config) providers: Cow<'static, Providers>,
    /// The file to watch; `None` for a configuration that uses no preset.
    pub(in crate::config) path: Option<PathBuf>,
    /// The file's content; `None` if there is no file.
    pub(in crate::config) text: Option<String>,
    /// May there be secrets in the file?
    pub(in crate::config) holds_secrets: bool,
}

impl PresetsRead {
    /// Reads the presets that a configuration needs. Without a preset in use the file is left alone, so that no mistake
    /// there stops the server.
    pub(in crate::config) fn read_for(document: &Value, source: &ConfigSource) -> Result<Self, PresetsError> {
        let apis = document.get("apis").and_then(Value::as_array);
        if apis.is_some_and(|apis| apis.iter().any(|api| api.get("provider").is_some())) {
            Self::read(source)
        } else {
            Ok(PresetsRead {
                providers: Cow::Borrowed(Providers::embedded()),
                path: None,
                text: None,
                holds_secrets: false,
            })
        }
    }

    fn read(source: &ConfigSource) -> Result<Self, PresetsError> {
        let named = &source.overrides.presets;
        let path = named.clone().unwrap_or_else(|| source.path.with_file_name(FILE));
        let embedded = Cow::Borrowed(Providers::embedded());
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound && named.is_none() => {
                return Ok(PresetsRead { providers: embedded, path: Some(path), text: None, holds_secrets: false });
            }
            Err(why) => return Err(PresetsError::Unreadable { path, why }),
        };
        let own = parse(&path, &text)?;
        let holds_secrets = own.list().iter().any(Provider::holds_secrets);
        let providers = Cow::Owned(embedded.into_owned().with(own));
        Ok(PresetsRead { providers, path: Some(path), text: Some(text), holds_secrets })
    }
}

impl Providers {
    /// Returns the providers that a configuration at this place can name.
    ///
    /// # Errors
    /// When the file beside the program's own presets has mistakes.
    pub fn load(source: &ConfigSource) -> Result<Providers, PresetsError> {
        PresetsRead::read(source).map(|read| read.providers.into_owned())
    }
}

/// Returns what the file holds now; `None` if there is none.
pub(in crate::config) fn text_of(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn parse(path: &Path, text: &str) -> Result<Providers, PresetsError> {
    let path = path.to_owned();
    match serde_json::from_str::<Unambiguous>(text.trim_start_matches('\u{feff}')) {
        Ok(Unambiguous(document)) => {
            Providers::of(&document).map_err(|problems| PresetsError::Invalid { path, problems })
        }
        Err(e) => {
            let why = e.to_string().split(" at line ").next().unwrap_or_default().to_owned();
            Err(PresetsError::Syntax { path, line: e.line(), column: e.column().max(1), why })
        }
    }
}
