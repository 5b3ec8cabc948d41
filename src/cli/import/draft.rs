//! The configuration that is being written.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::address::Address;
use super::secrets::{KeySource, Secrets, literal, variable};
use crate::config::providers::LimitScope;

/// The most models behind one alias.
const MOST_OF_AN_ALIAS: usize = 16;

/// Headers whose values are no secrets: they say who asks, or in which version.
const OPEN_HEADERS: [&str; 8] = [
    "http-referer",
    "x-title",
    "user-agent",
    "accept-language",
    "openai-organization",
    "openai-project",
    "anthropic-version",
    "anthropic-beta",
];

/// A configuration in the making.
#[derive(Debug)]
pub(super) struct ConfigDraft {
    pub(super) secrets: Secrets,
    pub(super) server: Map<String, Value>,
    pub(super) timeouts: Map<String, Value>,
    pub(super) retry: Map<String, Value>,
    /// Other fields of the whole configuration, as they are.
    pub(super) more: Map<String, Value>,
    /// What is to be said of no single field.
    pub(super) notes: Vec<String>,
    entries: Vec<Map<String, Value>>,
    ids: BTreeSet<String>,
    aliases: BTreeMap<String, Vec<String>>,
    groups: Map<String, Value>,
    /// How many entries each preset has whose quota group is the preset's.
    of_presets: BTreeMap<String, usize>,
}

/// An account, as far as all formats know one.
#[derive(Debug, Clone)]
pub(super) struct AccountDraft {
    pub(super) name: Option<String>,
    pub(super) address: Address,
    pub(super) key: KeySource,
    /// The names that clients ask for, and the account's own; none for all that the account has.
    pub(super) models: Vec<(String, String)>,
    /// Any other fields of an entry.
    pub(super) fields: Map<String, Value>,
    /// Values as they are to be written.
    pub(super) headers: BTreeMap<String, String>,
}

impl AccountDraft {
    pub(super) fn new(address: Address, key: KeySource) -> AccountDraft {
        AccountDraft { name: None, address, key, models: Vec::new(), fields: Map::new(), headers: BTreeMap::new() }
    }
}

impl ConfigDraft {
    pub(super) fn new(with_secrets: bool) -> ConfigDraft {
        ConfigDraft {
            secrets: Secrets::new(with_secrets),
            server: Map::new(),
            timeouts: Map::new(),
            retry: Map::new(),
            more: Map::new(),
            notes: Vec::new(),
            entries: Vec::new(),
            ids: BTreeSet::new(),
            aliases: BTreeMap::new(),
            groups: Map::new(),
            of_presets: BTreeMap::new(),
        }
    }

    /// Returns an id that no entry has, near to the wish.
    pub(super) fn unique_id(&mut self, wish: &str) -> String {
        let slug: String =
            wish.trim().chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
        let slug = match slug.trim_matches('-').to_lowercase() {
            empty if empty.is_empty() => "api".to_owned(),
            slug => slug,
        };
        self.exact_id(&slug)
    }

    /// Returns the wish itself, or the wish with a number if an entry has the id.
    pub(super) fn exact_id(&mut self, wish: &str) -> String {
        let numbered = |nth: usize| if nth == 1 { wish.to_owned() } else { format!("{wish}-{nth}") };
        let id = (1..).map(numbered).find(|id| !self.ids.contains(id)).unwrap_or_default();
        self.ids.insert(id.clone());
        id
    }

    /// Adds an entry that is complete.
    pub(super) fn add_whole(&mut self, entry: Map<String, Value>) {
        self.entries.push(entry);
    }

    /// Adds an entry of this id, and returns what the user must do for the key.
    pub(super) fn add(&mut self, id: &str, account: AccountDraft) -> Option<String> {
        let mut entry = Map::from_iter([("id".to_owned(), json!(id))]);
        if let Some(name) = account.name.filter(|name| name != id) {
            entry.insert("name".to_owned(), json!(literal(&name)));
        }
        entry.extend(account.address.fields());
        let todo = self.secrets.write_key(id, &account.key, &mut entry);
        entry.extend(account.fields);
        let is_shared = account.address.provider().is_some_and(|preset| preset.scope == Some(LimitScope::Account));
        if is_shared && !entry.contains_key("quotaGroup") {
            *self.of_presets.entry(account.address.account()).or_default() += 1;
        }
        if !account.headers.is_empty() {
            entry.insert("headers".to_owned(), json!(account.headers));
        }
        let (models, mapping) = named_models(&account.models);
        if !models.is_empty() {
            entry.insert("models".to_owned(), json!(models));
        }
        if !mapping.is_empty() {
            entry.insert("modelMapping".to_owned(), Value::Object(mapping));
        }
        self.entries.push(entry);
        todo
    }

    /// Writes a header of an entry, and returns what the user must do for the value.
    pub(super) fn header(&mut self, id: &str, header: (&str, &str), account: &mut AccountDraft) -> Option<String> {
        let (name, value) = header;
        let (written, todo) = if OPEN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            (literal(value), None)
        } else {
            self.secrets.other(value, &variable(id, name))
        };
        account.headers.insert(name.to_owned(), written);
        todo
    }

    /// Adds models behind an alias. Returns whether all fit.
    pub(super) fn alias(&mut self, alias: &str, models: impl IntoIterator<Item = String>) -> bool {
        let known = self.aliases.entry(alias.to_owned()).or_default();
        for model in models {
            if !known.contains(&model) {
                known.push(model);
            }
        }
        let fits = known.len() <= MOST_OF_AN_ALIAS;
        known.truncate(MOST_OF_AN_ALIAS);
        fits
    }

    /// Names a group without limits of its own. Entries of one key are told apart from a slip by it.
    pub(super) fn group(&mut self, name: &str) {
        self.groups.insert(name.to_owned(), json!({}));
    }

    /// Returns what is to be said of no single field.
    pub(super) fn take_notes(&mut self) -> Vec<String> {
        let shared = self.of_presets.iter().filter(|(_, entries)| **entries > 1).map(|(id, entries)| {
            format!(
                "the {entries} entries of {id} share their limits, as those of one account; if the accounts differ, give \
                 each entry a quotaGroup of its own"
            )
        });
        let shared: Vec<String> = shared.collect();
        self.notes.drain(..).chain(shared).collect()
    }

    /// Returns whether there is an account at all.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the configuration.
    pub(super) fn finish(self) -> Value {
        let aliases: Map<String, Value> = self
            .aliases
            .into_iter()
            .filter(|(_, models)| !models.is_empty())
            .map(|(alias, models)| (alias, if let [one] = &*models { json!(one) } else { json!(models) }))
            .collect();
        let mut whole = Map::new();
        for (name, part) in [("server", self.server), ("retry", self.retry), ("timeouts", self.timeouts)] {
            if !part.is_empty() {
                whole.insert(name.to_owned(), Value::Object(part));
            }
        }
        whole.insert("apis".to_owned(), self.entries.into_iter().map(Value::Object).collect());
        for (name, part) in [("aliases", aliases), ("quotaGroups", self.groups)] {
            if !part.is_empty() {
                whole.insert(name.to_owned(), Value::Object(part));
            }
        }
        whole.extend(self.more);
        Value::Object(whole)
    }
}

/// Returns the names that clients ask for, and which of them the account calls otherwise.
fn named_models(models: &[(String, String)]) -> (Vec<String>, Map<String, Value>) {
    let mut names: Vec<String> = Vec::new();
    let mut mapping = Map::new();
    for (asked, own) in models {
        if asked != own {
            mapping.insert(literal(asked), json!(literal(own)));
        }
        if !names.contains(&literal(asked)) {
            names.push(literal(asked));
        }
    }
    (names, mapping)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_read_like_names() {
        let mut draft = ConfigDraft::new(false);
        let ids = ["Groq", "groq", "my relay/eu", "深度求索", " ", "groq-2"].map(|wish| draft.unique_id(wish));
        assert_eq!(ids, ["groq", "groq-2", "my-relay-eu", "深度求索", "api", "groq-2-2"]);
    }

    #[test]
    fn models_are_served_under_the_names_of_the_input_and_no_others() {
        let mut draft = ConfigDraft::new(false);
        let mut account = AccountDraft::new(Address::at("http://localhost:1/v1"), KeySource::Usual);
        account.models = [("fast", "llama"), ("gpt-4", "gpt-4"), ("claude-*", "opus")]
            .map(|(asked, own)| (asked.to_owned(), own.to_owned()))
            .to_vec();
        draft.add("a", account);
        let entry = &draft.finish()["apis"][0];
        assert_eq!(entry["models"], json!(["fast", "gpt-4", "claude-*"]));
        assert_eq!(entry["modelMapping"], json!({ "fast": "llama", "claude-*": "opus" }));
    }

    #[test]
    fn an_alias_takes_no_more_than_the_configuration_does() {
        let mut draft = ConfigDraft::new(false);
        assert!(draft.alias("a", ["x".to_owned(), "x".to_owned()]));
        assert!(!draft.alias("b", (0..20).map(|i| i.to_string())));
        let aliases = &draft.finish()["aliases"];
        assert_eq!((&aliases["a"], aliases["b"].as_array().map(Vec::len)), (&json!("x"), Some(16)));
    }
}
