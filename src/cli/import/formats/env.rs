//! A file of environment variables: one account for each key of a known provider.
//!
//! 1. `GROQ_API_KEY`, `GEMINI_API_KEY_2`: an account by the provider's preset. The key stays where it is.
//! 2. `RELAY_API_KEY` beside `RELAY_BASE_URL`: an account at the address.
//! 3. `GEMINI_API_KEYS=a,b`: an account for each key.

use crate::cli::import::address::Address;
use crate::cli::import::draft::{AccountDraft, Draft};
use crate::cli::import::input::AGAIN;
use crate::cli::import::secrets::{KeySource, is_placeholder};
use crate::cli::import::tree::Node;
use crate::config::{ApiKey, Provider, Providers};

/// Ends of names that hold the base URL of the key beside.
const BASES: [&str; 3] = ["_BASE_URL", "_API_BASE", "_BASE"];

/// Ends of names that hold a key, the longest first.
const KEYS: [&str; 4] = ["_API_KEYS", "_API_KEY", "_API_TOKEN", "_KEY"];

pub(super) fn read(root: &Node<'_>, draft: &mut Draft) -> Result<(), String> {
    if !root.is_object() {
        return Err("must have lines NAME=value".to_owned());
    }
    root.fields().iter().filter(|(_, variable)| variable.text().is_some()).for_each(|(name, variable)| {
        variable.leave(match *name {
            "HOST" | "PORT" | "LOG_LEVEL" | "LOG_FORMAT" | "TZ" => "is no account; the server reads it at the start",
            again if again.ends_with(AGAIN) => "stands twice; the first line counts",
            _ => "is no key of a known provider",
        });
    });
    for (name, variable) in root.fields().into_iter().filter(|(name, _)| !name.ends_with(AGAIN)) {
        let Some(value) = variable.text() else { continue };
        if is_placeholder(&value) {
            variable.leave("is a placeholder, not a key");
        } else if let Some((address, id)) = account(root, name) {
            add(draft, &KeyVariable { name, variable: &variable, value: &value }, address, &id);
        }
    }
    fill_blanks(root);
    draft.notes.push("the keys stay in the file: name it .env, in the folder where the server starts".to_owned());
    Ok(())
}

/// A variable that holds a key, or several.
struct KeyVariable<'a> {
    name: &'a str,
    variable: &'a Node<'a>,
    value: &'a str,
}

fn add(draft: &mut Draft, key: &KeyVariable<'_>, address: Address, id: &str) {
    let several: Vec<&str> = key.value.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    if several.len() <= 1 {
        let id = draft.unique_id(id);
        draft.add(&id, AccountDraft::new(address, KeySource::Variable(key.name.to_owned())));
        return key.variable.carry();
    }
    let mut todo = None;
    for one in &several {
        let id = draft.unique_id(id);
        let account = AccountDraft::new(address.clone(), KeySource::Given(ApiKey::new(one)));
        todo = todo.or(draft.add(&id, account));
    }
    let count = several.len();
    let how = todo.map(|todo| format!("; {todo} (and so on)")).unwrap_or_default();
    key.variable.change(format!("{count} keys in one variable are {count} entries{how}"));
}

/// Returns where the key of a variable belongs, with the wish for an id.
fn account(root: &Node<'_>, name: &str) -> Option<(Address, String)> {
    let end = KEYS.iter().find_map(|end| stem(name, end));
    if let Some(base) = end.as_ref().and_then(|stem| base_url(root, stem)) {
        let address = Address::at(&base.text()?);
        match &address {
            Address::Preset { id, .. } => base.change(format!("is the preset {id}")),
            Address::Own { .. } => base.carry(),
        }
        let id = end.unwrap_or_default().to_lowercase();
        return Some((address, id.replace('_', "-")));
    }
    let provider = provider(name)?;
    Some((Address::Preset { id: provider.id.clone(), blank: None }, provider.id.clone()))
}

fn provider(name: &str) -> Option<&'static Provider> {
    let known = Providers::embedded();
    known.find_by_variable(name).or_else(|| known.find_by_variable(&name.replacen("_KEYS", "_KEY", 1)))
}

/// `RELAY_API_KEY_2` as `RELAY`, for `_API_KEY`.
fn stem(name: &str, end: &str) -> Option<String> {
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
    [name, plain].iter().find_map(|name| name.strip_suffix(end)).filter(|stem| !stem.is_empty()).map(str::to_owned)
}

fn base_url<'a>(root: &Node<'a>, stem: &str) -> Option<Node<'a>> {
    let found = BASES.iter().find_map(|end| root.get(&format!("{stem}{end}")));
    found.filter(|base| base.text().is_some_and(|url| url.starts_with("http")))
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
