//! CLIProxyAPI, `config.yaml`: the accounts with API keys. Log-ins of subscriptions are not in the file, and not taken over.
//!
//! 1. Each key is an entry.
//! 2. A `prefix` becomes a part of the names that clients ask for: `team/gpt-5`.

use serde_json::{Map, Value, json};

use super::proxies;
use crate::cli::import::address::{Address, has_password};
use crate::cli::import::draft::{AccountDraft, ConfigDraft};
use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;
use crate::config::ApiKey;

const OF_ACCOUNT: &[(&[&str], &str)] = &[
    (&["request-retry", "disable-cooling", "request-scoped-errors"], "accounts rest by the rules of docs/failures.md"),
    (&["cloak", "experimental-cch-signing", "rebuild-mid-system-message"], "requests go up as clients send them"),
    (&["excluded-models"], "the pool serves what models names: leave a model out there"),
    (&["websockets", "alpha-search", "kind", "priority-group"], "is a mode of the program"),
];
const OF_MODEL: &[(&[&str], &str)] = &[
    (
        &["display-name", "max-context-length", "thinking", "is-compat", "image"],
        "describes the model; the pool passes requests as they are",
    ),
    (&["force-mapping"], "see server.echoModel"),
];
const OF_FILE: &[(&[&str], &str)] = &[
    (&["auth-dir"], "log-ins of subscriptions are not for other programs"),
    (&["remote-management", "pprof", "plugins", "commercial-mode", "home"], "the pool has no such interface"),
    (
        &["debug", "logging-to-file", "logs-max-total-size-mb", "error-logs-max-files", "request-log"],
        "LOG_LEVEL says how much is logged",
    ),
    (
        &["usage-statistics-enabled", "redis-usage-queue-retention-seconds"],
        "the pool counts tokens by itself: /v1/token/stats",
    ),
    (
        &[
            "request-retry",
            "max-retry-credentials",
            "max-retry-interval",
            "disable-cooling",
            "save-cooldown-status",
            "transient-error-cooldown-seconds",
        ],
        "another account is asked at once; how often says retry.maxAttempts, and when it rests docs/failures.md",
    ),
    (&["quota-exceeded", "routing"], "accounts are chosen by priority, then by weight, within all limits"),
    (
        &["oauth-excluded-models", "oauth-model-alias", "ampcode", "vertex-api-key", "interactions-api-key"],
        "is not an account with a plain key",
    ),
    (
        &[
            "payload",
            "force-model-prefix",
            "passthrough-headers",
            "ws-auth",
            "claude-code",
            "codex",
            "xai",
            "antigravity",
        ],
        "requests go up as clients send them",
    ),
    (
        &["disable-claude-cloak-mode", "disable-image-generation", "video-result-auth-cache-ttl"],
        "requests go up as clients send them",
    ),
    (&["nonstream-keepalive-interval", "streaming"], "see server.streamPingMs"),
];

/// Lists of keys of one provider: the list, the provider, the path of OpenAI's format behind a base of one's own.
const LISTS: [(&str, &str, &str); 4] = [
    ("gemini-api-key", "gemini", "/v1beta/openai"),
    ("claude-api-key", "anthropic", ""),
    ("codex-api-key", "openai", ""),
    ("xai-api-key", "xai", ""),
];

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) -> Result<(), String> {
    let lists = LISTS.iter().map(|(name, ..)| *name).chain(["openai-compatibility", "generative-language-api-key"]);
    if !lists.clone().any(|name| root.get(name).is_some()) {
        let all: Vec<&str> = lists.collect();
        return Err(format!("has none of {}: is it CLIProxyAPI's config.yaml?", all.join(", ")));
    }
    for provider in root.get("openai-compatibility").map(|list| list.items()).unwrap_or_default() {
        compatible(&provider, draft);
    }
    for (name, word, behind) in LISTS {
        for item in root.get(name).map(|list| list.items()).unwrap_or_default() {
            keyed(&item, (word, behind), draft);
        }
    }
    // The form of earlier versions.
    for (field, key) in root.get("generative-language-api-key").map(|list| list.texts()).unwrap_or_default() {
        let id = draft.unique_id("gemini");
        let preset = Address::Preset { id: "gemini".to_owned(), blank: None };
        let todo = draft.add(&id, AccountDraft::new(preset, KeySource::Given(ApiKey::new(&key))));
        todo.map_or_else(|| field.carry(), |todo| field.change(todo));
    }
    server(root, draft);
    proxies::of_all(root, "proxy-url", draft);
    root.leave_each(OF_FILE);
    Ok(())
}

fn compatible(provider: &Node<'_>, draft: &mut ConfigDraft) {
    let Some((field, url)) = provider.get("base-url").and_then(|field| Some((field.clone(), field.text()?))) else {
        return provider.leave("has no base-url");
    };
    if has_password(&url) {
        return field.leave("holds a password, which a base URL may not");
    }
    let address = Address::exactly(&url);
    say_base(&field, &url, &address);
    let name = provider.get("name");
    name.iter().for_each(Node::carry);
    let word = name.as_ref().and_then(Node::text).unwrap_or_else(|| address.name());
    let mut base = AccountDraft::new(address, KeySource::Usual);
    base.name = Some(word.clone());
    base.models = models(provider);
    base.fields = fields(provider);
    provider.leave_each(OF_ACCOUNT);
    let entries = provider.get("api-key-entries").map(|list| list.items()).unwrap_or_default();
    // The form of earlier versions: a list of texts.
    let plain = provider.get("api-keys").map(|list| list.items()).unwrap_or_default();
    if entries.is_empty() && plain.is_empty() {
        add((provider, None), &word, base.clone(), draft);
    }
    for item in entries.iter().chain(&plain) {
        let Some(key) = item.get("api-key").or_else(|| Some(item.clone())).filter(|key| key.text().is_some()) else {
            continue;
        };
        let mut account =
            AccountDraft { key: KeySource::Given(ApiKey::new(&key.text().unwrap_or_default())), ..base.clone() };
        account.fields.extend(fields(item));
        item.leave_each(OF_ACCOUNT);
        let todo = add((provider, Some(item)), &word, account, draft);
        todo.map_or_else(|| key.carry(), |todo| key.change(todo));
    }
}

fn keyed(item: &Node<'_>, kind: (&str, &str), draft: &mut ConfigDraft) {
    let (word, behind) = kind;
    let Some((field, key)) = item.get("api-key").and_then(|field| Some((field.clone(), field.text()?))) else {
        return item.leave("has no api-key");
    };
    let base = item.get("base-url").filter(|base| base.text().is_some());
    let url = base.as_ref().and_then(Node::text);
    if url.as_deref().is_some_and(has_password) {
        return item.leave("base-url holds a password, which a base URL may not");
    }
    let address = match (&url, word) {
        (None, _) => Address::Preset { id: word.to_owned(), blank: None },
        (Some(url), "anthropic") => Address::of_anthropic(url),
        (Some(url), "gemini") => Address::at(&format!("{}{behind}", url.trim_end_matches('/'))),
        (Some(url), _) => Address::exactly(url),
    };
    if let (Some(base), Some(url)) = (&base, &url) {
        say_base(base, url, &address);
    }
    let wish = address.name();
    let mut account = AccountDraft::new(address, KeySource::Given(ApiKey::new(&key)));
    account.models = models(item);
    account.fields = fields(item);
    item.leave_each(OF_ACCOUNT);
    let todo = add((item, None), &wish, account, draft);
    todo.map_or_else(|| field.carry(), |todo| field.change(todo));
}

/// Adds an account. `of` has the headers, and the proxy unless `entry` has one.
fn add(
    of: (&Node<'_>, Option<&Node<'_>>),
    wish: &str,
    mut account: AccountDraft,
    draft: &mut ConfigDraft,
) -> Option<String> {
    let (of, entry) = of;
    let id = draft.unique_id(wish);
    for (name, value) in of.get("headers").iter().flat_map(Node::fields) {
        let Some(text) = value.text() else { continue };
        if text.starts_with('$') {
            value.leave("takes a client's header; the pool sends few of those");
            continue;
        }
        let todo = draft.header(&id, (name, &text), &mut account);
        todo.map_or_else(|| value.carry(), |todo| value.change(todo));
    }
    let nearest = entry.filter(|entry| entry.get("proxy-url").is_some()).unwrap_or(of);
    proxies::of_entry(nearest, "proxy-url", (&id, &mut account), draft);
    draft.add(&id, account)
}

fn say_base(field: &Node<'_>, typed: &str, address: &Address) {
    match address {
        Address::Preset { id, .. } => field.change(format!("is the preset {id}")),
        Address::Own { url, .. } if url == typed => field.carry(),
        Address::Own { url, .. } if url.ends_with('#') => field.change("ends in #: CLIProxyAPI adds no /v1"),
        Address::Own { .. } => field.change("is baseUrl, with the path of OpenAI's format"),
    }
}

fn models(of: &Node<'_>) -> Vec<(String, String)> {
    let prefix = of.get("prefix").filter(|prefix| prefix.text().is_some());
    let before = prefix.as_ref().and_then(Node::text).map(|prefix| format!("{prefix}/")).unwrap_or_default();
    let mut models = Vec::new();
    for model in of.get("models").map(|list| list.items()).unwrap_or_default() {
        let (name, alias) = (model.get("name"), model.get("alias").filter(|alias| alias.text().is_some()));
        model.leave_each(OF_MODEL);
        let Some(own) = name.as_ref().and_then(Node::text) else { continue };
        name.iter().chain(&alias).for_each(Node::carry);
        let asked = alias.as_ref().and_then(Node::text).unwrap_or_else(|| own.clone());
        if !before.is_empty() {
            models.push((format!("{before}{asked}"), own.clone()));
        }
        models.push((asked, own));
    }
    if let Some(prefix) = prefix {
        if models.is_empty() {
            prefix.leave("a prefix needs a list of models here: name the models, and map prefix/name to name");
        } else {
            prefix.change("is a part of the names in modelMapping");
        }
    }
    models
}

fn fields(of: &Node<'_>) -> Map<String, Value> {
    let mut fields = Map::new();
    if let Some(weight) = of.get("weight")
        && let Some(number) = weight.whole()
    {
        weight.carry();
        match number {
            1.. => drop(fields.insert("weight".to_owned(), json!(number.min(1_000_000)))),
            _ => {
                weight.change("is enabled: false");
                fields.insert("enabled".to_owned(), json!(false));
            }
        }
    }
    if let Some(priority) = of.get("priority")
        && let Some(number) = priority.whole().and_then(|number| i32::try_from(number).ok())
    {
        priority.change("has the other sign: the lowest comes first here");
        fields.insert("priority".to_owned(), json!(-i64::from(number)));
    }
    if let Some(disabled) = of.get("disabled")
        && let Some(flag) = disabled.flag()
    {
        disabled.change("is enabled, the other way round");
        fields.insert("enabled".to_owned(), json!(!flag));
    }
    fields
}

fn server(root: &Node<'_>, draft: &mut ConfigDraft) {
    let mut keys = Vec::new();
    for (field, key) in root.get("api-keys").map(|list| list.texts()).unwrap_or_default() {
        if let Some((written, how)) = draft.secrets.client_key(&KeySource::Given(ApiKey::new(&key))) {
            if how.is_empty() {
                field.carry()
            } else {
                field.change(how)
            }
            keys.push(written);
        }
    }
    if !keys.is_empty() {
        draft.server.insert("apiKey".to_owned(), json!(keys));
    }
    if let Some(port) = root.get("port")
        && let Some(number @ 1..=65_535) = port.whole()
    {
        port.carry();
        draft.server.insert("port".to_owned(), json!(number));
    }
    if let Some(host) = root.get("host") {
        match host.text() {
            Some(text) => {
                host.carry();
                draft.server.insert("host".to_owned(), json!(text));
            }
            None => host.leave("means every interface there; here localhost alone, unless server.host is 0.0.0.0"),
        }
    }
    if let Some(tls) = root.get("tls") {
        tls.leave("see server.tls, and give the two files there");
    }
}
