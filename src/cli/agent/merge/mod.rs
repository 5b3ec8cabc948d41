//! Puts a recipe's lines into a program's settings. What a person wrote stays: comments, order, other entries.
//!
//! 1. A text that can't be read, or that holds a thing of another kind where a part of the recipe belongs, is refused.
//! 2. The result is read again: all old values and all new ones must be there, and nothing else. Else it is refused.
//! 3. A text that has all values already comes back as it is.

mod json;
mod toml;
mod yaml;

use thiserror::Error;

use super::program::{Settings, Syntax};

/// Why a recipe's lines were not put into a text.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum MergeError {
    /// The text is not what the program itself could read.
    #[error("line {line}: {why}")]
    Unreadable {
        /// From 1.
        line: usize,
        /// What was expected there.
        why: &'static str,
    },
    /// There is something else in the place.
    #[error("{0} holds something else than expected")]
    OtherKind(String),
    /// A form of the text that can't be edited safely.
    #[error("{0}")]
    Odd(&'static str),
}

/// Returns the text with the lines in it.
pub(super) fn merge(text: &str, lines: &str, settings: &Settings) -> Result<String, MergeError> {
    if text.trim().is_empty() {
        return Ok(lines.to_owned());
    }
    match settings.syntax {
        Syntax::Json => json::merge(text, lines, settings.kept),
        Syntax::Toml => toml::merge(text, lines),
        Syntax::Yaml => yaml::merge(text, lines, settings.kept),
    }
}
