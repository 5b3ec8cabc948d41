//! One provider: what is known, and what would be wrong with that.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::secrets::without_secrets;
use crate::config::base_url;
use crate::config::problem::Problem;
use crate::config::schema;
use crate::types::WireFormat;

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
    /// So many hexadecimal digits it has. Without: letters, digits and hyphens.
    pub hex_digits: Option<usize>,
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

impl Provider {
    /// Returns the base URL of a format, perhaps with blanks.
    pub fn base_url(&self, format: WireFormat) -> Option<&str> {
        self.fields.get(format.base_url_field()).and_then(Value::as_str)
    }

    /// Returns whether the preset itself has what may be a secret.
    pub(super) fn holds_secrets(&self) -> bool {
        ["apiKey", "headers", "proxy"].iter().any(|field| self.fields.contains_key(*field))
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

    /// Returns the hosts of the base URLs.
    pub(super) fn hosts(&self) -> impl Iterator<Item = String> {
        let urls = WireFormat::ALL.into_iter().filter_map(|format| Url::parse(self.base_url(format)?).ok());
        urls.filter_map(|url| url.host_str().map(str::to_owned))
    }

    /// Returns what would make each entry of this provider invalid.
    pub(super) fn mistakes(&self, at: &str) -> Vec<Problem> {
        let mut problems = schema::check_fields_of_api(&Value::Object(self.fields.clone()), at);
        for (name, plan) in &self.plans {
            let at = format!("{at}.plans.{name}");
            problems.extend(schema::check_fields_of_api(&Value::Object(plan.fields.clone()), &at));
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
