//! Puts a recipe's lines into a program's settings. What a person wrote stays: comments, order, other entries.
//!
//! 1. A text that can't be read, or that holds a thing of another kind where a part of the recipe belongs, is refused.
//! 2. The result is read again: all old values and all new ones must be there, and nothing else. Else it is refused.
//! 3. A text that has all values already comes back as it is.

mod json;
mod toml;
mod yaml;

use thiserror::Error;

use crate::agents::{Settings, Syntax};
use crate::text::json::BYTE_ORDER_MARK;

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
    /// The same, in the words of another reader.
    #[error("{0}")]
    Broken(String),
    /// There is something else in the place.
    #[error("{0} holds something else than expected")]
    OtherKind(String),
    /// A form of the text that can't be edited safely.
    #[error("{0}")]
    Odd(&'static str),
}

/// Returns the text with the lines in it. A byte-order mark stays, and so do line ends of Windows.
pub(super) fn merge(text: &str, lines: &str, settings: &Settings) -> Result<String, MergeError> {
    if text.trim().is_empty() {
        return Ok(lines.to_owned());
    }
    match settings.syntax {
        Syntax::Json => json::merge(text, lines, settings.kept),
        Syntax::Toml => with_plain_line_ends(text, |old| toml::merge(old, lines)),
        Syntax::Yaml => with_plain_line_ends(text, |old| yaml::merge(old, lines, settings.kept)),
    }
}

/// Changes a text without byte-order mark and line ends of Windows, and gives the new text those of the one before.
fn with_plain_line_ends(
    text: &str,
    change: impl FnOnce(&str) -> Result<String, MergeError>,
) -> Result<String, MergeError> {
    let old = text.trim_start_matches(BYTE_ORDER_MARK).replace("\r\n", "\n");
    let new = change(&old)?;
    if new == old {
        return Ok(text.to_owned());
    }
    let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.to_string() } else { String::new() };
    let has_windows_ends = text.contains("\r\n");
    Ok(mark + &if has_windows_ends { new.replace('\n', "\r\n") } else { new })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agents::agent;

    #[test]
    fn a_file_of_windows_stays_one() {
        for (name, text, lines) in [
            ("codex", "\u{feff}[tui]\r\na = 1\r\n", "model = \"m\"\n"),
            ("claude", "\u{feff}{\r\n  \"a\": 1\r\n}\r\n", "{\"b\": 2}\n"),
            ("aider", "\u{feff}a: 1\r\n", "b: 2\n"),
        ] {
            let settings = agent(name).and_then(|agent| agent.settings.as_ref()).expect("settings");
            let merged = merge(text, lines, settings).expect("merged");
            assert!(merged.starts_with('\u{feff}') && merged.len() > text.len(), "{name}: {merged:?}");
            assert_eq!(merged.matches('\n').count(), merged.matches("\r\n").count(), "{name}: {merged:?}");
            assert_eq!(merge(&merged, lines, settings).as_ref(), Ok(&merged), "{name}");
        }
    }
}
