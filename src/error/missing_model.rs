//! The name of a model that nobody serves, and the names that were probably meant.

use std::fmt;
use std::sync::Arc;

/// A model that does not exist.
#[derive(Debug, PartialEq, Eq)]
pub struct MissingModel {
    /// As asked for.
    pub model: String,
    /// Names that are near, the nearest first.
    pub similar: Vec<Arc<str>>,
}

impl fmt::Display for MissingModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the model {:?} does not exist in this pool; ", self.model)?;
        for (i, name) in self.similar.iter().enumerate() {
            write!(f, "{}{name:?}", if i == 0 { "did you mean " } else { " or " })?;
        }
        f.write_str(if self.similar.is_empty() { "" } else { "? " })?;
        f.write_str("GET /v1/models lists those that do")
    }
}
