//! Which variables hold keys of which providers. Pure.
//!
//! 1. A provider's variable stands in its preset (`GROQ_API_KEY`), and may have a number or a word behind it, for one more key:
//!    `GROQ_API_KEY_2`, `GROQ_API_KEY3`, `GROQ_API_KEY_WORK`. `GROQ_KEY` means the same. The longest name that fits counts.
//! 2. `GROQ_API_KEYS` holds several keys, with commas between them.
//! 3. `GROQ_BASE_URL` beside a key says where the account is. Behind a number, `GROQ_BASE_URL_2` does for that key alone.
//! 4. `RELAY_API_KEY` with `RELAY_BASE_URL` beside it is a key of an account at the URL, whoever that is.
//! 5. An empty variable is not set. A placeholder, the name of another variable, and a key that another variable holds, too, are
//!    left out with the reason.

use std::collections::{BTreeMap, HashSet};

use crate::config::{ApiKey, Provider, is_placeholder, is_reference, why_no_key};
use crate::types::sorted;

/// The variables by name. Any value may be a key.
pub(in crate::cli) type Variables = BTreeMap<String, ApiKey>;

/// Words behind a variable's name by which the variable holds something else.
const OTHER_THINGS: [&str; 12] =
    ["file", "path", "url", "base", "id", "name", "header", "prefix", "limit", "enabled", "type", "env"];

/// What the variable of a base URL ends in.
const BASE_URLS: [&str; 5] = ["_BASE_URL", "_API_BASE", "_API_BASE_URL", "_ENDPOINT", "_BASE"];

/// What the variable of a key ends in.
const KEYS: [&str; 4] = ["_API_KEY", "_API_TOKEN", "_KEY", "_TOKEN"];

/// A key, and what stands beside it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct FoundKey<'a> {
    /// `None`: nobody known, at the base URL beside.
    pub(in crate::cli) provider: Option<&'a Provider>,
    /// What the entry is called, but for the label.
    pub(in crate::cli) name: String,
    /// Where the key stands, or is going to stand.
    pub(in crate::cli) variable: String,
    /// What tells the key from others of the provider: empty, a number or a word.
    pub(in crate::cli) label: String,
    pub(in crate::cli) key: ApiKey,
    /// The variable of the base URL, and its value.
    pub(in crate::cli) base_url: Option<(String, String)>,
    /// The variable with several keys of which this is one. `variable` is not there yet then.
    pub(in crate::cli) one_of: Option<String>,
}

/// A variable that is not used.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct LeftOut {
    pub(in crate::cli) variable: String,
    pub(in crate::cli) why: String,
}

/// Returns the keys of these providers, in the order of the providers; and what is left out.
pub(in crate::cli) fn find<'a>(variables: &Variables, providers: &[&'a Provider]) -> (Vec<FoundKey<'a>>, Vec<LeftOut>) {
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    let mut names: Vec<&String> = variables.keys().collect();
    // `_2` before `_10`.
    sorted::sort_by_key(&mut names, |name| (name.len(), name.as_str()));
    for name in names {
        let Some(value) = variables.get(name).filter(|value| !value.expose().trim().is_empty()) else { continue };
        match Name::read(name, providers).or_else(|| Name::of_nobody_known(name, variables)) {
            Some(read) => found.extend(read.keys(variables, value)),
            None if name.ends_with("_API_KEY") => {
                let stem = name.trim_end_matches("_API_KEY");
                let why = format!("no known provider keeps a key there; set {stem}_BASE_URL beside it");
                left_out.push(LeftOut { variable: name.clone(), why });
            }
            None => {}
        }
    }
    let order = |found: &FoundKey<'_>| {
        providers.iter().position(|provider| found.provider.is_some_and(|own| own.id == provider.id))
    };
    // Those of nobody known come last. A key that has a variable of its own by now needs no new one.
    sorted::sort_by_key(&mut found, |found| (order(found).unwrap_or(usize::MAX), found.one_of.is_some()));
    let mut seen: HashSet<String> = HashSet::new();
    let mut refuse = |key: &FoundKey<'_>| {
        let text = key.key.expose();
        let why = if is_reference(text) {
            "holds the name of another variable, which nothing puts in".to_owned()
        } else if is_placeholder(text) {
            "is a placeholder".to_owned()
        } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
            why_no_key(text).to_owned()
        } else if !seen.insert(text.to_owned()) {
            "holds the same key as another variable".to_owned()
        } else {
            return None;
        };
        Some(LeftOut { variable: key.one_of.as_ref().unwrap_or(&key.variable).clone(), why })
    };
    found.retain(|key| match refuse(key) {
        Some(refused) => {
            left_out.push(refused);
            false
        }
        None => true,
    });
    (found, left_out)
}

/// Returns a name for the variable of one more key, which no variable has.
pub(in crate::cli) fn free_name(wanted: &str, variables: &Variables) -> String {
    let numbered = (2..).map(|n: u32| format!("{wanted}_{n}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !variables.contains_key(name)).unwrap_or_default()
}

/// The name of a variable, taken apart.
struct Name<'a> {
    name: String,
    provider: Option<&'a Provider>,
    /// The provider's variable.
    base: String,
    label: String,
    holds_several: bool,
}

impl<'a> Name<'a> {
    fn read(name: &str, providers: &[&'a Provider]) -> Option<Name<'a>> {
        let known = providers.iter().flat_map(|provider| {
            let usual = provider.key_env.first();
            provider.key_env.iter().map(move |base| (*provider, base, Some(base) == usual))
        });
        let written = known.flat_map(|(provider, base, is_usual)| {
            let short = base.strip_suffix("_API_KEY").map(|stem| format!("{stem}_KEY"));
            [Some(base.clone()), short].into_iter().flatten().map(move |base| (provider, base, is_usual))
        });
        let fitting = written.filter_map(|(provider, base, is_usual)| {
            let (label, holds_several) = label(name.strip_prefix(base.as_str())?)?;
            Some((is_usual, Name { name: name.to_owned(), provider: Some(provider), base, label, holds_several }))
        });
        // Of equal ones the last is the largest: the first provider of the list is meant.
        let all: Vec<_> = fitting.collect();
        all.into_iter().rev().max_by_key(|(is_usual, name)| (name.base.len(), *is_usual)).map(|(_, name)| name)
    }

    /// Reads a name with a base URL beside.
    fn of_nobody_known(name: &str, variables: &Variables) -> Option<Name<'a>> {
        let fitting = KEYS.iter().filter_map(|end| {
            let (stem, behind) = name.split_once(end)?;
            let (label, holds_several) = label(behind)?;
            (!stem.is_empty()).then(|| (format!("{stem}{end}"), label, holds_several))
        });
        let mut names = fitting.map(|(base, label, holds_several)| Name {
            name: name.to_owned(),
            provider: None,
            base,
            label,
            holds_several,
        });
        names.find(|name| name.base_url(variables, &name.label).is_some())
    }

    fn keys(&self, variables: &Variables, value: &ApiKey) -> Vec<FoundKey<'a>> {
        let text = value.expose().trim();
        if !self.holds_several {
            return vec![self.key(variables, (self.name.clone(), self.label.clone()), text)];
        }
        let several = text.split([',', ';', '\n']).map(str::trim).filter(|key| !key.is_empty());
        let numbered = several.enumerate().map(|(i, key)| {
            let label = (i + 1).to_string();
            let variable = free_name(&format!("{}_{label}", self.base), variables);
            let found = self.key(variables, (variable, label), key);
            FoundKey { one_of: Some(self.name.clone()), ..found }
        });
        numbered.collect()
    }

    fn key(&self, variables: &Variables, (variable, label): (String, String), key: &str) -> FoundKey<'a> {
        let key = ApiKey::new(key);
        let base_url = self.base_url(variables, &label);
        let of_stem = || self.stem().to_lowercase().replace('_', "-");
        let name = self.provider.map_or_else(of_stem, |provider| provider.id.clone());
        FoundKey { name, provider: self.provider, variable, label, key, base_url, one_of: None }
    }

    /// Returns the variable without its end: `RELAY` of `RELAY_API_KEY`.
    fn stem(&self) -> &str {
        KEYS.iter().find_map(|end| self.base.strip_suffix(end)).unwrap_or(&self.base)
    }

    /// Returns the variable with the base URL of a key, and its value.
    fn base_url(&self, variables: &Variables, label: &str) -> Option<(String, String)> {
        let stem = self.stem();
        let own = |end: &str| {
            let label = label.to_ascii_uppercase();
            [format!("{stem}{end}_{label}"), format!("{stem}_{label}{end}"), format!("{stem}{end}{label}")]
        };
        let of_the_key = BASE_URLS.iter().flat_map(|end| own(end)).filter(|_| !label.is_empty());
        let of_all = BASE_URLS.iter().map(|end| format!("{stem}{end}"));
        of_the_key.chain(of_all).find_map(|name| {
            let value = variables.get(&name)?.expose().trim().to_owned();
            (!value.is_empty()).then_some((name, value))
        })
    }
}

/// Reads what stands behind a provider's variable: the label, and whether the variable holds several keys.
fn label(behind: &str) -> Option<(String, bool)> {
    if behind.is_empty() || behind == "S" {
        return Some((String::new(), behind == "S"));
    }
    let is_number = behind.bytes().all(|b| b.is_ascii_digit());
    let word = if is_number { behind } else { behind.strip_prefix('_')? }.to_ascii_lowercase();
    let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let last = word.rsplit('_').next().unwrap_or_default();
    (is_word && !OTHER_THINGS.contains(&last)).then(|| (word.replace('_', "-"), false))
}

#[cfg(test)]
mod tests;
