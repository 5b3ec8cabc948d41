//! gpt-load: groups as JSON, from `GET /api/groups` or an export, with or without the keys.
//!
//! 1. Each key of a group is an entry at each upstream of the group.
//! 2. Clients name a group in the path there. Here all entries are one pool, and a request goes by its model.
//! 3. A group of groups only gives its members their weights.

mod group;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use self::group::{Group, groups, weights};
use super::numbers::milliseconds;
use super::proxies;
use crate::cli::import::address::{Address, has_password};
use crate::cli::import::draft::{AccountDraft, ConfigDraft};
use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;
use crate::config::ApiKey;

const OF_GROUP: &[(&[&str], &str)] = &[
    (
        &[
            "id",
            "endpoint",
            "created_at",
            "updated_at",
            "last_validated_at",
            "is_system",
            "effective_config",
            "child_groups",
        ],
        "is the program's own count or copy, not a setting",
    ),
    (&["description"], "is a note, not a setting"),
    (&["sort"], "is the order on the page"),
    (&["test_model", "validation_endpoint"], "accounts are asked again by themselves"),
    (&["param_overrides", "inbound_rules", "outbound_rules", "path_redirects"], "requests go up as clients send them"),
];
const OF_CONFIG: &[(&[&str], &str)] = &[
    (&["blacklist_threshold"], "accounts rest by the rules of docs/failures.md"),
    (
        &["key_validation_interval_minutes", "key_validation_concurrency", "key_validation_timeout_seconds"],
        "accounts are asked again by themselves",
    ),
    (
        &["max_idle_conns", "max_idle_conns_per_host", "idle_conn_timeout"],
        "connections are kept as long as the upstream keeps them",
    ),
    (&["enable_request_body_logging"], "no prompt is logged"),
];

/// Times of a group, and of `timeouts`.
const TIMES: [(&str, &str); 3] = [
    ("connect_timeout", "connectMs"),
    ("response_header_timeout", "firstTokenTimeoutMs"),
    ("request_timeout", "totalMs"),
];

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) -> Result<(), String> {
    let groups = groups(root);
    if groups.is_empty() {
        return Err("has no groups: give the JSON of GET /api/groups, or an export".to_owned());
    }
    let weights = weights(&groups);
    let mut clients = Vec::new();
    for one in &groups {
        clients.extend(client_keys(&one.group, draft));
        if one.text("group_type").as_deref() == Some("aggregate") {
            one.group.leave("a group of groups: all entries are one pool; the weights are those of its members");
        } else {
            read_group(one, &weights, draft);
        }
    }
    if !clients.is_empty() {
        draft.server.insert("apiKey".to_owned(), json!(clients));
    }
    root.leave_each(&[(
        &["code", "message", "version", "exported_at", "system_settings", "settings"],
        "is about the program, not about accounts",
    )]);
    Ok(())
}

fn read_group(one: &Group<'_>, weights: &BTreeMap<String, u64>, draft: &mut ConfigDraft) {
    let group = &one.group;
    let kind = one.text("channel_type").unwrap_or_else(|| "openai".to_owned());
    group.get("channel_type").iter().for_each(|kind| kind.change("the address says which format is spoken"));
    let name = one.text("name").unwrap_or_default();
    group.get("name").iter().for_each(|name| name.change("is the id: clients name no group, but a model"));
    group.get("display_name").iter().filter(|name| name.text().is_some()).for_each(Node::carry);
    group.get("group_type").iter().for_each(|kind| kind.change("each key is an entry at each upstream"));
    if let Some(enabled) = group.get("enabled") {
        enabled.change("is enabled");
    }
    group.leave_each(OF_GROUP);
    let keys = one.keys();
    for upstream in upstreams(group) {
        let mut base = AccountDraft::new(upstream_address(&upstream.0, &upstream.1, &kind), KeySource::Missing);
        base.name = one.text("display_name").or(Some(name.clone())).filter(|name| !name.is_empty());
        base.models = models(group);
        base.fields = fields(group, upstream.2.or(weights.get(&name).copied()), draft);
        if keys.is_empty() {
            let id = draft.unique_id(&name);
            add(group, &id, base.clone(), draft);
        }
        for (_, key, is_on) in &keys {
            let id = draft.unique_id(&name);
            let mut account = AccountDraft { key: key.clone(), ..base.clone() };
            if !is_on {
                account.fields.insert("enabled".to_owned(), json!(false));
            }
            add(group, &id, account, draft);
        }
    }
    for (field, ..) in &keys {
        let of_the_field = keys.iter().filter(|(other, ..)| other.path() == field.path()).map(|(_, key, _)| key);
        let is_one = of_the_field.clone().count() == 1;
        match draft.secrets.todo_of(of_the_field) {
            Some(todo) if is_one => field.change(todo),
            Some(todo) => field.change(format!("each line is an entry; {todo}")),
            None if is_one => field.carry(),
            None => field.change("each line is an entry"),
        }
    }
    if keys.is_empty() {
        draft.notes.push(format!("the group {name} has no keys here: put one into the file that the entry names"));
    }
}

fn add(group: &Node<'_>, id: &str, mut account: AccountDraft, draft: &mut ConfigDraft) -> Option<String> {
    for rule in group.get("header_rules").map(|rules| rules.items()).unwrap_or_default() {
        let action = rule.get("action").and_then(|action| action.text());
        if action.as_deref() == Some("remove") {
            rule.leave("the pool sends few of a client's headers, and removes none by rule");
        } else if let (Some(name), Some(value)) = (rule.get("key"), rule.get("value"))
            && let (Some(header), Some(text)) = (name.text(), value.text())
        {
            name.carry();
            rule.get("action").iter().for_each(|action| action.change("is one of headers"));
            let todo = draft.header(id, (&header, &text), &mut account);
            todo.map_or_else(|| value.carry(), |todo| value.change(todo));
        }
    }
    if let Some(config) = group.get("config") {
        proxies::of_entry(&config, "proxy_url", (id, &mut account), draft);
    }
    draft.add(id, account)
}

/// Returns the addresses of a group, with their weights.
fn upstreams<'a>(group: &Node<'a>) -> Vec<(Node<'a>, String, Option<u64>)> {
    let list = group.get("upstreams").map(|list| list.items()).unwrap_or_default();
    let is_one = list.len() == 1;
    let read = |item: &Node<'a>| {
        let url = item.get("url").filter(|url| url.text().is_some()).or_else(|| Some(item.clone()))?;
        let text = url.text()?;
        if has_password(&text) {
            url.leave("holds a password, which a base URL may not");
            return None;
        }
        let weight = item.get("weight");
        let number = weight.as_ref().and_then(Node::whole);
        if number == Some(0) {
            item.leave("has the weight 0: nothing is sent there");
            return None;
        }
        weight
            .iter()
            .for_each(|weight| if is_one { weight.change("has no meaning for one upstream") } else { weight.carry() });
        let number = number.filter(|_| !is_one).map(|number| number.unsigned_abs().clamp(1, 1_000_000));
        Some((url, text, number))
    };
    list.iter().filter_map(read).collect()
}

fn upstream_address(field: &Node<'_>, url: &str, kind: &str) -> Address {
    let address = match kind {
        "anthropic" => Address::of_anthropic(url),
        "gemini" => Address::at(&format!("{}/v1beta/openai", url.trim_end_matches('/'))),
        _ => Address::at(url),
    };
    match &address {
        Address::Preset { id, .. } => field.change(format!("is the preset {id}")),
        Address::Own { url: own, .. } if own == url => field.carry(),
        Address::Own { .. } => field.change("is baseUrl, with the path of OpenAI's format"),
    }
    address
}

fn models(group: &Node<'_>) -> Vec<(String, String)> {
    let strict = group.get("model_redirect_strict");
    let is_strict = strict.as_ref().and_then(Node::flag) == Some(true);
    strict.iter().for_each(|strict| {
        strict.change(if is_strict {
            "only these models are served"
        } else {
            "the account's own models are served as well"
        });
    });
    let mut models = Vec::new();
    for (asked, own) in group.get("model_redirect_rules").iter().flat_map(Node::fields) {
        if let Some(text) = own.text() {
            own.carry();
            models.push((asked.to_owned(), text));
        }
    }
    if !is_strict && !models.is_empty() {
        models.push(("*".to_owned(), "*".to_owned()));
    }
    models
}

fn fields(group: &Node<'_>, weight: Option<u64>, draft: &mut ConfigDraft) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(weight) = weight {
        fields.insert("weight".to_owned(), json!(weight));
    }
    if group.get("enabled").and_then(|enabled| enabled.flag()) == Some(false) {
        fields.insert("enabled".to_owned(), json!(false));
    }
    let Some(config) = group.get("config") else { return fields };
    let mut timeouts = Map::new();
    for (theirs, ours) in TIMES {
        if let Some(time) = config.get(theirs)
            && let Some(ms) = milliseconds(&time)
        {
            time.change(format!("is timeouts.{ours}, in milliseconds"));
            timeouts.insert(ours.to_owned(), json!(ms));
        }
    }
    if !timeouts.is_empty() {
        fields.insert("timeouts".to_owned(), Value::Object(timeouts));
    }
    if let Some(retries) = config.get("max_retries")
        && let Some(number @ 0..=99) = retries.whole()
    {
        retries.change("is retry.maxAttempts, of the whole pool: the first attempt and the retries");
        let known = draft.retry.get("maxAttempts").and_then(Value::as_i64).unwrap_or(0);
        draft.retry.insert("maxAttempts".to_owned(), json!(known.max(number + 1)));
    }
    config.leave_each(OF_CONFIG);
    fields
}

/// Returns the keys of clients of a group, who are clients of the whole pool here.
fn client_keys(group: &Node<'_>, draft: &ConfigDraft) -> Vec<Value> {
    let Some((field, text)) = group.get("proxy_keys").and_then(|field| Some((field.clone(), field.text()?))) else {
        return Vec::new();
    };
    field.change("are clients' keys of the whole pool, as digests unless --with-secrets");
    let keys = text.split([',', '\n']).map(str::trim).filter(|key| !key.is_empty());
    keys.filter_map(|key| Some(draft.secrets.client_key(&KeySource::Given(ApiKey::new(key)))?.0)).collect()
}
