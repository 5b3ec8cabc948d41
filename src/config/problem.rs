//! A mistake in a configuration.

use std::fmt;

/// A mistake with a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    at: String,
    text: String,
}

impl Problem {
    /// The text must not hold a value of the file: any value may be a key.
    pub(super) fn new(at: &str, text: impl Into<String>) -> Self {
        Problem { at: at.to_owned(), text: text.into() }
    }

    /// Returns the place: `apis[2].rpm`.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Returns what is wrong there. Holds no value of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the problems as a text: one in the line, more in lines of their own.
    pub(super) fn listed(problems: &[Problem]) -> String {
        match problems {
            [one] => one.to_string(),
            many => {
                let lines: String = many.iter().map(|problem| format!("\n  {problem}")).collect();
                format!("{} problems:{lines}", many.len())
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.text)
    }
}

/// Returns an unknown name for an error's text. A text unlike a field's name is hidden, as it may be a key in the wrong
/// place.
pub(super) fn shown_name(name: &str) -> &str {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let reads_like_a_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$'));
    if reads_like_a_name && digits <= 2 && name.len() <= 40 { name } else { "…" }
}
