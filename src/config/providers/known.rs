//! The known providers: the form of the file, and ways to find one.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::secrets::without_secrets;
use crate::config::base_url;
use crate::config::file::ApiFile;
use crate::config::problem::Problem;
use crate::config::schema;
use crate::types::WireFormat;

/// The presets of the program itself.
const EMBEDDED: &str = include_str!("../../../config/providers.json");

/// The fields of an entry that may fill a blank of a base URL.
const BLANKS: [&str; 2] = ["resource", "account"];

/// Fields that say which entry, and not what is known of a provider.
const OF_THE_ENTRY: [&str; 5] = ["id", "provider", "resource", "account", "apiKeyFile"];

/// What is known of one provider.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// What an entry's `provider` says.
    #[serde(skip)]
    pub id: String,
    /// The date of the facts, `2026-11-28`.
    #[serde(skip)]
    pub as_of: String,
    /// For people.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Other words for the provider, as other programs use. An entry may not use them; a message knows them.
    #[serde(default)]
    pub aka: Vec<String>,
    /// The variables in which people keep a key, the usual one first.
    #[serde(default)]
    pub key_env: Vec<String>,
    /// The provider's page on limits or on the API.
    pub doc: Option<String>,
    /// What the provider's limits belong to.
    pub scope: Option<LimitScope>,
    /// What the base URL leaves open, by the name in braces. An entry has a field of the name.
    #[serde(default)]
    pub blanks: BTreeMap<String, Blank>,
    /// Published limits of plans that cost nothing. Nothing fills them in unasked.
    #[serde(default)]
    pub plans: BTreeMap<String, Plan>,
    /// What an entry is filled in with, by the names of an entry's fields.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// What a provider's limits belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LimitScope {
    /// The account (organisation, project, workspace): more keys give no more.
    Account,
    /// Each key.
    Key,
}

/// A part of a base URL that differs from account to account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Blank {
    /// What the user has to look up.
    pub about: String,
    /// Variables that are used where the entry does not say.
    #[serde(default)]
    pub env: Vec<String>,
}

/// Published limits.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The date of the facts.
    pub as_of: String,
    /// Where the limits are published.
    pub source: String,
    /// What the limits are of, and what can't be expressed.
    pub note: Option<String>,
    /// By the names of an entry's fields: `rpm`, `modelLimits`.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// All known providers.
#[derive(Debug, Clone, Default)]
pub struct Providers {
    list: Vec<Provider>,
    /// By name: why there is no preset.
    refused: BTreeMap<String, String>,
    /// By host: when a day begins there.
    resets: Vec<(String, String)>,
}

/// A file of presets, apart from the providers themselves. The schema alone refuses unknown fields: all else is judged as well.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("additionalProperties" = false))]
struct ProvidersFile {
    /// Where a JSON Schema is, for editors. Not used.
    #[serde(rename = "$schema", default)]
    #[expect(dead_code, reason = "is for editors alone")]
    schema: Option<String>,
    /// The date of the facts, `2026-11-28`.
    as_of: String,
    /// By id.
    providers: Map<String, Value>,
    /// By name: why there is no preset.
    #[serde(default)]
    refused: BTreeMap<String, String>,
}

impl Providers {
    /// Returns the presets of the program itself.
    pub fn embedded() -> &'static Providers {
        static KNOWN: OnceLock<Providers> = OnceLock::new();
        // A test holds that the file is valid. An invalid one would know no provider.
        KNOWN.get_or_init(|| {
            serde_json::from_str(EMBEDDED).map(|document| Self::of(&document).unwrap_or_default()).unwrap_or_default()
        })
    }

    /// Returns the providers of a document.
    ///
    /// # Errors
    /// With all mistakes.
    pub(super) fn of(document: &Value) -> Result<Providers, Vec<Problem>> {
        let mut problems = schema::check_as::<ProvidersFile>(document, "");
        let Ok(file) = serde_json::from_value::<ProvidersFile>(document.clone()) else { return Err(problems) };
        if file.as_of.parse::<jiff::civil::Date>().is_err() {
            problems.push(Problem::new("asOf", "must be a date such as 2026-11-28"));
        }
        let mut list = Vec::new();
        for (id, value) in file.providers {
            let at = format!("providers.{id}");
            problems.extend(schema::check_as::<Provider>(&value, &at));
            if let Ok(provider) = serde_json::from_value::<Provider>(value) {
                let provider = Provider { id, as_of: file.as_of.clone(), ..provider };
                problems.extend(provider.mistakes(&at));
                list.push(provider);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut known = Providers { list, refused: file.refused, resets: Vec::new() };
        known.note_resets();
        Ok(known)
    }

    /// Adds the providers of another file. Of two with one id the newer stays, and `other`'s where both are of one day.
    pub(super) fn with(mut self, other: Providers) -> Providers {
        self.refused.extend(other.refused);
        for provider in other.list {
            self.refused.remove(&provider.id);
            match self.list.iter_mut().find(|known| known.id == provider.id) {
                // Dates in this form are in the order of their texts.
                Some(known) if known.as_of > provider.as_of => {}
                Some(known) => *known = provider,
                None => self.list.push(provider),
            }
        }
        self.note_resets();
        self
    }

    /// Returns all providers, in the order of the file.
    pub fn list(&self) -> &[Provider] {
        &self.list
    }

    /// Returns the provider of this id.
    pub fn find(&self, id: &str) -> Option<&Provider> {
        self.list.iter().find(|provider| provider.id == id)
    }

    /// Returns the provider with this id, or with this other word for the provider, in any case.
    pub fn find_by_word(&self, word: &str) -> Option<&Provider> {
        let is_word = |known: &String| known.eq_ignore_ascii_case(word);
        let by_id = self.list.iter().find(|provider| is_word(&provider.id));
        by_id.or_else(|| self.list.iter().find(|provider| provider.aka.iter().any(is_word)))
    }

    /// Returns the first provider whose keys people keep in this variable. A number at the end is another key of the same
    /// provider: `GEMINI_API_KEY_2`, `GROQ_API_KEY3`.
    pub fn find_by_variable(&self, variable: &str) -> Option<&Provider> {
        let plain = variable.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
        [variable, plain].into_iter().find_map(|name| {
            // The usual variable of one provider goes before a spare one of another.
            let usual = self.list.iter().find(|provider| provider.key_env.first().is_some_and(|known| known == name));
            usual.or_else(|| self.list.iter().find(|provider| provider.key_env.iter().any(|known| known == name)))
        })
    }

    /// Returns the first provider with an address at this host: `api.groq.com`.
    pub fn find_by_host(&self, host: &str) -> Option<&Provider> {
        self.list.iter().find(|provider| provider.hosts().any(|known| known == host))
    }

    /// Returns why there is no preset of this name, for names that people try.
    pub fn refusal(&self, id: &str) -> Option<&str> {
        self.refused.get(id).map(String::as_str)
    }

    /// Returns all names without a preset, with the reason.
    pub fn refusals(&self) -> impl Iterator<Item = (&str, &str)> {
        self.refused.iter().map(|(id, why)| (id.as_str(), why.as_str()))
    }

    /// Returns the id that was probably meant.
    pub fn nearest(&self, typed: &str) -> Option<&str> {
        if let Some(provider) = self.find_by_word(typed) {
            return Some(&provider.id);
        }
        schema::nearest(typed, self.list.iter().map(|provider| &provider.id)).map(String::as_str)
    }

    /// Returns when a day begins at this host, as `reset` says it.
    pub(super) fn reset_at(&self, host: &str) -> Option<&str> {
        self.resets.iter().find(|(known, _)| known == host).map(|(_, reset)| reset.as_str())
    }

    fn note_resets(&mut self) {
        let of = |provider: &Provider| {
            let reset = provider.fields.get("reset").and_then(Value::as_str)?.to_owned();
            Some(provider.hosts().map(|host| (host, reset.clone())).collect::<Vec<_>>())
        };
        self.resets = self.list.iter().filter_map(of).flatten().collect();
    }
}

impl Provider {
    /// Returns the base URL of a format, perhaps with blanks.
    pub fn base_url(&self, format: WireFormat) -> Option<&str> {
        self.fields.get(format.base_url_field()).and_then(Value::as_str)
    }

    /// Returns whether the preset itself has what may be a secret.
    pub(super) fn holds_secrets(&self) -> bool {
        ["apiKey", "headers"].iter().any(|field| self.fields.contains_key(*field))
    }

    /// Returns whether an entry needs a key of the user's.
    pub fn needs_key(&self) -> bool {
        !self.fields.contains_key("apiKey")
    }

    /// Returns what an entry is filled in with, for people: with the key's usual variable, with blanks as they are, and without
    /// secrets.
    pub fn shown(&self) -> Map<String, Value> {
        let fields = self.fields.clone().into_iter();
        let mut shown: Map<String, Value> =
            fields.map(|(field, value)| (field.clone(), without_secrets(&field, value))).collect();
        if let Some(variable) = self.key_env.first() {
            shown.insert("apiKey".to_owned(), Value::from(format!("${{{variable}}}")));
        }
        if self.scope == Some(LimitScope::Account) {
            let blanks: String = self.blanks.keys().map(|blank| format!(":{{{blank}}}")).collect();
            shown.insert("quotaGroup".to_owned(), Value::from(format!("{}{blanks}", self.id)));
        }
        shown
    }

    fn hosts(&self) -> impl Iterator<Item = String> {
        let urls = WireFormat::ALL.into_iter().filter_map(|format| Url::parse(self.base_url(format)?).ok());
        urls.filter_map(|url| url.host_str().map(str::to_owned))
    }

    /// Returns what would make each entry of this provider invalid.
    fn mistakes(&self, at: &str) -> Vec<Problem> {
        let mut problems = schema::check_fields::<ApiFile>(&Value::Object(self.fields.clone()), at);
        for (name, plan) in &self.plans {
            let at = format!("{at}.plans.{name}");
            problems.extend(schema::check_fields::<ApiFile>(&Value::Object(plan.fields.clone()), &at));
        }
        for field in OF_THE_ENTRY.into_iter().filter(|field| self.fields.contains_key(*field)) {
            problems.push(Problem::new(&format!("{at}.{field}"), "belongs to an entry, not to a preset"));
        }
        for blank in self.blanks.keys().filter(|blank| !BLANKS.contains(&blank.as_str())) {
            let text = format!("is no blank; use {}", BLANKS.join(" or "));
            problems.push(Problem::new(&format!("{at}.blanks.{blank}"), text));
        }
        for format in WireFormat::ALL {
            let Some(url) = self.base_url(format) else { continue };
            let filled =
                self.blanks.keys().fold(url.to_owned(), |url, blank| url.replace(&format!("{{{blank}}}"), "x"));
            if let Err(why) = base_url::parse(&filled, format) {
                problems.push(Problem::new(&format!("{at}.{}", format.base_url_field()), why));
            }
        }
        problems
    }
}
