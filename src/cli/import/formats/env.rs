//! A file of environment variables: one account for each key, found by the rules of `init`.
//!
//! 1. `GROQ_API_KEY`, `GEMINI_API_KEY_2`, `OPENAI_KEY_WORK`: an account by the provider's preset. The key stays where it is.
//! 2. `RELAY_API_KEY` beside `RELAY_BASE_URL`: an account at the address, whether a provider is known or not.
//! 3. `GEMINI_API_KEYS=a,b`: an account for each key, under the names that `init` would append to the file.

use crate::cli::import::address::Address;
use crate::cli::import::draft::{AccountDraft, ConfigDraft};
use crate::cli::import::input::{AGAIN, leave_odd_lines};
use crate::cli::import::secrets::{KeySource, not_set};
use crate::cli::import::tree::Node;
use crate::cli::init::variables::{FoundKey, Variables, find};
use crate::config::{ApiKey, Provider, Providers};
use crate::types::sorted;

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) -> Result<(), String> {
    if !root.is_object() {
        return Err("must have lines NAME=value".to_owned());
    }
    let mut variables = Variables::new();
    for (name, variable) in root.fields() {
        let Some(value) = variable.text() else { continue };
        variable.leave(match name {
            "HOST" | "PORT" | "LOG_LEVEL" | "LOG_FORMAT" | "TZ" => "is no account; the server reads it at the start",
            again if again.ends_with(AGAIN) => "stands twice; the last line counts",
            _ => "is no key of a known provider",
        });
        if !name.ends_with(AGAIN) {
            variables.insert(name.to_owned(), ApiKey::new(&value));
        }
    }
    leave_odd_lines(root);
    let providers: Vec<&Provider> = Providers::embedded().list().iter().collect();
    let (found, left_out) = find(&variables, &providers);
    for out in left_out {
        root.get(&out.variable).iter().for_each(|variable| variable.leave(out.why.clone()));
    }
    found.iter().for_each(|key| add(root, key, draft));
    of_several(root, &found, draft);
    fill_blanks(root);
    draft.notes.push("the keys stay in the file: name it .env, in the folder where the server starts".to_owned());
    Ok(())
}

fn add(root: &Node<'_>, found: &FoundKey<'_>, draft: &mut ConfigDraft) {
    let address = match (&found.base_url, found.provider) {
        (Some((variable, url)), _) => at(root.get(variable).as_ref(), url),
        (None, Some(provider)) => Address::Preset { id: provider.id.clone(), blank: None },
        // Nobody known is found by the base URL alone.
        (None, None) => return,
    };
    let name = &found.name;
    let wish = if found.label.is_empty() { name.clone() } else { format!("{name}-{}", found.label) };
    let id = draft.unique_id(&wish);
    let is_copied = found.one_of.is_some() && draft.secrets.are_copied();
    let key = if is_copied { KeySource::Given(found.key.clone()) } else { KeySource::Variable(found.variable.clone()) };
    draft.add(&id, AccountDraft::new(address, key));
    if found.one_of.is_none() {
        root.get(&found.variable).iter().for_each(Node::carry);
    }
}

/// Says what becomes of the variables with several keys, of which a reference can name none.
fn of_several(root: &Node<'_>, found: &[FoundKey<'_>], draft: &mut ConfigDraft) {
    let names = sorted::set(found.iter().filter_map(|key| key.one_of.as_ref()));
    for name in &names {
        let own = found.iter().filter(|key| key.one_of.as_ref() == Some(name)).map(|key| key.variable.as_str());
        let own: Vec<&str> = own.collect();
        let how = match draft.secrets.are_copied() {
            true => String::new(),
            false => format!(": {}", not_set(&own)),
        };
        root.get(name).iter().for_each(|variable| variable.change(format!("each key is an entry{how}")));
    }
    if !names.is_empty() && !draft.secrets.are_copied() {
        draft.notes.push("`api-together init --env-file FILE` makes the same entries, and sets their variables".into());
    }
}

fn at(variable: Option<&Node<'_>>, url: &str) -> Address {
    let address = Address::endpoint(url);
    if let Some(variable) = variable {
        match &address {
            Address::Preset { id, .. } => variable.change(format!("is the preset {id}")),
            Address::Own { url: own, .. } if own == url => variable.carry(),
            Address::Own { .. } => variable.change("is the base, without the endpoint"),
        }
    }
    address
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
