//! All known providers: the form of the file, and ways to find one.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::provider::Provider;
use crate::config::problem::Problem;
use crate::config::schema;

/// The presets of the program itself.
const EMBEDDED: &str = include_str!("../../../config/providers.json");

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
pub(in crate::config) struct ProvidersFile {
    /// Where a JSON Schema is, for editors. Not used.
    #[serde(rename = "$schema", default)]
    #[expect(dead_code, reason = "is for editors alone")]
    schema: Option<String>,
    /// The date of the facts, `2026-11-28`.
    as_of: String,
    /// By id.
    #[schemars(with = "BTreeMap<String, Provider>")]
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
        let mut problems = schema::check_providers(document);
        let Ok(file) = serde_json::from_value::<ProvidersFile>(document.clone()) else { return Err(problems) };
        if file.as_of.parse::<jiff::civil::Date>().is_err() {
            problems.push(Problem::new("asOf", "must be a date such as 2026-11-28"));
        }
        let mut list = Vec::new();
        for (id, value) in file.providers {
            let at = format!("providers.{id}");
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
        // A base URL or a host in the place of the name.
        let host = typed.split_once("://").map_or(typed, |(_, rest)| rest).split('/').next().unwrap_or_default();
        if let Some(provider) = self.find_by_word(typed).or_else(|| self.find_by_host(host)) {
            return Some(&provider.id);
        }
        // `gork` is near to grok, another word for xai.
        let words = || self.list.iter().flat_map(|provider| std::iter::once(&provider.id).chain(&provider.aka));
        let near = schema::nearest(typed, words())?;
        self.find_by_word(near).map(|provider| provider.id.as_str())
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
