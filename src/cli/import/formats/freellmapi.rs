//! FreeLLMAPI's export of keys: JSON, `.env` or a table.

use crate::cli::import::address::Address;
use crate::cli::import::draft::{AccountDraft, ConfigDraft};
use crate::cli::import::input::{AGAIN, leave_odd_lines};
use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;
use crate::config::{ApiKey, Providers};

/// Platforms that presets know by another word.
const WORDS: [(&str, &str); 2] = [("ollama", "ollama-cloud"), ("ollama-local", "ollama")];

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) -> Result<(), String> {
    let keys = root.get("keys").unwrap_or_else(|| root.clone());
    if keys.is_list() {
        root.leave_each(&[(&["version", "exportedAt", "source"], "is about the export, not a setting")]);
        keys.items().iter().for_each(|key| read_key(key, draft));
        return Ok(());
    }
    if !root.is_object() || root.fields().iter().any(|(_, field)| field.is_object() || field.is_list()) {
        return Err("has no keys: give the file of Keys → Export".to_owned());
    }
    lines(root, draft);
    Ok(())
}

fn read_key(item: &Node<'_>, draft: &mut ConfigDraft) {
    let Some((platform, key)) = item.get("platform").and_then(|platform| Some((platform, item.get("key")?))) else {
        return;
    };
    let (Some(word), Some(text)) = (platform.text(), key.text()) else { return };
    let base = item.get("baseUrl").or_else(|| item.get("base_url")).filter(|base| base.text().is_some());
    let placed = place(&word, base.as_ref().and_then(Node::text).as_deref(), &text);
    let (address, own_key) = match placed {
        Ok(placed) => placed,
        Err(why) => return item.leave(why),
    };
    platform.change(match &address {
        Address::Preset { id, .. } => format!("is the preset {id}"),
        Address::Own { .. } => "is the base URL".to_owned(),
    });
    base.iter().for_each(Node::carry);
    let label = item.get("label");
    // A quote in front keeps a spreadsheet from taking the label for a formula.
    let name = label.as_ref().and_then(Node::text).map(|label| label.trim_start_matches('\'').to_owned());
    if let Some((label, text)) = label.as_ref().and_then(|label| Some((label, label.text()?))) {
        if text.starts_with('\'') { label.change("without the quote in front") } else { label.carry() }
    }
    if let Some(enabled) = item.get("enabled") {
        enabled.carry();
    }
    let wish = match &address {
        Address::Preset { id, .. } => id.clone(),
        Address::Own { .. } => name.clone().unwrap_or_else(|| address.name()),
    };
    let id = draft.unique_id(&wish);
    let mut account = AccountDraft::new(address, KeySource::Given(ApiKey::new(&own_key)));
    account.name = name;
    if item.get("enabled").and_then(|enabled| enabled.flag()) == Some(false) {
        account.fields.insert("enabled".to_owned(), serde_json::json!(false));
    }
    let todo = draft.add(&id, account);
    say(&key, own_key != text, todo);
}

/// Says what became of a key.
fn say(key: &Node<'_>, is_split: bool, todo: Option<String>) {
    match (is_split, todo) {
        (true, Some(todo)) => key.change(format!("the part in front is account; the other {todo}")),
        (true, None) => key.change("the part in front is account"),
        (false, Some(todo)) => key.change(todo),
        (false, None) => key.carry(),
    }
}

/// Reads `GROQ_KEY_2=…`, and `CUSTOM_1_KEY=…` beside `CUSTOM_1_BASE_URL=…`. The keys stay in the file.
fn lines(root: &Node<'_>, draft: &mut ConfigDraft) {
    leave_odd_lines(root);
    for (name, variable) in root.fields() {
        let Some(value) = variable.text() else { continue };
        if name.ends_with(AGAIN) {
            variable.leave("stands twice; the last line counts");
            continue;
        }
        let plain = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
        let Some(stem) = name.strip_suffix("_KEY").or_else(|| plain.strip_suffix("_KEY")) else { continue };
        let base = root.get(&format!("{stem}_BASE_URL"));
        let word = if stem.starts_with("CUSTOM") { "custom".to_owned() } else { stem.to_lowercase().replace('_', "-") };
        match place(&word, base.as_ref().and_then(Node::text).as_deref(), &value) {
            Err(why) => variable.leave(why),
            Ok((address, own_key)) => {
                base.iter().for_each(Node::carry);
                let id = draft.unique_id(&address.name());
                let key = if own_key == value {
                    KeySource::Variable(name.to_owned())
                } else {
                    KeySource::Given(ApiKey::new(&own_key))
                };
                let todo = draft.add(&id, AccountDraft::new(address, key));
                say(&variable, own_key != value, todo);
            }
        }
    }
    draft.notes.push("the keys stay in the file: name it .env, in the folder where the server starts".to_owned());
}

/// Returns where a key belongs, with the key alone.
fn place(platform: &str, base: Option<&str>, key: &str) -> Result<(Address, String), String> {
    if let Some(base) = base {
        return Ok((Address::at(base), key.to_owned()));
    }
    let word = WORDS.iter().find(|(theirs, _)| *theirs == platform).map_or(platform, |(_, ours)| ours);
    match (word, key.split_once(':')) {
        // The account stands in front of the token.
        ("cloudflare", Some((account, token))) => {
            let blank = Some(("account".to_owned(), account.to_owned()));
            Ok((Address::Preset { id: "cloudflare".to_owned(), blank }, token.to_owned()))
        }
        ("github", _) => Err("GitHub Models was retired on 2026-07-30".to_owned()),
        _ => Address::of_provider(word).map(|address| (address, key.to_owned())).ok_or_else(|| {
            let why = Providers::embedded()
                .refusal(word)
                .unwrap_or("no preset knows the platform; give an entry its base URL");
            format!("{word}: {why}")
        }),
    }
}
