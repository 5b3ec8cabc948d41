//! The routing table: the upstreams of each model, by the names that clients ask for.

use std::collections::HashMap;
use std::sync::Arc;

use super::model_names::{ModelNames, names};
use super::weighted_tiers::{Candidate, WeightedTiers};
use crate::config::ApiConfig;
use crate::types::{ApiId, stable_hash};

/// The routing table. A change of the configuration or of a list of models makes a new one.
#[derive(Debug, Default)]
pub(super) struct Routes {
    by_model: HashMap<Arc<str>, Arc<WeightedTiers>>,
    /// Upstreams without a list of models: candidates for every name.
    serve_any: Arc<WeightedTiers>,
}

impl Routes {
    /// Creates the table of `apis`, with the lists of models `found` so far. A slot is a position in `apis`.
    pub(super) fn new(apis: &[Arc<ApiConfig>], found: &HashMap<ApiId, ModelNames>) -> Routes {
        let mut listed: HashMap<Arc<str>, Vec<Candidate>> = HashMap::new();
        let mut serve_any: Vec<Candidate> = Vec::new();
        for (slot, api) in apis.iter().enumerate() {
            let hash = stable_hash(api.id.as_str().as_bytes());
            let candidate = Candidate { slot, priority: api.priority, weight: api.weight, hash };
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
        // Models of the same upstreams share their tiers, so that a large table fits into a processor's cache.
        let mut shared: HashMap<Vec<Candidate>, Arc<WeightedTiers>> = HashMap::new();
        let mut by_model = HashMap::new();
        for (name, listed) in listed {
            let candidates = [listed, serve_any.clone()].concat();
            let tiers = shared.entry(candidates).or_insert_with_key(|all| Arc::new(WeightedTiers::new(all.clone())));
            by_model.insert(name, tiers.clone());
        }
        Routes { by_model, serve_any: Arc::new(WeightedTiers::new(serve_any)) }
    }

    /// Returns the upstreams of `model`.
    pub(super) fn tiers(&self, model: &str) -> &Arc<WeightedTiers> {
        self.by_model.get(model).unwrap_or(&self.serve_any)
    }

    /// Returns the names with an upstream in `is_enabled`, sorted.
    pub(super) fn names(&self, is_enabled: impl Fn(usize) -> bool) -> Vec<Arc<str>> {
        let served = self.by_model.iter().filter(|(_, tiers)| tiers.slots().any(&is_enabled));
        let mut names: Vec<Arc<str>> = served.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }
}
