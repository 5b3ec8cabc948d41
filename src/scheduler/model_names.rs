//! The models of an upstream, by the names that clients ask for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::config::{ApiConfig, Models};
use crate::types::{ApiId, NamePattern, sorted};

/// The models in an upstream's own list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelNames {
    /// The models of a list.
    These(BTreeSet<Arc<str>>),
    /// The upstream has no list (404, 405, …): every name is worth a try.
    Any,
}

/// The names that an upstream serves: models and mapped names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServedNames {
    /// Names that are known.
    pub exact: BTreeSet<Arc<str>>,
    /// Every name that one of these matches is served, too.
    pub patterns: Vec<NamePattern>,
}

impl ServedNames {
    /// Returns whether a request for the model may go to the upstream.
    pub fn serve(&self, model: &str) -> bool {
        self.exact.contains(model) || self.patterns.iter().any(|pattern| pattern.matches(model))
    }
}

/// Returns the names of an upstream. `None` while the list of models is missing and the file names none: "no such model" would
/// then be a guess.
pub(super) fn names(api: &ApiConfig, found: &HashMap<ApiId, ModelNames>) -> Option<ServedNames> {
    let mut served = match (&api.models, found.get(&api.id)) {
        (Models::Listed(_) | Models::Matching { .. }, found) => in_file(&api.models, found),
        (Models::Asked, Some(ModelNames::These(names))) => ServedNames { exact: names.clone(), patterns: Vec::new() },
        (Models::Asked, Some(ModelNames::Any)) => {
            ServedNames { exact: BTreeSet::new(), patterns: vec![NamePattern::any()] }
        }
        (Models::Asked, None) if !api.mapping.is_empty() => ServedNames::default(),
        (Models::Asked, None) => return None,
    };
    served.exact.extend(api.mapping.names().cloned());
    served.patterns.extend(api.mapping.patterns().cloned());
    Some(served)
}

/// Returns what the file says, with the names of the upstream's own list that a pattern matches.
fn in_file(models: &Models, found: Option<&ModelNames>) -> ServedNames {
    let mut exact = sorted::set(models.listed().iter().cloned());
    let patterns = models.patterns().to_vec();
    if let Some(ModelNames::These(names)) = found {
        let is_meant = |name: &&Arc<str>| patterns.iter().any(|pattern| pattern.matches(name));
        exact.extend(names.iter().filter(is_meant).cloned());
    }
    ServedNames { exact, patterns }
}
