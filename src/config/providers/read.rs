//! Reads the presets: those of the program, and the file that stands beside them.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::known::Providers;
use super::provider::Provider;
use crate::config::reading::{ConfigError, PRESETS, document, read_text};
use crate::config::source::ConfigSource;

/// The name of the file beside the configuration.
const FILE: &str = "presets.json";

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
    pub(in crate::config) fn read_for(document: &Value, source: &ConfigSource) -> Result<Self, ConfigError> {
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

    fn read(source: &ConfigSource) -> Result<Self, ConfigError> {
        let named = &source.overrides.presets;
        let path = named.clone().unwrap_or_else(|| source.path.with_file_name(FILE));
        let embedded = Cow::Borrowed(Providers::embedded());
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(why) if why.kind() == io::ErrorKind::NotFound && named.is_none() => {
                return Ok(PresetsRead { providers: embedded, path: Some(path), text: None, holds_secrets: false });
            }
            Err(why) => return Err(ConfigError::unreadable(&path, why, &PRESETS)),
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
    pub fn load(source: &ConfigSource) -> Result<Providers, ConfigError> {
        PresetsRead::read(source).map(|read| read.providers.into_owned())
    }
}

/// Returns what the file holds now; `None` if there is none.
pub(in crate::config) fn text_of(path: &Path) -> Option<String> {
    read_text(path).ok()
}

fn parse(path: &Path, text: &str) -> Result<Providers, ConfigError> {
    let document = document(path, text, &PRESETS)?;
    Providers::of(&document).map_err(|problems| ConfigError::Invalid { path: path.to_owned(), problems })
}
