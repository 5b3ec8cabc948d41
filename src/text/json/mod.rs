//! Edits JSON that people wrote: a text that says one thing becomes a text that says another.
//!
//! 1. Only what differs is written. All else stays byte for byte: order, spacing, comments, commas, line ends, the byte-order mark.
//! 2. New parts follow the text around: its line ends, its indentation, one line or several.
//! 3. Comments and commas behind the last entry of a list are taken. A comment stays where its entry is removed.
//! 4. The result is read again, and must say what is wanted and nothing else. Otherwise the text is not edited.

mod change;
mod layout;
mod tree;
mod trivia;

use serde_json::Value;
use thiserror::Error;

use change::ChangedText;
pub(crate) use tree::{Leaf, Step};

/// Stands at the beginning of files that some editors on Windows save.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why a text was not edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum JsonError {
    /// The text is no JSON, not with comments either.
    #[error("line {line}: this is not valid JSON")]
    Unreadable {
        /// From 1.
        line: usize,
    },
    /// The text has a form that can't be edited safely.
    #[error("it says a thing twice, or is written in a way that can't be edited safely")]
    Odd,
}

/// Returns what a text says.
///
/// # Errors
/// When the text is no JSON.
pub(crate) fn read(text: &str) -> Result<Value, JsonError> {
    tree::parse(without_mark(text)).map(Value::from)
}

/// Returns the values without parts in the order of the text, with their places.
///
/// # Errors
/// When the text is no JSON.
pub(crate) fn leaves(text: &str) -> Result<Vec<Leaf>, JsonError> {
    let body = without_mark(text);
    Ok(tree::leaves(tree::parse(body)?, text.len() - body.len()))
}

/// Returns the text with the fewest changes that says `wanted`.
///
/// # Errors
/// When the text is no JSON, or can't be edited safely.
pub(crate) fn rewrite(text: &str, wanted: &Value) -> Result<String, JsonError> {
    let body = without_mark(text);
    let mark = text.get(..text.len() - body.len()).unwrap_or_default();
    let tree = tree::parse(body)?;
    if tree::says_twice(&tree) {
        return Err(JsonError::Odd);
    }
    let old = Value::from(tree);
    let mut draft = ChangedText::new(body);
    draft.turn(&old, wanted)?;
    let new = draft.into_text();
    if read(&new)? != *wanted {
        return Err(JsonError::Odd);
    }
    Ok(mark.to_owned() + &new)
}

fn without_mark(text: &str) -> &str {
    text.trim_start_matches(BYTE_ORDER_MARK)
}

#[cfg(test)]
mod tests;
