//! The routing table: the upstreams of each model in each format, by the names that clients ask for.
//!
//! 1. A request for a name may go to every upstream that lists the name, and to every upstream with a pattern that matches.
//! 2. An alias is no name of a model here: the data path asks for one of the alias's models after the other.
//! 3. A request without a model (an empty name) may go to every upstream.
//! 4. A known name has its upstreams ready. The upstreams of any other name are found by the patterns, and not kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::model_names::{ModelNames, ServedNames, names};
use super::weighted_tiers::{Candidate, WeightedTiers};
use crate::config::{ApiConfig, ModelAliases};
use crate::types::{ApiId, ByFormat, NamePattern, WireFormat, sorted, stable_hash};

/// The routing table. A change of the configuration or of a list of models makes a new one.
#[derive(Debug, Default)]
pub(super) struct Routes {
    formats: ByFormat<FormatRoutes>,
    aliases: ModelAliases,
    /// By slot.
    enabled: Vec<bool>,
}

/// The upstreams that offer one format.
#[derive(Debug, Default)]
struct FormatRoutes {
    by_model: HashMap<Arc<str>, Arc<WeightedTiers>>,
    by_pattern: Vec<PatternRoute>,
    /// The upstreams of requests without a model.
    all: Arc<WeightedTiers>,
    none: Arc<WeightedTiers>,
}

/// The upstreams of all names that a pattern matches.
#[derive(Debug)]
struct PatternRoute {
    pattern: NamePattern,
    candidates: Vec<Candidate>,
    /// The same, ready for names that no other pattern matches.
    tiers: Arc<WeightedTiers>,
}

impl Routes {
    /// Creates the table of `apis`, with the lists of models `found` so far. A slot is a position in `apis`.
    pub(super) fn new(apis: &[Arc<ApiConfig>], found: &HashMap<ApiId, ModelNames>, aliases: &ModelAliases) -> Routes {
        Routes {
            formats: ByFormat::from_fn(|format| FormatRoutes::new(format, apis, found)),
            aliases: aliases.clone(),
            enabled: apis.iter().map(|api| api.enabled).collect(),
        }
    }

    /// Returns the upstreams of `model` that offer this format.
    pub(super) fn tiers(&self, format: WireFormat, model: &str) -> Arc<WeightedTiers> {
        self.formats.of(format).tiers(model)
    }

    /// Returns the known names with an enabled upstream that offers this format and whose slot is none of `closed`, aliases among
    /// them, sorted.
    pub(super) fn names(&self, format: WireFormat, closed: &[usize]) -> Vec<Arc<str>> {
        let routes = self.formats.of(format);
        let models = routes.by_model.iter().filter(|(_, tiers)| self.is_served(tiers, closed)).map(|(name, _)| name);
        let is_served = |model: &Arc<str>| self.is_served(&routes.tiers(model), closed);
        let aliases = self.aliases.exact().filter(|(_, models)| models.iter().any(is_served)).map(|(alias, _)| alias);
        let mut names: Vec<Arc<str>> = models.chain(aliases).cloned().collect();
        sorted::sort(&mut names);
        names.dedup();
        names
    }

    /// Returns the slots of the upstreams with a model whose name begins with one of these, and that offer this format.
    pub(super) fn slots_of_any(&self, format: WireFormat, begins: &[&str]) -> Vec<usize> {
        let FormatRoutes { by_model, by_pattern, .. } = self.formats.of(format);
        let is_such = |name: &str| begins.iter().any(|begin| name.starts_with(begin));
        let listed = by_model.iter().filter(|(name, _)| is_such(name)).flat_map(|(_, tiers)| tiers.slots());
        let promises =
            |pattern: &NamePattern| is_such(pattern.as_str()) || begins.iter().any(|begin| pattern.matches(begin));
        let patterns = by_pattern.iter().filter(|route| promises(&route.pattern));
        listed.chain(patterns.flat_map(|route| route.tiers.slots())).collect()
    }

    /// Returns whether the upstream of a slot is enabled.
    pub(super) fn is_enabled(&self, slot: usize) -> bool {
        self.enabled.get(slot).copied().unwrap_or(false)
    }

    fn is_served(&self, tiers: &WeightedTiers, closed: &[usize]) -> bool {
        tiers.slots().any(|slot| self.is_enabled(slot) && !closed.contains(&slot))
    }
}

impl FormatRoutes {
    fn new(format: WireFormat, apis: &[Arc<ApiConfig>], found: &HashMap<ApiId, ModelNames>) -> FormatRoutes {
        let mut listed: HashMap<Arc<str>, Vec<Candidate>> = HashMap::new();
        let mut matching: BTreeMap<NamePattern, Vec<Candidate>> = BTreeMap::new();
        let mut all = Vec::new();
        for (slot, api) in apis.iter().enumerate().filter(|(_, api)| api.offers(format)) {
            let hash = stable_hash(api.id.as_str().as_bytes());
            let candidate = Candidate { slot, priority: api.priority, weight: api.weight, hash };
            all.push(candidate);
            let ServedNames { exact, patterns } = names(api, found).unwrap_or_default();
            for name in exact {
                listed.entry(name).or_default().push(candidate);
            }
            for pattern in patterns {
                matching.entry(pattern).or_default().push(candidate);
            }
        }
        let route = |(pattern, candidates): (NamePattern, Vec<Candidate>)| PatternRoute {
            pattern,
            tiers: Arc::new(WeightedTiers::new(candidates.clone())),
            candidates,
        };
        let by_pattern: Vec<PatternRoute> = matching.into_iter().map(route).collect();
        // Models of the same upstreams share their tiers, so that a large table fits into a processor's cache.
        let mut shared: HashMap<Vec<Candidate>, Arc<WeightedTiers>> = HashMap::new();
        let mut by_model = HashMap::new();
        for (name, listed) in listed {
            let candidates = together(listed, &matching_routes(&by_pattern, &name));
            let tiers = shared.entry(candidates).or_insert_with_key(|all| Arc::new(WeightedTiers::new(all.clone())));
            by_model.insert(name, tiers.clone());
        }
        FormatRoutes { by_model, by_pattern, all: Arc::new(WeightedTiers::new(all)), none: Arc::default() }
    }

    /// Returns the upstreams of `model`.
    fn tiers(&self, model: &str) -> Arc<WeightedTiers> {
        if model.is_empty() {
            return self.all.clone();
        }
        if let Some(known) = self.by_model.get(model) {
            return known.clone();
        }
        match &*matching_routes(&self.by_pattern, model) {
            [] => self.none.clone(),
            [one] => one.tiers.clone(),
            several => Arc::new(WeightedTiers::new(together(Vec::new(), several))),
        }
    }
}

fn matching_routes<'a>(all: &'a [PatternRoute], model: &str) -> Vec<&'a PatternRoute> {
    all.iter().filter(|route| route.pattern.matches(model)).collect()
}

/// Returns the candidates of a list and of some patterns, each once.
fn together(listed: Vec<Candidate>, patterns: &[&PatternRoute]) -> Vec<Candidate> {
    let mut all = listed;
    all.extend(patterns.iter().flat_map(|route| &route.candidates));
    all.sort_by_key(|candidate| candidate.slot);
    all.dedup_by_key(|candidate| candidate.slot);
    all
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{api, config};

    fn routes(apis: &[Value], found: &[(&str, &[&str])]) -> Routes {
        with_aliases(&json!({ "apis": apis }), found)
    }

    fn with_aliases(file: &Value, found: &[(&str, &[&str])]) -> Routes {
        let names = |names: &[&str]| ModelNames::These(names.iter().map(|name| Arc::from(*name)).collect());
        let found = found.iter().map(|(id, listed)| (ApiId::from(*id), names(listed))).collect();
        let config = config(file);
        Routes::new(&config.apis, &found, &config.aliases)
    }

    fn slots(routes: &Routes, model: &str) -> Vec<usize> {
        routes.tiers(WireFormat::OpenAi, model).slots().collect()
    }

    #[test]
    fn a_name_goes_to_all_that_list_it_and_to_all_with_a_pattern_for_it() {
        let routes = routes(
            &[
                api("a", &json!({ "models": ["claude-opus-4", "gpt-4o"] })),
                api("b", &json!({ "models": ["claude-*", "claude-opus-4"] })),
                api("c", &json!({ "models": ["*"] })),
                api("d", &json!({ "models": ["m"], "modelMapping": { "claude-haiku-*": "m" } })),
            ],
            &[],
        );
        for (model, expected) in [
            ("claude-opus-4", &[0, 1, 2][..]),
            ("claude-haiku-4-5", &[1, 2, 3]),
            ("claude-x", &[1, 2]),
            ("gpt-4o", &[0, 2]),
            ("made-up", &[2]),
        ] {
            assert_eq!(slots(&routes, model), expected, "{model}");
        }
    }

    #[test]
    fn the_list_of_names_has_what_a_pattern_matches_in_the_upstreams_own_list_and_no_pattern() {
        let apis = [
            api("a", &json!({ "models": ["claude-*", "mine"], "modelMapping": { "fast-*": "mine" } })),
            api("b", &json!({ "models": ["off-*"], "enabled": false })),
        ];
        let own_list: &[(&str, &[&str])] = &[("a", &["claude-opus-4", "gpt-4o"]), ("b", &["off-1"])];
        let routes = routes(&apis, own_list);
        assert_eq!(routes.names(WireFormat::OpenAi, &[]), ["claude-opus-4".into(), "mine".into()] as [Arc<str>; 2]);
        assert_eq!(slots(&routes, "gpt-4o"), [] as [usize; 0], "the pattern bounds the list");
        assert_eq!(slots(&routes, "claude-unlisted"), [0], "the pattern is a promise");
    }

    #[test]
    fn the_list_of_names_has_the_aliases_of_models_that_somebody_serves() {
        let file = json!({
            "apis": [api("a", &json!({ "models": ["m", "gpt-*"] })), api("b", &json!({ "models": ["off"], "enabled": false }))],
            "aliases": { "smart": ["off", "gpt-5"], "m": ["m", "off"], "none": "off", "claude-*": "m" },
        });
        assert_eq!(
            with_aliases(&file, &[]).names(WireFormat::OpenAi, &[]),
            ["m".into(), "smart".into()] as [Arc<str>; 2]
        );
    }

    #[test]
    fn an_upstream_with_several_matching_patterns_is_one_candidate() {
        let routes = routes(&[api("a", &json!({ "models": ["*", "gpt-*", "gpt-4*"] }))], &[]);
        assert_eq!(slots(&routes, "gpt-4o"), [0]);
    }
}
