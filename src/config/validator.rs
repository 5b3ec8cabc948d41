//! Gathers what is found while a file is validated.

use std::collections::HashMap;

use super::problem::Problem;

/// The contents of the `apiKeyFile`s by the path as typed, or why a file can't be read.
pub(super) type KeyTexts = HashMap<String, Result<String, String>>;

/// What is found while a file is validated.
pub(super) struct Validator<'a> {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<String>,
    pub(super) key_texts: &'a KeyTexts,
}

impl Validator<'_> {
    /// Notes what is allowed and yet probably not meant.
    pub(super) fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    pub(super) fn problem(&mut self, at: &str, text: impl Into<String>) {
        self.problems.push(Problem::new(at, text));
    }

    /// Returns whether a mistake at this place was found already.
    pub(super) fn is_known_as_wrong(&self, at: &str) -> bool {
        self.problems.iter().any(|problem| problem.at().starts_with(at))
    }

    /// Notes a mistake without a value to go on with.
    pub(super) fn refuse<T>(&mut self, at: &str, text: impl Into<String>) -> Option<T> {
        self.problem(at, text);
        None
    }
}
