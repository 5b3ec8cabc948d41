//! What came of an edit.

use serde_json::{Map, Value};
use thiserror::Error;

use super::TextHash;
use super::entry::{EntryError, List};
use crate::config::problem::Problem;
use crate::config::reading::ConfigError;
use crate::text::json::read;

/// A done edit, or of a dry run one that could be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedConfig {
    /// Of the text before.
    pub old_text_hash: TextHash,
    /// Of the text now. Equal to the old one where there was nothing to change.
    pub new_text_hash: TextHash,
    /// Of the configuration that is in force now, as in the status: with the files that the configuration names.
    pub hash: String,
    /// As `diff -u` prints it, with masks in the place of secrets.
    pub diff: String,
    /// What is allowed and yet probably not meant.
    pub warnings: Vec<String>,
}

/// Why an edit was not done. The file is as before, and no text holds a secret.
#[derive(Debug, Error)]
pub enum EditError {
    /// Somebody else has edited the file since the operator saw the text.
    #[error("the configuration was changed meanwhile; look at the new text and edit again")]
    Changed,
    /// The new text has mistakes.
    #[error("{}", Problem::listed(.0))]
    Invalid(Vec<Problem>),
    /// The file can't be written. The diff says what to change by hand.
    #[error("{why}")]
    ReadOnly {
        /// The reason and the mend.
        why: String,
        /// With masks in the place of secrets.
        diff: String,
    },
    /// The entry is not there.
    #[error("{0}")]
    NotFound(Problem),
    /// The file could not be read or written this time.
    #[error("{0}")]
    Io(String),
}

/// The configuration's text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedConfig {
    /// With masks in the place of secrets.
    pub text: String,
    /// Of the text itself: what an edit of it names.
    pub hash: TextHash,
    /// Why the file can't be written, as far as can be known without trying.
    pub read_only: Option<String>,
}

impl MaskedConfig {
    /// Returns the entry of a client's key as written.
    pub fn client_key(&self, name: &str) -> Option<Map<String, Value>> {
        self.entry(List::KEYS, name)
    }

    /// Returns the entry of an account as written.
    pub fn api(&self, id: &str) -> Option<Map<String, Value>> {
        self.entry(List::APIS, id)
    }

    fn entry(&self, list: List, name: &str) -> Option<Map<String, Value>> {
        let mut document = read(&self.text).ok()?;
        list.entry(document.as_object_mut()?, name).ok().cloned()
    }
}

impl From<ConfigError> for EditError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid { problems, .. } => EditError::Invalid(problems),
            ConfigError::Syntax { line, column, why, .. } => {
                EditError::Invalid(vec![Problem::new(&format!("line {line}, column {column}"), why)])
            }
            ConfigError::Unreadable { .. } => EditError::Io(error.to_string()),
        }
    }
}

impl From<EntryError> for EditError {
    fn from(error: EntryError) -> Self {
        let problem = Problem::new(error.list(), error.to_string());
        match error {
            EntryError::NotFound { .. } => EditError::NotFound(problem),
            EntryError::Twice { .. }
            | EntryError::Taken { .. }
            | EntryError::Nameless { .. }
            | EntryError::NoList(_) => EditError::Invalid(vec![problem]),
        }
    }
}
