//! The models of an upstream, by the names that clients ask for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::config::{ApiConfig, Models};
use crate::types::ApiId;

/// The models that an upstream serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelNames {
    /// The models of a list.
    These(BTreeSet<Arc<str>>),
    /// The upstream has no list (404, 405, …): every name is worth a try.
    Any,
}

/// Returns the names of an upstream: models and aliases. `None` while the list of models is missing and no alias is
/// configured: "no such model" would then be a guess.
pub(super) fn names(api: &ApiConfig, found: &HashMap<ApiId, ModelNames>) -> Option<ModelNames> {
    let models: BTreeSet<Arc<str>> = match (&api.models, found.get(&api.id)) {
        (Models::Listed(listed), _) => listed.iter().cloned().collect(),
        (Models::Asked, Some(ModelNames::These(names))) => names.clone(),
        (Models::Asked, Some(ModelNames::Any)) => return Some(ModelNames::Any),
        (Models::Asked, None) if !api.mapping.is_empty() => BTreeSet::new(),
        (Models::Asked, None) => return None,
    };
    Some(ModelNames::These(models.into_iter().chain(api.mapping.keys().cloned()).collect()))
}
