//! Which upstream serves which model, by the names that clients ask for.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::messages::ModelNames;
use super::strategy::{Candidate, Lot};
use crate::config::{ApiConfig, Models};
use crate::types::ApiId;

/// The routing table; made anew whenever the configuration or a list of models changes, and shared by all who select.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_model: HashMap<Arc<str>, Arc<Lot>>,
    /// Upstreams without a list: asked for whatever nobody lists, too.
    serve_any: Arc<Lot>,
}

impl Routes {
    /// The table of `apis`, whose positions it gives back, and of the models that some of them were asked for.
    pub(super) fn new(apis: &[Arc<ApiConfig>], found: &HashMap<ApiId, ModelNames>) -> Routes {
        let mut listed: HashMap<Arc<str>, Vec<Candidate>> = HashMap::new();
        let mut serve_any: Vec<Candidate> = Vec::new();
        for (slot, api) in apis.iter().enumerate() {
            let candidate = Candidate { slot, priority: api.priority, weight: api.weight };
            match names(api, found) {
                Some(ModelNames::These(names)) => {
                    for name in names {
                        listed.entry(name).or_default().push(candidate);
                    }
                }
                Some(ModelNames::Any) => {
                    serve_any.push(candidate);
                    for alias in api.mapping.keys() {
                        listed.entry(alias.clone()).or_default();
                    }
                }
                None => {}
            }
        }
        // Models that the same upstreams serve share a lot: of many models and upstreams, one fits into a cache.
        let mut lots: HashMap<Vec<Candidate>, Arc<Lot>> = HashMap::new();
        let mut lot = |candidates: Vec<Candidate>| {
            lots.entry(candidates).or_insert_with_key(|candidates| Arc::new(Lot::new(candidates.clone()))).clone()
        };
        let with_any = |(name, listed): (_, Vec<_>)| (name, lot([listed, serve_any.clone()].concat()));
        Routes { by_model: listed.into_iter().map(with_any).collect(), serve_any: Arc::new(Lot::new(serve_any)) }
    }

    /// Those who serve `model`, by their positions.
    pub(super) fn lot(&self, model: &str) -> &Arc<Lot> {
        self.by_model.get(model).unwrap_or(&self.serve_any)
    }

    /// All names, sorted, of those that `enabled` has a word for.
    pub(super) fn names(&self, enabled: impl Fn(usize) -> bool) -> Vec<Arc<str>> {
        let served = |lot: &Lot| lot.slots().any(&enabled);
        let mut names: Vec<_> =
            self.by_model.iter().filter(|(_, lot)| served(lot)).map(|(name, _)| name.clone()).collect();
        names.sort();
        names
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
