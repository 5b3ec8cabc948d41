//! Which models an upstream serves, as far as the file says.

use std::sync::Arc;

use crate::types::NamePattern;

/// Which models an upstream serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Models {
    /// These.
    Listed(Vec<Arc<str>>),
    /// These, and all that a pattern matches. The upstream's `GET /v1/models` tells which of those there are.
    Matching {
        /// The names without a pattern.
        listed: Vec<Arc<str>>,
        /// At least one.
        patterns: Vec<NamePattern>,
    },
    /// Whatever the upstream's `GET /v1/models` says.
    Asked,
}

impl Models {
    /// Returns the names in the file.
    pub fn listed(&self) -> &[Arc<str>] {
        match self {
            Models::Listed(listed) | Models::Matching { listed, .. } => listed,
            Models::Asked => &[],
        }
    }

    /// Returns the patterns in the file.
    pub fn patterns(&self) -> &[NamePattern] {
        match self {
            Models::Matching { patterns, .. } => patterns,
            Models::Listed(_) | Models::Asked => &[],
        }
    }

    /// Returns whether the upstream is asked for its list.
    pub fn are_asked(&self) -> bool {
        match self {
            Models::Matching { .. } | Models::Asked => true,
            Models::Listed(_) => false,
        }
    }

    /// Returns whether the file names the model; `None` if only the upstream could tell.
    pub fn names(&self, model: &str) -> Option<bool> {
        let in_file =
            self.listed().iter().any(|name| **name == *model) || self.patterns().iter().any(|p| p.matches(model));
        match self {
            Models::Listed(_) | Models::Matching { .. } => Some(in_file),
            Models::Asked => None,
        }
    }
}
