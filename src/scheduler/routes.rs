//! Which upstream serves which model, by the names that clients ask for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::messages::ModelNames;
use crate::config::{ApiConfig, Models};
use crate::types::ApiId;

/// The routing table; made anew whenever the configuration or a list of models changes.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_model: BTreeMap<Arc<str>, Vec<usize>>,
    /// Upstreams without a list: asked for whatever nobody lists, too.
    serve_any: Vec<usize>,
}

impl Routes {
    /// The table of `apis`, whose positions it gives back, and of the models that some of them were asked for.
    pub(super) fn new(apis: &[Arc<ApiConfig>], found: &HashMap<ApiId, ModelNames>) -> Routes {
        let mut routes = Routes::default();
        for (slot, api) in apis.iter().enumerate() {
            match names(api, found) {
                Some(ModelNames::These(names)) => {
                    for name in names {
                        routes.by_model.entry(name).or_default().push(slot);
                    }
                }
                Some(ModelNames::Any) => {
                    routes.serve_any.push(slot);
                    for alias in api.mapping.keys() {
                        routes.by_model.entry(alias.clone()).or_default();
                    }
                }
                None => {}
            }
        }
        routes
    }

    /// The positions of the upstreams that serve `model`; none if no one does.
    pub(super) fn serving<'a>(&'a self, model: &str) -> impl Iterator<Item = usize> + 'a {
        let listed = self.by_model.get(model).map(Vec::as_slice).unwrap_or_default();
        listed.iter().chain(&self.serve_any).copied()
    }

    /// All names, sorted, of those that `enabled` has a word for.
    pub(super) fn names(&self, enabled: impl Fn(usize) -> bool) -> Vec<Arc<str>> {
        let served = |slots: &[usize]| slots.iter().chain(&self.serve_any).any(|slot| enabled(*slot));
        self.by_model.iter().filter(|(_, slots)| served(slots)).map(|(name, _)| name.clone()).collect()
    }
}

/// The names an upstream answers to: its models and its aliases. `None` while it has not told its models (its aliases
/// are known all the same, but a client that asked for one of its other models would be told that there is none).
pub(super) fn names(api: &ApiConfig, found: &HashMap<ApiId, ModelNames>) -> Option<ModelNames> {
    let models: BTreeSet<Arc<str>> = match (&api.models, found.get(&api.id)) {
        (Models::Listed(listed), _) => listed.iter().cloned().collect(),
        (Models::Asked, Some(ModelNames::These(told))) => told.clone(),
        (Models::Asked, Some(ModelNames::Any)) => return Some(ModelNames::Any),
        (Models::Asked, None) if !api.mapping.is_empty() => BTreeSet::new(),
        (Models::Asked, None) => return None,
    };
    Some(ModelNames::These(models.into_iter().chain(api.mapping.keys().cloned()).collect()))
}
