//! The pool's aliases: other names for lists of models.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::file::OneOrMany;
use super::model::{ApiConfig, ModelAliases};
use super::validator::Validator;
use crate::types::NamePattern;

/// The most models of one alias. A request may be tried with each.
const MOST_NAMES: usize = 16;

impl Validator<'_> {
    /// Returns the aliases. A name in the list of an alias is always a model, and never an alias, so there are no circles.
    pub(super) fn aliases(&mut self, typed: BTreeMap<String, OneOrMany>, apis: &[ApiConfig]) -> ModelAliases {
        let aliases: Vec<(String, Vec<String>)> =
            typed.into_iter().map(|(alias, names)| (alias, names.list())).collect();
        // An API with a mistake is missing here.
        let is_whole = self.problems.is_empty();
        let checked = aliases.iter().map(|(alias, names)| {
            self.alias(alias, names);
            if is_whole {
                self.served_names(alias, names, &FileNames { apis, aliases: &aliases });
            }
            let mut unique: Vec<Arc<str>> = Vec::with_capacity(names.len());
            for name in names {
                if !unique.iter().any(|known| **known == **name) {
                    unique.push(Arc::from(name.as_str()));
                }
            }
            (Arc::from(alias.as_str()), Arc::from(unique))
        });
        checked.collect()
    }

    fn alias(&mut self, alias: &str, names: &[String]) {
        if alias.trim().is_empty() {
            self.problem("aliases", "has an alias without a name");
        }
        let at = format!("aliases.{alias}");
        if names.is_empty() {
            self.problem(&at, "must name at least one model");
        }
        if names.len() > MOST_NAMES {
            self.problem(&at, format!("must name at most {MOST_NAMES} models"));
        }
        for (i, name) in names.iter().enumerate() {
            let at = if names.len() == 1 { at.clone() } else { format!("{at}[{i}]") };
            if name.trim().is_empty() {
                self.problem(&at, "must not be empty");
            } else if NamePattern::parse(name).is_some() {
                self.problem(&at, "must be the name of one model, without *; only the alias itself may have *");
            } else if names.iter().take(i).any(|before| before == name) {
                self.warn(format!("{at}: {name} is listed twice"));
            }
        }
    }

    /// Checks that the names of an alias are models of the pool, as far as the file says.
    fn served_names(&mut self, alias: &str, names: &[String], file: &FileNames<'_>) {
        let at = format!("aliases.{alias}");
        let unserved = |name: &&String| file.serves(name) == Some(false);
        if !names.is_empty() && names.iter().all(|name| unserved(&name)) {
            let is_circle = names.iter().any(|name| file.is_other_alias(alias, name));
            let text =
                if is_circle { "names aliases alone; an alias must name models" } else { "names no model of any API" };
            return self.problem(&at, text);
        }
        for name in names {
            if file.is_other_alias(alias, name) && file.serves(name) != Some(true) {
                self.warn(format!("{at}: {name} is taken for a model, not for the alias of this name"));
            } else if unserved(&name) {
                self.warn(format!("{at}: no API has {name} in its models"));
            }
        }
    }
}

/// What the names of an alias are compared with.
struct FileNames<'a> {
    apis: &'a [ApiConfig],
    aliases: &'a [(String, Vec<String>)],
}

impl FileNames<'_> {
    /// Returns whether an API has the model; `None` if only the upstreams could tell.
    fn serves(&self, name: &str) -> Option<bool> {
        let by_file =
            |api: &ApiConfig| if api.mapping.get(name).is_some() { Some(true) } else { api.models.names(name) };
        let answers: Vec<Option<bool>> = self.apis.iter().map(by_file).collect();
        if answers.contains(&Some(true)) { Some(true) } else { (!answers.contains(&None)).then_some(false) }
    }

    fn is_other_alias(&self, alias: &str, name: &str) -> bool {
        name != alias && self.aliases.iter().any(|(other, _)| other == name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::config::{ConfigSource, Overrides, parse};
    use crate::testing::{api, config};

    fn file(aliases: &Value) -> Value {
        json!({ "apis": [api("a", &json!({ "models": ["m", "n", "gpt-*"] }))], "aliases": aliases })
    }

    #[test]
    fn an_alias_is_a_list_of_models_or_one() {
        let config =
            config(&file(&json!({ "smart": ["n", "m", "n"], "cheap": "m", "m": ["m", "gpt-5"], "claude-*": "n" })));
        for (asked, names) in [
            ("smart", Some(&["n", "m"][..])),
            ("cheap", Some(&["m"])),
            ("m", Some(&["m", "gpt-5"])),
            ("claude-haiku-4-5", Some(&["n"])),
            ("n", None),
        ] {
            let found = config.aliases.get(asked).map(|names| names.iter().map(|name| &**name).collect::<Vec<_>>());
            assert_eq!(found.as_deref(), names, "{asked}");
        }
        assert!(config.warnings.contains(&"aliases.smart[2]: n is listed twice".to_owned()), "{:?}", config.warnings);
    }

    #[test]
    fn an_alias_of_nothing_of_itself_or_of_a_pattern_is_refused_with_the_place() {
        let many: Vec<String> = (0..17).map(|i| format!("gpt-{i}")).collect();
        for (aliases, said) in [
            (json!({ "a": [] }), "aliases.a: must not be an empty list"),
            (json!({ "a": 7 }), "aliases.a: must be a string or a list"),
            (json!({ "": "m" }), "aliases: has an alias without a name"),
            (json!({ "a": ["m", ""] }), "aliases.a[1]: must not be empty"),
            (json!({ "a": ["gpt-*"] }), "aliases.a: must be the name of one model, without *"),
            (json!({ "a": many }), "aliases.a: must name at most 16 models"),
            (json!({ "a": "b", "b": "a" }), "aliases.a: names aliases alone; an alias must name models"),
            (json!({ "a": "a" }), "aliases.a: names no model of any API"),
            (json!({ "a": ["x", "y"] }), "aliases.a: names no model of any API"),
        ] {
            let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
            let text =
                parse(&file(&aliases).to_string(), &source, |_| Ok(String::new())).expect_err("a mistake").to_string();
            assert!(text.contains(said), "{said}: {text}");
        }
    }

    #[test]
    fn a_name_without_an_api_among_others_is_a_warning() {
        let with = |aliases: &Value| {
            let warnings = config(&file(aliases)).warnings;
            warnings.into_iter().filter(|warning| warning.starts_with("aliases")).collect::<Vec<_>>()
        };
        assert_eq!(with(&json!({ "a": ["m", "x"] })), ["aliases.a: no API has x in its models"]);
        let taken = "aliases.a: b is taken for a model, not for the alias of this name";
        assert_eq!(with(&json!({ "a": ["m", "b"], "b": "m" })), [taken]);
        assert_eq!(with(&json!({ "m": ["m", "n"], "n": ["n", "m"] })), [""; 0], "each other's models");
    }
}
