//! The names of models in an entry of `apis`: `models` and `modelMapping`, with patterns.

use std::sync::Arc;

use super::file::ApiFile;
use super::served_models::Models;
use super::validator::Validator;
use crate::types::{ByName, NamePattern};

impl Validator<'_> {
    /// Returns the models of a list.
    pub(super) fn models(&mut self, at: &str, typed: &[String]) -> Models {
        let mut listed: Vec<Arc<str>> = Vec::with_capacity(typed.len());
        let mut patterns: Vec<NamePattern> = Vec::new();
        for (i, model) in typed.iter().enumerate() {
            let is_known =
                listed.iter().any(|known| **known == **model) || patterns.iter().any(|known| known.as_str() == model);
            if model.trim().is_empty() {
                self.problem(&format!("{at}[{i}]"), "must not be empty");
            } else if is_known {
                self.warn(format!("{at}[{i}]: {model} is listed twice"));
            } else if let Some(pattern) = NamePattern::parse(model) {
                patterns.push(pattern);
            } else {
                listed.push(Arc::from(model.as_str()));
            }
        }
        if patterns.is_empty() { Models::Listed(listed) } else { Models::Matching { listed, patterns } }
    }

    /// Returns the mapping. A name that `models` lists and the mapping maps is meant so. A model that stands in `models` by name is no matter for a pattern here, and is mapped to itself.
    pub(super) fn mapping(&mut self, at: &str, file: &ApiFile, models: &Models) -> ByName<Arc<str>> {
        let typed = file.model_mapping.clone().unwrap_or_default();
        for (from, to) in &typed {
            if from.trim().is_empty() || to.trim().is_empty() {
                self.problem(at, "must map a model's name to a model's name; one of them is empty");
            } else if NamePattern::parse(to).is_some() {
                self.problem(at, "may have * in a requested name, on the left, and must map it to one model's name");
            } else if models.names(to) == Some(false) && !models.listed().iter().any(|name| **name == **from) {
                self.warn(format!("{at}: {from} is mapped to {to}, which is not in its models"));
            }
        }
        let entries = typed.iter().map(|(from, to)| (Arc::from(from.as_str()), Arc::from(to.as_str())));
        let itself = models.listed().iter().filter(|name| !typed.contains_key(&***name));
        let has_patterns = typed.keys().any(|from| NamePattern::parse(from).is_some());
        let itself = itself.filter(|_| has_patterns).map(|name| (name.clone(), name.clone()));
        entries.chain(itself).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::config::{Config, ConfigSource, Overrides, parse};
    use crate::testing::{api, config};

    fn refused(fields: &Value) -> String {
        let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
        let text = json!({ "apis": [api("a", fields)] }).to_string();
        parse(&text, &source, |_| Ok(String::new())).expect_err("a mistake").to_string()
    }

    fn read(fields: &Value) -> Config {
        config(&json!({ "apis": [api("a", fields)] }))
    }

    #[test]
    fn a_pattern_maps_all_names_but_those_in_the_list_and_those_with_an_entry_of_their_own() {
        let config = read(&json!({
            "models": ["claude-opus-4-8", "claude-sonnet-4-5", "gpt-*"],
            "modelMapping": { "claude-*": "claude-sonnet-4-5", "claude-haiku-4-5": "gpt-5-mini" },
        }));
        for (asked, own) in [
            ("claude-haiku-4-5", Some("gpt-5-mini")),
            ("claude-haiku-4", Some("claude-sonnet-4-5")),
            ("claude-sonnet-4-5", Some("claude-sonnet-4-5")),
            ("claude-opus-4-8", Some("claude-opus-4-8")),
            ("gpt-5", None),
        ] {
            assert_eq!(config.apis[0].mapping.get(asked).map(|own| &**own), own, "{asked}");
        }
        assert!(config.warnings.iter().all(|warning| !warning.contains("models")), "{:?}", config.warnings);
    }

    #[test]
    fn what_no_pattern_can_mean_is_refused_with_the_place() {
        for (fields, said) in [
            (json!({ "modelMapping": { "a-*": "b-*" } }), "apis[0].modelMapping: may have * in a requested name"),
            (
                json!({ "models": ["*"], "modelLimits": { "gpt-*": { "rpm": 1 } } }),
                "apis[0].modelLimits: has a pattern",
            ),
            (json!({ "models": ["*", ""] }), "apis[0].models[1]: must not be empty"),
        ] {
            let text = refused(&fields);
            assert!(text.contains(said), "{text}");
        }
        let group = json!({
            "apis": [api("a", &json!({ "quotaGroup": "g" }))],
            "quotaGroups": { "g": { "modelLimits": { "*": { "rpm": 1 } } } },
        });
        let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
        let refused = parse(&group.to_string(), &source, |_| Ok(String::new())).expect_err("a mistake").to_string();
        assert!(refused.contains("quotaGroups.g.modelLimits: has a pattern"), "{refused}");
    }

    #[test]
    fn what_is_probably_not_meant_is_a_warning() {
        let config = read(&json!({
            "models": ["gpt-*", "gpt-*", "m"],
            "modelMapping": { "a": "b", "c": "gpt-5" },
            "modelLimits": { "gpt-5": { "rpm": 1 }, "other": { "rpm": 1 } },
        }));
        let about: Vec<&String> = config.warnings.iter().filter(|warning| warning.starts_with("apis[0].")).collect();
        assert_eq!(
            about,
            [
                "apis[0].models[1]: gpt-* is listed twice",
                "apis[0].modelMapping: a is mapped to b, which is not in its models",
                "apis[0].modelLimits: other is not among its models",
            ]
        );
    }
}
