//! uni-api, `api.yaml`.
//!
//! 1. Each key of a provider is an entry.
//! 2. `model` names a model, or `{upstream: alias}`: then only the alias is served.
//! 3. The first client's key says how accounts are chosen: by place (the program's default), by weight, or in turn.

mod order;

use serde_json::{Map, Value, json};

use self::order::Order;
use super::numbers::{milliseconds, rates};
use super::proxies;
use crate::cli::import::address::{Address, has_password};
use crate::cli::import::draft::{AccountDraft, ConfigDraft};
use crate::cli::import::secrets::KeySource;
use crate::cli::import::tree::Node;
use crate::config::ApiKey;

/// Why fields are left out.
const OF_PROVIDER: &[(&[&str], &str)] =
    &[(&["tools"], "tools pass as they are"), (&["notes", "groups"], "is a note, not a setting")];
const OF_PREFERENCES: &[(&[&str], &str)] = &[
    (&["api_key_cooldown_period", "cooldown_period"], "accounts rest by the rules of docs/failures.md"),
    (&["api_key_schedule_algorithm"], "the keys of a provider take turns, within their limits"),
    (&["AUTO_RETRY"], "another account is asked at once; how often says retry.maxAttempts"),
    (&["error_triggers"], "an answer is judged by status and form, not by words in it"),
    (&["model_price", "credits", "created_at"], "the pool counts tokens, and no money"),
    (&["rate_limit"], "limits belong to accounts here, not to clients"),
    (&["ENABLE_MODERATION"], "requests and answers pass as they are"),
    (&["post_body_parameter_overrides"], "requests go up as clients send them"),
    (&["keepalive_interval"], "see server.streamPingMs"),
];

pub(super) fn read(root: &Node<'_>, draft: &mut ConfigDraft) -> Result<(), String> {
    let Some(providers) = root.get("providers").filter(Node::is_list) else {
        let hint = if root.get("model_list").is_some() {
            "is it LiteLLM's (--from litellm)?"
        } else {
            "is it uni-api's api.yaml?"
        };
        return Err(format!("has no providers; {hint}"));
    };
    let order = Order::read(root);
    for (place, provider) in providers.items().iter().enumerate() {
        read_provider(provider, &order.fields_of(provider, place), draft);
    }
    order.say(root, draft);
    clients(root, draft);
    if let Some(preferences) = root.get("preferences") {
        if let Some(seconds) = first_content(&preferences) {
            draft.timeouts.insert("firstTokenTimeoutMs".to_owned(), json!(seconds));
        }
        proxies::of_all(&preferences, "proxy", draft);
        preferences.leave_each(OF_PREFERENCES);
    }
    Ok(())
}

fn read_provider(provider: &Node<'_>, order: &Map<String, Value>, draft: &mut ConfigDraft) {
    let name = provider.get("provider");
    let word = name.as_ref().and_then(Node::text).unwrap_or_default();
    let address = match address(provider, &word) {
        Ok(address) => address,
        Err(why) => return provider.leave(why),
    };
    name.iter().for_each(Node::carry);
    provider.leave_each(OF_PROVIDER);
    let preferences = provider.get("preferences");
    let mut base = AccountDraft::new(address, KeySource::Usual);
    base.name = Some(word.clone()).filter(|word| !word.is_empty());
    base.models = models(provider);
    base.fields = order.clone();
    if let Some(preferences) = &preferences {
        base.fields.extend(limits(preferences, &base.models));
        if let Some(ms) = first_content(preferences) {
            base.fields.insert("timeouts".to_owned(), json!({ "firstTokenTimeoutMs": ms }));
        }
        preferences.leave_each(OF_PREFERENCES);
    }
    let keys = provider.get("api").map(|keys| keys.texts()).unwrap_or_default();
    if keys.is_empty() {
        add(draft, &word, base.clone(), preferences.as_ref());
    }
    for (field, key) in keys {
        let mut account = base.clone();
        let is_off = key.starts_with('!');
        account.key = KeySource::Given(ApiKey::new(key.trim_start_matches('!')));
        if is_off {
            account.fields.insert("enabled".to_owned(), json!(false));
        }
        let todo = add(draft, &word, account, preferences.as_ref());
        match (is_off, todo) {
            (true, todo) => {
                field.change(format!("is enabled: false{}", todo.map(|todo| format!("; {todo}")).unwrap_or_default()))
            }
            (false, Some(todo)) => field.change(todo),
            (false, None) => field.carry(),
        }
    }
}

fn add(
    draft: &mut ConfigDraft,
    word: &str,
    mut account: AccountDraft,
    preferences: Option<&Node<'_>>,
) -> Option<String> {
    let id = draft.unique_id(if word.is_empty() { "api" } else { word });
    if let Some(preferences) = preferences {
        for (name, value) in preferences.get("headers").iter().flat_map(Node::fields) {
            let Some(text) = value.text() else { continue };
            let todo = draft.header(&id, (name, &text), &mut account);
            todo.map_or_else(|| value.carry(), |todo| value.change(todo));
        }
        proxies::of_entry(preferences, "proxy", (&id, &mut account), draft);
    }
    draft.add(&id, account)
}

/// Returns where a provider is.
fn address(provider: &Node<'_>, word: &str) -> Result<Address, String> {
    let engine = provider.get("engine");
    let forced = engine.as_ref().and_then(Node::text);
    engine.iter().for_each(|engine| engine.change("the address says which format is spoken"));
    let word = forced.as_deref().unwrap_or(word);
    if matches!(word, "vertex" | "vertex-gemini" | "vertex-claude" | "aws") || provider.get("private_key").is_some() {
        return Err(format!("{word}: wants signed requests or a log-in, which the pool does not have"));
    }
    if let Some(account) = provider.get("cf_account_id").and_then(|field| Some((field.clone(), field.text()?))) {
        account.0.carry();
        return Ok(Address::Preset { id: "cloudflare".to_owned(), blank: Some(("account".to_owned(), account.1)) });
    }
    let Some((field, url)) = provider.get("base_url").and_then(|field| Some((field.clone(), field.text()?))) else {
        return Address::of_provider(word).ok_or_else(|| "has no base_url".to_owned());
    };
    if has_password(&url) {
        return Err("base_url holds a password, which a base URL may not".to_owned());
    }
    let address = match word {
        _ if url.contains(".openai.azure.com") => Address::azure(&url),
        _ if url.contains("generativelanguage.googleapis.com") => {
            Address::of_provider("gemini").unwrap_or(Address::at(&url))
        }
        "claude" | "anthropic" => Address::of_anthropic(url.trim_end_matches('/').trim_end_matches("/messages")),
        _ => Address::endpoint(&url),
    };
    match &address {
        Address::Preset { id, .. } => field.change(format!("is the preset {id}")),
        Address::Own { url: own, .. } if *own == url => field.carry(),
        Address::Own { .. } => field.change("is the base, without the endpoint"),
    }
    Ok(address)
}

/// Returns the models, as asked for and as the account calls them.
fn models(provider: &Node<'_>) -> Vec<(String, String)> {
    let mut models = Vec::new();
    for item in provider.get("model").map(|list| list.items()).unwrap_or_default() {
        if let Some(name) = item.text() {
            item.carry();
            models.push((name.clone(), name));
        }
        for (own, alias) in item.fields() {
            let Some(asked) = alias.text() else { continue };
            if asked.ends_with("-search") || asked.contains("-think") {
                alias.change("is a name only: it does not switch on a search or a way of thinking");
            } else {
                alias.change("is served under this name alone");
            }
            models.push((asked, own.to_owned()));
        }
    }
    models
}

/// Returns the limits of each key. `default` is the limit of each model without one of its own.
fn limits(preferences: &Node<'_>, listed: &[(String, String)]) -> Map<String, Value> {
    let mut limits = Map::new();
    let Some(field) = preferences.get("api_key_rate_limit") else { return limits };
    if let Some(text) = field.text() {
        limits = limited(&field, &text);
    }
    let mut models = Map::new();
    for (model, rate) in field.fields() {
        let Some(text) = rate.text() else { continue };
        let read = limited(&rate, &text);
        if model == "default" && listed.is_empty() {
            rate.change("is the limit of all models together: name the models, and each can have its own");
            limits.extend(read);
        } else if model == "default" {
            rate.change("is written for each model of the list without a limit of its own");
            let others = listed.iter().filter(|(asked, own)| field.get(asked).is_none() && field.get(own).is_none());
            models.extend(others.map(|(asked, _)| (asked.clone(), Value::Object(read.clone()))));
        } else if !read.is_empty() {
            models.insert(model.to_owned(), Value::Object(read));
        }
    }
    if !models.is_empty() {
        limits.insert("modelLimits".to_owned(), Value::Object(models));
    }
    limits
}

fn limited(field: &Node<'_>, text: &str) -> Map<String, Value> {
    let (limits, unsaid) = rates(text);
    match &*unsaid {
        [] => field.change("is rpm and rpd"),
        unsaid => field.change(format!("without {}: a limit is of a minute or a day", unsaid.join(", "))),
    }
    limits
}

/// Returns the time to the first content, in milliseconds.
fn first_content(preferences: &Node<'_>) -> Option<u64> {
    let field = preferences.get("model_timeout")?;
    let all = if field.is_object() { field.get("default")? } else { field.clone() };
    for (_, one) in field.fields().iter().filter(|(model, _)| *model != "default") {
        one.leave("a time belongs to an entry, not to a model: give the model an entry of its own");
    }
    let ms = milliseconds(&all)?;
    all.change("is timeouts.firstTokenTimeoutMs");
    Some(ms)
}

/// Returns the clients' keys.
fn clients(root: &Node<'_>, draft: &mut ConfigDraft) {
    let mut keys = Vec::new();
    for client in root.get("api_keys").map(|list| list.items()).unwrap_or_default() {
        if let Some((field, key)) = client.get("api").and_then(|field| Some((field.clone(), field.text()?)))
            && let Some((written, how)) = draft.secrets.client_key(&KeySource::Given(ApiKey::new(&key)))
        {
            if how.is_empty() {
                field.carry()
            } else {
                field.change(how)
            }
            keys.push(written);
        }
        for model in client.get("model").map(|list| list.items()).unwrap_or_default() {
            if model.is_object() {
                continue;
            }
            model.leave("each client may ask for all models");
        }
        client.leave_each(&[(&["role", "name", "groups"], "clients' keys have no roles")]);
        if let Some(preferences) = client.get("preferences") {
            preferences.leave_each(OF_PREFERENCES);
        }
    }
    if !keys.is_empty() {
        draft.server.insert("apiKey".to_owned(), if let [one] = &*keys { one.clone() } else { json!(keys) });
    }
}
