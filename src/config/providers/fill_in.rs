//! Fills in the entries that name a provider. Pure but for the environment, which comes as a function.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use url::Url;

use super::known::Providers;
use super::provider::{LimitScope, Provider};
use super::secrets::without_secrets;
use crate::config::placeholder::{held_by, is_reference};
use crate::config::problem::Problem;
use crate::types::WireFormat;

/// What a preset filled into an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresetUse {
    /// The provider's id.
    pub provider: String,
    /// The date of the facts.
    pub as_of: String,
    /// Field and value, for people. Never a key.
    pub filled: Vec<(String, String)>,
}

/// What came of filling in.
#[derive(Debug, Default)]
pub(in crate::config) struct FilledIn {
    /// By the entry's id.
    pub(in crate::config) uses: BTreeMap<String, PresetUse>,
    /// What is allowed and yet probably not meant.
    pub(in crate::config) warnings: Vec<String>,
    /// What can't be filled in.
    pub(in crate::config) problems: Vec<Problem>,
}

/// Fills in each entry of `apis` that names a provider, and the `reset` of those at a known host. `variable` looks into the
/// environment.
pub(in crate::config) fn fill_in(
    document: &mut Value,
    providers: &Providers,
    variable: &dyn Fn(&str) -> Option<String>,
) -> FilledIn {
    let mut done = FilledIn::default();
    let apis = document.get_mut("apis").and_then(Value::as_array_mut).into_iter().flatten().enumerate();
    for (index, api) in apis {
        let Value::Object(entry) = api else { continue };
        match entry.get("provider") {
            // Of another type, or empty: the schema has said so.
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {}
            Some(Value::String(id)) if id.is_empty() => {}
            Some(Value::String(id)) => match providers.find(id) {
                Some(provider) => Filler { index, provider, variable, done: &mut done }.fill(entry),
                None => done.problems.push(unknown(index, id, providers)),
            },
            None | Some(Value::Null) => {
                done.blanks_without_a_preset(index, entry);
                fill_in_reset(entry, providers);
            }
        }
    }
    done
}

impl FilledIn {
    fn blanks_without_a_preset(&mut self, index: usize, entry: &Map<String, Value>) {
        for field in ["resource", "account"].into_iter().filter(|field| entry.contains_key(*field)) {
            self.warnings
                .push(format!("apis[{index}].{field}: is about the base URL of a provider, and none is named"));
        }
    }
}

fn unknown(index: usize, typed: &str, providers: &Providers) -> Problem {
    let why = match (providers.refusal(typed), providers.nearest(typed)) {
        (Some(why), _) => why.to_owned(),
        (None, Some(near)) => format!("is not known, did you mean {near}? `api-together presets` lists all"),
        (None, None) => "is not known; `api-together presets` lists all, and a baseUrl does without".to_owned(),
    };
    Problem::new(&format!("apis[{index}].provider"), why)
}

/// Fills in when the day of a provider begins that is known by the host.
fn fill_in_reset(entry: &mut Map<String, Value>, providers: &Providers) {
    let typed = WireFormat::ALL.into_iter().find_map(|format| entry.get(format.base_url_field())?.as_str());
    let url = typed.and_then(|typed| Url::parse(typed.trim()).ok());
    let reset = url.as_ref().and_then(Url::host_str).and_then(|host| providers.reset_at(host));
    if let Some(reset) = reset.filter(|_| entry.get("reset").is_none_or(Value::is_null)) {
        entry.insert("reset".to_owned(), Value::from(reset));
    }
}

/// Fills in one entry.
struct Filler<'a> {
    index: usize,
    provider: &'a Provider,
    variable: &'a dyn Fn(&str) -> Option<String>,
    done: &'a mut FilledIn,
}

impl Filler<'_> {
    fn fill(mut self, entry: &mut Map<String, Value>) {
        let mut fields = self.provider.fields.clone();
        if WireFormat::ALL.iter().any(|format| entry.get(format.base_url_field()).is_some_and(|url| !url.is_null())) {
            WireFormat::ALL.iter().for_each(|format| drop(fields.shift_remove(format.base_url_field())));
            // How a key is sent to an address that is not there would only be warned of.
            for (url, auth) in [("anthropicBaseUrl", "anthropicAuth"), ("geminiBaseUrl", "geminiAuth")] {
                if entry.get(url).is_none_or(Value::is_null) {
                    fields.shift_remove(auth);
                }
            }
        }
        let account = self.fill_blanks(entry, &mut fields);
        if self.provider.scope == Some(LimitScope::Account) {
            fields.insert("quotaGroup".to_owned(), Value::from(account));
        }
        let variable = self.fill_key(entry, &mut fields);
        let mut filled = Vec::new();
        for (field, value) in fields {
            if let Some(shown) = merge(entry, &field, value) {
                let shown = match (&*field, &variable) {
                    ("apiKey", Some(variable)) => format!("from {variable}"),
                    _ => shown,
                };
                filled.push((field, shown));
            }
        }
        let Some(id) = entry.get("id").and_then(Value::as_str) else { return };
        let Provider { id: provider, as_of, .. } = self.provider.clone();
        self.done.uses.insert(id.to_owned(), PresetUse { provider, as_of, filled });
    }

    /// Puts the entry's words into the blanks of its base URLs. Returns the name of the account: the provider, and the words.
    fn fill_blanks(&mut self, entry: &Map<String, Value>, fields: &mut Map<String, Value>) -> String {
        let mut account = self.provider.id.clone();
        for (name, blank) in &self.provider.blanks {
            let place = format!("{{{name}}}");
            let has_place = |value: &Value| value.as_str().is_some_and(|text| text.contains(&place));
            let at = format!("apis[{}].{name}", self.index);
            let Some(url) = fields.values().find(|value| has_place(value)).and_then(Value::as_str) else {
                if entry.contains_key(name) {
                    self.done.warnings.push(format!("{at}: is not used, as the entry has a base URL of its own"));
                }
                continue;
            };
            let of_environment = || blank.env.iter().find_map(|variable| (self.variable)(variable));
            let word = match entry.get(name) {
                Some(Value::String(word)) => Some(word.clone()),
                None | Some(Value::Null) => of_environment(),
                // Of another type: the schema has said so.
                Some(_) => continue,
            };
            let is_word = |word: &String| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
            let why = match &word {
                Some(word) if !word.is_empty() && is_word(word) => None,
                Some(_) => Some(format!("must be {} alone: letters, digits and hyphens", blank.about)),
                None => {
                    let or_set = blank.env.first().map(|variable| format!(", or set {variable}")).unwrap_or_default();
                    Some(format!("is missing; give {} for {url}{or_set}, or give a baseUrl", blank.about))
                }
            };
            let is_hex = |word: &String, digits| word.len() == digits && word.bytes().all(|b| b.is_ascii_hexdigit());
            if blank.hex_digits.zip(word.as_ref()).is_some_and(|(digits, word)| why.is_none() && !is_hex(word, digits))
            {
                self.done.warnings.push(format!("{at}: must be {}", blank.about));
            }
            self.done.problems.extend(why.map(|why| Problem::new(&at, why)));
            // Refused or not, the base URL is complete: one mistake is told once.
            let word = word.filter(is_word).unwrap_or_else(|| name.clone());
            account = format!("{account}:{word}");
            for value in fields.values_mut().filter(|value| has_place(value)) {
                *value = Value::from(value.as_str().unwrap_or_default().replace(&place, &word));
            }
        }
        account
    }

    /// Sees to a key for an entry without one. Returns the variable that the key is from.
    fn fill_key(&mut self, entry: &mut Map<String, Value>, fields: &mut Map<String, Value>) -> Option<String> {
        // `null` is no key, and takes none away.
        entry.retain(|name, value| !value.is_null() || !["apiKey", "apiKeyFile"].contains(&name.as_str()));
        if ["apiKey", "apiKeyFile"].iter().any(|field| entry.contains_key(*field)) {
            fields.shift_remove("apiKey");
            return None;
        }
        let set = self.provider.key_env.iter().find_map(|name| Some((name, (self.variable)(name)?)));
        if let Some((name, key)) = set {
            if is_reference(&key) {
                self.done.warnings.push(format!("apis[{}].apiKey: {}", self.index, held_by(name)));
            }
            fields.insert("apiKey".to_owned(), Value::from(key));
            return Some(name.clone());
        }
        if self.provider.needs_key() {
            let set =
                self.provider.key_env.first().map(|name| format!("set {name}, in the environment or in .env, or "));
            let why = format!("is missing; {}give apiKey or apiKeyFile", set.unwrap_or_default());
            self.done.problems.push(Problem::new(&format!("apis[{}].apiKey", self.index), why));
        }
        None
    }
}

/// Puts a value into an entry where the user has none. Returns what was put in, for people.
fn merge(entry: &mut Map<String, Value>, field: &str, value: Value) -> Option<String> {
    match (entry.get_mut(field), value) {
        (None, value) => {
            let shown = shown(field, &value);
            entry.insert(field.to_owned(), value);
            Some(shown)
        }
        (Some(Value::Object(own)), Value::Object(members)) => {
            let is_own =
                |name: &String, own: &Map<String, Value>| own.keys().any(|known| known.eq_ignore_ascii_case(name));
            let missing: Map<String, Value> = members.into_iter().filter(|(name, _)| !is_own(name, own)).collect();
            let shown = (!missing.is_empty()).then(|| shown(field, &Value::Object(missing.clone())));
            own.extend(missing);
            shown
        }
        (Some(_), _) => None,
    }
}

/// Returns a value for people: a key as its mask, and of headers the names alone.
fn shown(field: &str, value: &Value) -> String {
    let value = without_secrets(field, value.clone());
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
