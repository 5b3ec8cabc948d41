//! A file of environment variables: one account for each key, found by the rules of `init`.
//!
//! 1. `GROQ_API_KEY`, `GEMINI_API_KEY_2`, `OPENAI_KEY_WORK`: an account by the provider's preset. The key stays where it is.
//! 2. `RELAY_API_KEY` beside `RELAY_BASE_URL`: an account at the address, whether a provider is known or not.
//! 3. `GEMINI_API_KEYS=a,b`: an account for each key.

use crate::cli::import::address::Address;
use crate::cli::import::draft::{AccountDraft, ConfigDraft};
use crate::cli::import::input::AGAIN;
use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;
use crate::cli::init::variables::{FoundKey, Variables, find};
use crate::config::{ApiKey, Provider, Providers, is_placeholder};

/// Ends of names that hold the base URL of the key beside.
const BASES: [&str; 3] = ["_BASE_URL", "_API_BASE", "_BASE"];

/// Ends of names that hold a key of nobody known, the longest first.
const KEYS: [&str; 4] = ["_API_KEY", "_API_TOKEN", "_TOKEN", "_KEY"];

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) -> Result<(), String> {
    if !root.is_object() {
        return Err("must have lines NAME=value".to_owned());
    }
    let mut variables = Variables::new();
    for (name, variable) in root.fields() {
        let Some(value) = variable.text() else { continue };
        variable.leave(match name {
            "HOST" | "PORT" | "LOG_LEVEL" | "LOG_FORMAT" | "TZ" => "is no account; the server reads it at the start",
            again if again.ends_with(AGAIN) => "stands twice; the first line counts",
            _ => "is no key of a known provider",
        });
        if !name.ends_with(AGAIN) {
            variables.insert(name.to_owned(), ApiKey::new(&value));
        }
    }
    let providers: Vec<&Provider> = Providers::embedded().list().iter().collect();
    let (found, left_out) = find(&variables, &providers);
    for out in left_out {
        root.get(&out.variable).iter().for_each(|variable| variable.leave(out.why.clone()));
    }
    found.iter().for_each(|key| add(root, key, draft));
    of_nobody_known(root, draft);
    fill_blanks(root);
    draft.notes.push("the keys stay in the file: name it .env, in the folder where the server starts".to_owned());
    Ok(())
}

fn add(root: &Node<'_>, found: &FoundKey<'_>, draft: &mut ConfigDraft) {
    let address = match &found.base_url {
        None => Address::Preset { id: found.provider.id.clone(), blank: None },
        Some((variable, url)) => at(root.get(variable).as_ref(), url),
    };
    let wish = if found.label.is_empty() {
        found.provider.id.clone()
    } else {
        format!("{}-{}", found.provider.id, found.label)
    };
    let id = draft.unique_id(&wish);
    if !found.is_new {
        draft.add(&id, AccountDraft::new(address, KeySource::Variable(found.variable.clone())));
        return root.get(&found.variable).iter().for_each(Node::carry);
    }
    // One of several keys in a variable, which a reference can't name.
    let todo = draft.add(&id, AccountDraft::new(address, KeySource::Given(found.key.clone())));
    let todo = todo.map(|todo| format!("; the last {todo}")).unwrap_or_default();
    for (_, variable) in root.fields() {
        if variable.text().is_some_and(|text| text.contains(found.key.expose())) {
            variable.change(format!("each key is an entry{todo}"));
        }
    }
}

fn at(variable: Option<&Node<'_>>, url: &str) -> Address {
    let address = Address::at(url);
    if let Some(variable) = variable {
        match &address {
            Address::Preset { id, .. } => variable.change(format!("is the preset {id}")),
            Address::Own { .. } => variable.carry(),
        }
    }
    address
}

/// Adds the keys with a base URL beside whose provider is not known.
fn of_nobody_known(root: &Node<'_>, draft: &mut ConfigDraft) {
    for (name, variable) in root.fields() {
        let Some(stem) = KEYS.iter().find_map(|end| name.strip_suffix(end)).filter(|stem| !stem.is_empty()) else {
            continue;
        };
        let base = BASES.iter().find_map(|end| root.get(&format!("{stem}{end}")));
        let url = base.as_ref().and_then(Node::text).filter(|url| url.starts_with("http"));
        let (Some(url), Some(key)) = (url, variable.text()) else { continue };
        let is_known = Providers::embedded().list().iter().any(|provider| {
            provider.key_env.iter().any(|known| known == name || known.strip_suffix("_API_KEY") == Some(stem))
        });
        if is_known || is_placeholder(&key) {
            continue;
        }
        let id = draft.unique_id(&stem.to_lowercase().replace('_', "-"));
        draft.add(&id, AccountDraft::new(at(base.as_ref(), &url), KeySource::Variable(name.to_owned())));
        variable.carry();
    }
}

/// Marks what presets read by themselves: the name of an Azure resource, say.
fn fill_blanks(root: &Node<'_>) {
    let blanks = Providers::embedded().list().iter().flat_map(|provider| {
        provider.blanks.values().flat_map(|blank| &blank.env).map(|name| (provider.id.as_str(), name.as_str()))
    });
    for (provider, name) in blanks {
        if let Some(variable) = root.get(name) {
            variable.change(format!("is read by the preset {provider}"));
        }
    }
}
