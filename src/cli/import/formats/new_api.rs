//! new-api and one-api: channels as JSON, from the list or the export.
//!
//! 1. Each line of a channel's `key` is an entry.
//! 2. A channel's type is a provider, by number.
//! 3. The highest priority comes first there, the lowest here: the sign changes.
//! 4. Structures are kept as texts there, and are read as structures.

mod place;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::proxies;
use crate::cli::import::draft::{AccountDraft, ConfigDraft};
use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;
use crate::config::ApiKey;

/// Why fields are left out.
const OF_CHANNEL: &[(&[&str], &str)] = &[
    (
        &[
            "created_time",
            "test_time",
            "response_time",
            "balance",
            "balance_updated_time",
            "used_quota",
            "other_info",
            "need_reconcile",
        ],
        "is a count of the program's, not a setting",
    ),
    (&["id"], "entries have names, not numbers"),
    (&["group"], "each client may ask for all models"),
    (&["tag", "remark"], "is a note, not a setting"),
    (&["test_model"], "accounts are asked again by themselves"),
    (&["auto_ban"], "accounts rest by the rules of docs/failures.md"),
    (&["status_code_mapping"], "each status has its own meaning: docs/failures.md"),
    (&["param_override"], "requests go up as clients send them"),
];

/// Why the members of `setting` and `settings` are left out.
const OF_SETTING: &str = "is about how the program changes requests; they go up as clients send them";

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) -> Result<(), String> {
    let channels = channels(root);
    if channels.is_empty() {
        return Err("has no channels: give the JSON of GET /api/channel/, or of one channel".to_owned());
    }
    let mut has_keys = false;
    for channel in &channels {
        has_keys |= read_channel(channel, draft);
    }
    if !has_keys {
        draft
            .notes
            .push("the list of channels comes without keys: put each into the file that its entry names".to_owned());
    }
    Ok(())
}

/// Returns the channels, wherever the program puts them.
fn channels<'a>(root: &Node<'a>) -> Vec<Node<'a>> {
    for names in [&["data", "items"][..], &["data", "data"], &["data"], &["channels"], &["items"], &[]] {
        let Some(found) = root.at(names) else { continue };
        let is_channel =
            |node: &Node<'_>| node.get("type").is_some() && (node.get("models").is_some() || node.get("key").is_some());
        let list = if found.is_list() { found.items() } else { vec![found] };
        if list.first().is_some_and(is_channel) {
            say_around(root);
            return list;
        }
    }
    Vec::new()
}

fn say_around(root: &Node<'_>) {
    let around = [root.clone()].into_iter().chain(root.get("data"));
    for page in around {
        page.leave_each(&[(
            &["success", "message", "total", "page", "page_size", "type_counts"],
            "is about the answer, not a setting",
        )]);
    }
}

/// Reads a channel. Returns whether it has a key.
fn read_channel(channel: &Node<'_>, draft: &mut ConfigDraft) -> bool {
    channel.leave_each(OF_CHANNEL);
    let address = match place::address(channel) {
        Ok(address) => address,
        Err(why) => {
            channel.leave(why);
            return true;
        }
    };
    let mut base = AccountDraft::new(address, KeySource::Missing);
    let name = channel.get("name");
    base.name = name.as_ref().and_then(Node::text);
    name.iter().for_each(Node::carry);
    base.models = models(channel);
    base.fields = order(channel);
    let off = switched_off(channel);
    let keys = keys(channel);
    let wish = base.name.clone().unwrap_or_else(|| base.address.name());
    let all = if keys.is_empty() { vec![KeySource::Missing] } else { keys };
    for (place, key) in all.iter().enumerate() {
        let id = draft.unique_id(&wish);
        let mut account = AccountDraft { key: key.clone(), ..base.clone() };
        if off.contains(&place) {
            account.fields.insert("enabled".to_owned(), json!(false));
        }
        headers(channel, &id, &mut account, draft);
        settings(channel, &id, &mut account, draft);
        draft.add(&id, account);
    }
    let has_key = !matches!(&*all, [KeySource::Missing]);
    if let Some(field) = channel.get("key").filter(|_| has_key) {
        match (&*all, draft.secrets.todo_of(&all)) {
            ([_], Some(todo)) => field.change(todo),
            ([_], None) => field.carry(),
            (_, Some(todo)) => field.change(format!("each line is an entry; {todo}")),
            (_, None) => field.change("each line is an entry"),
        }
    }
    has_key
}

/// Returns the keys: lines, or a list.
fn keys(channel: &Node<'_>) -> Vec<KeySource> {
    let texts = channel.get("key").map(|key| key.texts()).unwrap_or_default();
    let lines = texts.iter().flat_map(|(_, text)| text.lines()).map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| KeySource::Given(ApiKey::new(line))).collect()
}

/// Returns the places of the keys that are switched off.
fn switched_off(channel: &Node<'_>) -> Vec<usize> {
    let mut off = Vec::new();
    if let Some(info) = channel.get("channel_info") {
        for (place, status) in info.get("multi_key_status_list").iter().flat_map(Node::fields) {
            if let (Ok(place), Some(2 | 3)) = (place.parse(), status.whole()) {
                status.change("is enabled: false");
                off.push(place);
            }
        }
        info.leave_each(&[
            (
                &["is_multi_key", "multi_key_size", "multi_key_mode", "multi_key_polling_index"],
                "each key is an entry, and takes its turn by weight",
            ),
            (&["multi_key_disabled_reason", "multi_key_disabled_time"], "is a count of the program's, not a setting"),
        ]);
    }
    if let Some(status) = channel.get("status") {
        match status.whole() {
            Some(2 | 3) => {
                status.change("is enabled: false");
                let count = keys(channel).len().max(1);
                off = (0..count).collect();
            }
            Some(1) => status.change("is the default"),
            _ => {}
        }
    }
    off
}

fn models(channel: &Node<'_>) -> Vec<(String, String)> {
    let listed = channel.get("models").map(|models| {
        models.change("is a list");
        models.texts().into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(",")
    });
    let listed = listed.unwrap_or_default();
    let names: Vec<&str> = listed.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    let mut mapping = BTreeMap::new();
    for (asked, field) in channel.get("model_mapping").iter().flat_map(Node::fields) {
        let Some(own) = field.text() else { continue };
        if names.contains(&asked) {
            field.carry();
            mapping.insert(asked, own);
        } else {
            field.leave("models does not list the name, so it is never asked for there");
        }
    }
    names.iter().map(|name| ((*name).to_owned(), mapping.remove(name).unwrap_or_else(|| (*name).to_owned()))).collect()
}

fn order(channel: &Node<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(weight) = channel.get("weight")
        && let Some(number) = weight.whole()
    {
        if number > 1 {
            weight.carry();
            fields.insert("weight".to_owned(), json!(number.min(1_000_000)));
        } else {
            weight.change("is 1, the smallest weight");
        }
    }
    if let Some(priority) = channel.get("priority")
        && let Some(number) = priority.whole().and_then(|number| i32::try_from(number).ok())
    {
        priority.change("has the other sign: the lowest comes first here");
        if number != 0 {
            fields.insert("priority".to_owned(), json!(-i64::from(number)));
        }
    }
    fields
}

fn headers(channel: &Node<'_>, id: &str, account: &mut AccountDraft, draft: &mut ConfigDraft) {
    if let Some(organization) = channel.get("openai_organization")
        && let Some(text) = organization.text()
    {
        organization.change("is the header OpenAI-Organization");
        draft.header(id, ("OpenAI-Organization", &text), account);
    }
    for (name, field) in channel.get("header_override").iter().flat_map(Node::fields) {
        let Some(value) = field.text() else { continue };
        if value.contains("{api_key}") || name.eq_ignore_ascii_case("authorization") {
            field.leave("the pool sends the key by itself");
        } else {
            let todo = draft.header(id, (name, &value), account);
            todo.map_or_else(|| field.carry(), |todo| field.change(todo));
        }
    }
}

fn settings(channel: &Node<'_>, id: &str, account: &mut AccountDraft, draft: &mut ConfigDraft) {
    for field in ["setting", "settings"].into_iter().filter_map(|name| channel.get(name)) {
        if !field.is_object() {
            field.leave(OF_SETTING);
        }
        field.fields().iter().for_each(|(_, member)| member.leave(OF_SETTING));
    }
    if let Some(setting) = channel.get("setting") {
        proxies::of_entry(&setting, "proxy", (id, account), draft);
    }
}
