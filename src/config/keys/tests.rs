//! What is meant by typed keys, and what is refused.

use serde_json::{Value, json};

use crate::config::{Config, ConfigSource, Overrides, parse};
use crate::testing::{api, config};

fn document(keys: &Value) -> Value {
    json!({
        "server": { "apiKey": "sk-pool-0123456789" },
        "apis": [api("a", &json!({ "models": ["gpt-4o", "m"] })), api("b", &json!({}))],
        "aliases": { "smart": "m" },
        "keys": keys,
    })
}

fn read(keys: &Value) -> Config {
    config(&document(keys))
}

fn refused(document: &Value) -> String {
    let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
    parse(&document.to_string(), &source, |_| Ok(String::new())).expect_err("a mistake").to_string()
}

#[test]
fn a_key_has_rights_and_limits_and_the_keys_of_the_server_are_one_more() {
    let config = read(&json!([{
        "name": "team-a", "key": ["sk-team-a", "sha256:67af08925208c90be925e3a555fe44e8a1cef149772323b3d15dc43a392fc57d"],
        "models": ["gpt-4*", "smart"], "apis": ["a"], "rpm": 30, "maxConcurrent": 2,
        "budgets": [{ "usd": 0.01, "per": "day" }], "reset": "UTC", "expires": "2099-12-31",
    }, { "name": "Über-中文", "key": "sk-2", "rpd": 0 }]));
    let names: Vec<&str> = config.keys.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["default", "team-a", "Über-中文"]);
    let key = &config.keys[1];
    assert_eq!((key.secrets.len(), key.quota.limits.max_concurrent, key.enabled), (2, Some(2), true));
    assert_eq!(key.quota.limits.rpm.bound(), Some(30));
    assert_eq!(key.expires, Some(4_102_444_800_000));
    for (asked, may) in [("gpt-4o", true), ("smart", true), ("m", false)] {
        assert_eq!(key.may_ask_for(asked), may, "{asked}");
    }
    assert!(!config.keys[2].enabled && config.keys[2].may_ask_for("m"), "a limit of 0 disables");
    assert!(config.keys[0].is_default() && config.keys[0].may_ask_for("m"));
}

#[test]
fn without_any_key_all_clients_are_the_default_key_and_with_named_keys_alone_nobody_is() {
    let mut document = document(&json!([{ "name": "a", "key": "sk-1" }]));
    document.as_object_mut().expect("fields").remove("server");
    let config = config(&document);
    assert!(config.wants_key() && config.keys.len() == 1 && !config.keys[0].is_default());
    document.as_object_mut().expect("fields").remove("keys");
    let config = crate::testing::config(&document);
    assert!(!config.wants_key() && config.keys.len() == 1 && config.keys[0].is_default());
}

#[test]
fn an_empty_key_lets_nobody_in_where_the_field_names_one() {
    for (server, keys, at) in [
        (json!({}), json!([{ "name": "a", "key": "" }]), "keys[0].key"),
        (json!({ "adminKeys": [""] }), Value::Null, "server.adminKeys[0]"),
        (json!({ "apiKey": ["", "sk-1"] }), Value::Null, "server.apiKey[0]"),
    ] {
        let told = refused(&json!({ "server": server, "apis": [api("a", &json!({}))], "keys": keys }));
        assert!(told.contains(&format!("{at}: must not be empty; give a random one")), "{told}");
    }
    let told = refused(&json!({ "server": { "apiKey": "" }, "apis": [api("a", &json!({}))] }));
    assert!(told.contains("leave the field out to let everybody in"), "{told}");
}

#[test]
fn what_no_key_can_be_is_refused_with_the_place() {
    let key = |fields: &Value| {
        let mut key = json!({ "name": "a", "key": "sk-1" });
        key.as_object_mut().expect("fields").extend(fields.as_object().expect("fields").clone());
        json!([key])
    };
    let two = |first: &Value, second: &Value| json!([{ "name": "a", "key": first }, { "name": "b", "key": second }]);
    for (keys, said) in [
        (json!([]), "keys: must not be an empty list"),
        (json!([{ "name": "a" }]), "keys[0].key: is missing"),
        (json!([{ "key": "sk-1" }]), "keys[0].name: is missing"),
        (key(&json!({ "name": "" })), "keys[0].name: must not be empty"),
        (key(&json!({ "name": "default" })), "keys[0].name: is the name of the keys in server.apiKey"),
        (key(&json!({ "name": "a b" })), "keys[0].name: must be of letters, digits"),
        (key(&json!({ "name": "a\nb" })), "keys[0].name: must be of letters, digits"),
        (key(&json!({ "name": "=1" })), "keys[0].name: must be of letters, digits"),
        (key(&json!({ "name": "-a" })), "keys[0].name: must be of letters, digits"),
        (key(&json!({ "name": "a".repeat(65) })), "keys[0].name: must have at most 64"),
        (key(&json!({ "key": "" })), "keys[0].key: must not be empty"),
        (key(&json!({ "key": ["sk-1", "sha256:12"] })), "keys[0].key[1]: a digest must be"),
        (key(&json!({ "key": "sk 1" })), "keys[0].key: must be of visible ASCII"),
        (key(&json!({ "models": [] })), "keys[0].models: must not be an empty list"),
        (key(&json!({ "models": [""] })), "keys[0].models[0]: must not be empty"),
        (key(&json!({ "apis": [] })), "keys[0].apis: must not be an empty list"),
        (key(&json!({ "apis": ["c*", "aa"] })), "keys[0].apis[1]: is the id of no API; did you mean a?"),
        (key(&json!({ "budgets": [] })), "keys[0].budgets: must not be an empty list"),
        (key(&json!({ "budgets": [{ "usd": -1, "per": "day" }] })), "keys[0].budgets[0].usd: must be between 0"),
        (key(&json!({ "budgets": [{ "usd": 0, "per": "day" }] })), "keys[0].budgets[0].usd: must be more than 0"),
        (key(&json!({ "budgets": [{ "usd": "2", "per": "day" }] })), "keys[0].budgets[0].usd: must be a number"),
        (key(&json!({ "expires": "2027-02-30" })), "keys[0].expires: must be a day such as"),
        (key(&json!({ "expires": "2027-03-01T12:00" })), "keys[0].expires: must be a day such as"),
        (key(&json!({ "reset": "Mars" })), "keys[0].reset: must be an IANA time zone"),
        (key(&json!({ "rpm": -2 })), "keys[0].rpm: must be between -1"),
        (key(&json!({ "model": ["m"] })), "keys[0].model: unknown field, did you mean models?"),
        (
            json!([{ "name": "a", "key": "sk-1" }, { "name": "a", "key": "sk-2" }]),
            "keys[1].name: is the name of keys[0] too",
        ),
        (two(&json!("sk-1"), &json!("sk-1")), "one key belongs to a and to b"),
        (
            two(&json!("sha256:67af08925208c90be925e3a555fe44e8a1cef149772323b3d15dc43a392fc57d"), &json!("sk-pool")),
            "one key belongs to a and to b",
        ),
        (two(&json!("sk-1"), &json!("sk-pool-0123456789")), "one key belongs to server.apiKey and to b"),
    ] {
        let text = refused(&document(&keys));
        assert!(text.contains(said) && !text.contains("sk-"), "{said}: {text}");
    }
}

#[test]
fn operators_have_keys_of_their_own() {
    let with = |server: &Value| {
        let mut document = document(&json!([{ "name": "a", "key": "sk-1" }]));
        document["server"] = server.clone();
        document
    };
    let config = config(&with(&json!({
        "adminKeys": ["sk-admin", { "name": "ops", "key": "sk-ops" }], "viewerKeys": ["sk-viewer"],
    })));
    let names: Vec<&str> = config.access.admins.iter().map(|key| key.name.as_str()).collect();
    assert_eq!((names, config.access.viewers.len(), config.access.has_operators()), (vec!["admin", "ops"], 1, true));
    for (server, said) in [
        (json!({ "adminKeys": [] }), "server.adminKeys: must not be an empty list"),
        (json!({ "adminKeys": [""] }), "server.adminKeys[0]: must not be empty"),
        (json!({ "adminKeys": [{ "name": "ops" }] }), "server.adminKeys[0].key: is missing"),
        (json!({ "viewerKeys": [{ "name": "a b", "key": "sk-2" }] }), "server.viewerKeys[0].name: must be of letters"),
        (json!({ "viewerKeys": ["sk-1"] }), "one key belongs to a and to server.viewerKeys"),
        (json!({ "viewerKeys": ["sk-2"], "adminKeys": ["sk-2"] }), "to server.adminKeys and to server.viewerKeys"),
        (
            json!({ "adminKeys": [{ "name": "a", "key": "sk-x" }] }),
            "keys[0].name: is the name of server.adminKeys[0] too",
        ),
        (
            json!({ "adminKeys": [{ "name": "o", "key": "sk-x" }], "viewerKeys": ["sk-z", { "name": "o", "key": "sk-y" }] }),
            "server.viewerKeys[1].name: is the name of server.adminKeys[0] too",
        ),
        (
            json!({ "adminKeys": ["sk-x"], "viewerKeys": [{ "name": "admin", "key": "sk-y" }] }),
            "server.viewerKeys[0].name: is the name of a key without a name in server.adminKeys too",
        ),
        (json!({ "viewerKeys": [{ "name": "other", "key": "sk-y" }] }), "server.viewerKeys[0].name: is what usage"),
        (json!({ "adminKeys": [7] }), "server.adminKeys[0]: must be a string or an object"),
    ] {
        let text = refused(&with(&server));
        assert!(text.contains(said), "{said}: {text}");
    }
}

#[test]
fn a_server_on_the_network_without_a_key_is_refused_unless_that_is_meant() {
    let with = |server: &Value, keys: &Value| {
        let mut document = document(keys);
        document["server"] = server.clone();
        document
    };
    let text = refused(&with(&json!({ "host": "0.0.0.0" }), &Value::Null));
    assert!(text.contains("server: ") && text.contains("server.open to true"), "{text}");
    let operators = json!({ "host": "0.0.0.0", "adminKeys": ["sk-admin-0123456789"] });
    assert!(refused(&with(&operators, &Value::Null)).contains("server.open to true"), "clients would still be let in");
    config(&with(&json!({ "host": "0.0.0.0", "open": true }), &Value::Null));
    config(&with(&json!({ "host": "0.0.0.0" }), &json!([{ "name": "a", "key": "sk-a-0123456789abc" }])));
    config(&with(&json!({ "host": "localhost" }), &Value::Null));
}

#[test]
fn what_is_probably_not_meant_has_a_warning() {
    let told = read(&json!([{
        "name": "a", "key": "sk-b-0123456789", "models": ["gpt-5*", "gpt-4*", "smart", "n"], "apis": ["x*", "*"],
        "expires": "2001-01-01", "rpm": 9, "rpd": 8,
    }]))
    .warnings;
    for wanted in [
        "keys[0].models[0]: matches no model of any API, and no alias",
        "keys[0].models[3]: names no model of any API, and no alias",
        "keys[0].apis[0]: matches the id of no API",
        "keys[0].expires: is over, so that the key is refused",
        "keys[0].rpm: is more than rpd",
    ] {
        assert!(told.iter().any(|text| text.starts_with(wanted)), "no {wanted:?} in {told:#?}");
    }
    assert_eq!(told.len(), 5, "{told:#?}");
}
