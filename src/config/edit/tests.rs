//! An edit changes what is meant, and nothing else of the text; a secret stays masked and is kept.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::mask::{Numbers, masked};
use super::restore::restored;
use super::*;

fn edited(text: &str, edit: &ConfigEdit) -> String {
    edit.edit_text(text).expect("edited")
}

fn fields(fields: Value) -> Map<String, Value> {
    fields.as_object().cloned().expect("an object")
}

fn set(id: &str, value: Value) -> ConfigEdit {
    ConfigEdit::SetApi { id: id.to_owned(), fields: fields(value) }
}

const TEXT: &str = "\u{feff}{\r\n  \"server\": { \"port\": 3001 },\r\n  \"apis\": [\r\n    { \"id\": \"a\", \"apiKey\": \"${A}\", \"rpm\": 5 },\r\n\r\n    {\"name\":\"no id\",   \"rpm\" : 6},\r\n    {\r\n      \"id\": \"ü\", \"models\": [\r\n        \"x\"\r\n      ]\r\n    }\r\n  ]\r\n}\r\n";

#[test]
fn a_field_of_an_account_changes_and_nothing_else() {
    for (edit, from, to) in [
        (set("a", json!({ "rpm": 7 })), "\"rpm\": 5", "\"rpm\": 7"),
        (set("a", json!({ "rpm": null })), ", \"rpm\": 5 }", " }"),
        (set("a", json!({ "weight": 2 })), "\"rpm\": 5 }", "\"rpm\": 5, \"weight\": 2 }"),
        (set("a", json!({ "none": null })), "", ""),
        (set("no id", json!({ "rpm": 1 })), "\"rpm\" : 6", "\"rpm\" : 1"),
        (set("ü", json!({ "models": ["x", "y"] })), "\"x\"\r\n", "\"x\",\r\n        \"y\"\r\n"),
        (set("ü", json!({ "enabled": false })), "      ]\r\n    }", "      ], \"enabled\": false\r\n    }"),
        (ConfigEdit::SetServer(fields(json!({ "port": 1 }))), "3001", "1"),
        (ConfigEdit::RemoveApi("no id".to_owned()), "    {\"name\":\"no id\",   \"rpm\" : 6},\r\n", ""),
    ] {
        assert_eq!(edited(TEXT, &edit), TEXT.replacen(from, to, 1), "{edit}");
    }
}

#[test]
fn a_key_is_put_set_and_removed() {
    let put = |key: Value| ConfigEdit::PutKey(key);
    let text = "{\n\t\"apis\": []\n}\n";
    let one = edited(text, &put(json!({ "name": "team", "key": "sha256:00" })));
    assert_eq!(one, "{\n\t\"apis\": [],\n\t\"keys\": [{ \"name\": \"team\", \"key\": \"sha256:00\" }]\n}\n");
    let two = edited(&one, &put(json!({ "name": "ci", "key": "sha256:01", "rpm": 1 })));
    let replaced = edited(&two, &put(json!({ "name": "ci", "key": "sha256:02" })));
    assert_eq!(replaced, two.replace("sha256:01", "sha256:02").replace(", \"rpm\": 1", ""));
    let disable = ConfigEdit::SetKey { name: "team".to_owned(), fields: fields(json!({ "enabled": false })) };
    assert_eq!(edited(&one, &disable), one.replace("00\" }", "00\", \"enabled\": false }"));
    assert_eq!(edited(&two, &ConfigEdit::RemoveKey("ci".to_owned())), one);
    assert_eq!(edited(&one, &ConfigEdit::RemoveKey("team".to_owned())), text);
}

#[test]
fn an_edit_that_has_no_place_says_so() {
    let told = |text: &str, edit: ConfigEdit| edit.edit_text(text).expect_err("refused").to_string();
    for (text, edit, says) in [
        (TEXT, set("b", json!({})), "apis: has no entry with this id"),
        (TEXT, ConfigEdit::RemoveKey("b".to_owned()), "keys: has no entry with this name"),
        (TEXT, ConfigEdit::AddApi(json!({ "id": "ü" })), "apis: apis[2] has this id already; take another one"),
        (TEXT, ConfigEdit::AddApi(json!({ "rpm": 1 })), "apis: a new entry needs a id"),
        ("{\"apis\": {}}", set("b", json!({})), "apis: holds something else than expected"),
        ("[]", set("b", json!({})), "the document: holds something else than expected"),
        ("{\"apis\": [{\"id\": \"b\"}, {\"id\": \"b\"}]}", set("b", json!({})), "apis[0] and apis[1] have the same id"),
        ("{\"apis\": [", set("b", json!({})), "the text: line 1: this is not valid JSON"),
    ] {
        let told = told(text, edit);
        assert!(told.contains(says), "{told}");
    }
}

#[test]
fn an_edit_is_told_without_values() {
    let edit = ConfigEdit::PutKey(json!({ "name": "team", "key": "sk-secret", "sk-live-0123456789abcdef": 1 }));
    assert_eq!(format!("{edit} {edit:?}"), "put key \"team\": name, key, … ConfigEdit(put key \"team\": name, key, …)");
    assert_eq!(format!("{:?}", ConfigEdit::Replace("sk-secret".to_owned())), "ConfigEdit(replace the text)");
}

/// Secrets that must not be seen, each in its place of a configuration.
const SECRET: &str = r#"{
  "server": {
    "apiKey": "clientkey1", "apiKeys": ["clientkey2", "sha256:67af08925208c90be925e3a555fe44e8a1cef149772323b3d15dc43a392fc57d"],
    "adminKeys": ["adminkey1", { "name": "ops", "key": "adminkey2" }], "viewerKeys": [ "viewerkey" ],
    "proxy": "http://me:pr/oxypass@proxy:8080"
  },
  "apis": [
    { "id": "a", "apiKey": "sk-proj-ThisIsTheSecretOfA1234", "baseUrl": "https://a.example/v1?token=urltoken" },
    { "id": "b", "apiKey": "${B}", "apiKeyFile": "sk-live-inthewrongplace", "headers": { "X-Any": "headersecret", "Y": "Bearer ${Y}" } },
    { "id": "c", "apiKey": "${C:-defaultsecret}", "baseUrl": "https://gw.example/0123456789abcdef0123456789abcdef/v1#" },
    { "id": "d", "api_key": "misnamed\u0065d", "apikey": 1234567890, "name": "sk-ant-api03-thename0123456789" }
  ],
  "keys": [{ "name": "team", "key": ["teamkey1", "teamkey2"] }, "lostkey"],
  "store": { "url": "redis://:storepass@redis:6379/0" },
  "alerts": [{ "url": "https://hooks.slack.com/services/T0/B0/alertpath", "headers": { "Authorization": "alertheader" } },
             { "url": "https://hooks.example/${HOOK}" }]
}
"#;

/// Parts of the secrets.
const HIDDEN: [&str; 22] = [
    "clientkey1",
    "clientkey2",
    "5208c90be",
    "adminkey1",
    "adminkey2",
    "viewerkey",
    "oxypass",
    "me:",
    "ThisIsTheSecret",
    "urltoken",
    "inthewrongplace",
    "headersecret",
    "defaultsecret",
    "0123456789abcdef",
    "misnamed",
    "1234567890",
    "thename",
    "teamkey",
    "lostkey",
    "storepass",
    "alertpath",
    "alertheader",
];

#[test]
fn no_secret_is_seen_and_the_masked_text_means_the_text() {
    let shown = masked(SECRET, &mut Numbers::default()).expect("JSON");
    for hidden in HIDDEN {
        assert!(!shown.contains(hidden), "{hidden}:\n{shown}");
    }
    for seen in [
        "\"${B}\"",
        "\"Bearer ${Y}\"",
        "\"ops\"",
        "proxy:8080\"",
        "https://a.example/v1?[masked",
        "[masked 3: sha256:67af0892…]",
        "https://gw.example/[masked",
        ": sk-…1234]",
        "redis://[masked",
        "@redis:6379/0\"",
        "https://hooks.slack.com/[masked",
        "https://hooks.example/${HOOK}\"",
        "\"team\"",
    ] {
        assert!(shown.contains(seen), "{seen}:\n{shown}");
    }
    assert_eq!(restored(&shown, SECRET).expect("JSON").expect("restored"), SECRET);
    // Other edits of the masked text stay.
    let reordered = shown.replacen("\"id\": \"b\"", "\"rpm\": 1, \"id\": \"b\"", 1);
    let wanted = SECRET.replacen("\"id\": \"b\"", "\"rpm\": 1, \"id\": \"b\"", 1);
    assert_eq!(restored(&reordered, SECRET).expect("JSON").expect("restored"), wanted);
}

#[test]
fn what_is_no_secret_is_seen() {
    let text = r#"{"actors": {"mailboxes": {"keys": 10000000}}, "apis": [{"id": "a", "baseUrl": "https://h/v1", "models": ["gpt-4o@x", "claude-sonnet-4-5-20250929"],
        "apiKeyFile": "keys/a.key", "apiKey": null, "limits": [{"tokens": 1000000000, "per": "day"}], "firstTokenTimeoutMs": 30000, "proxy": "socks5://host:1080"}],
        "keys": [{"name": "me@team", "key": "${K}"}]}"#;
    assert_eq!(masked(text, &mut Numbers::default()).as_deref(), Ok(text));
}

#[test]
fn a_masked_value_means_the_value_of_its_place_alone() {
    let old = r#"{"apis": [{"id": "a", "apiKey": "sk-a"}, {"id": "b", "apiKey": "sk-b"}], "server": {"apiKeys": ["k1", "k2"]}}"#;
    let shown = masked(old, &mut Numbers::default()).expect("JSON");
    assert_eq!(
        shown,
        r#"{"apis": [{"id": "a", "apiKey": "[masked 1]"}, {"id": "b", "apiKey": "[masked 2]"}], "server": {"apiKeys": ["[masked 3]", "[masked 4]"]}}"#
    );
    let back = |new: &str| {
        restored(new, old)
            .expect("JSON")
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<String>())
    };
    for (new, means) in [
        // Entries may come, go and change places.
        (r#"{"apis": [{"id": "b", "apiKey": "[masked 2]"}]}"#, r#"{"apis": [{"id": "b", "apiKey": "sk-b"}]}"#),
        (r#"{"server": {"apiKeys": ["[masked 4]", "new"]}}"#, r#"{"server": {"apiKeys": ["k2", "new"]}}"#),
        (
            r#"{"apis": [{"id": "n", "was": "a", "apiKey": "[masked 1]"}]}"#,
            r#"{"apis": [{"id": "n", "was": "a", "apiKey": "sk-a"}]}"#,
        ),
        (r#"{"apis": [{"id": "a", "apiKey": "sk-new"}]}"#, r#"{"apis": [{"id": "a", "apiKey": "sk-new"}]}"#),
    ] {
        assert_eq!(back(new).as_deref(), Ok(means), "{new}");
    }
    for (new, place) in [
        (r#"{"apis": [{"id": "b", "apiKey": "[masked 1]"}]}"#, "apis[0].apiKey"),
        (r#"{"apis": [{"id": "a", "name": "[masked 1]"}]}"#, "apis[0].name"),
        (r#"{"apis": [{"id": "n", "apiKey": "[masked 1]"}]}"#, "apis[0].apiKey"),
        (r#"{"apis": [{"id": "a", "apiKey": "x[masked 1]"}]}"#, "apis[0].apiKey"),
        (r#"{"apis": [{"id": "a", "apiKey": "\u005bmasked 7]"}]}"#, "apis[0].apiKey"),
        (r#"{"server": {"apiKey": "[masked 3]"}}"#, "server.apiKey"),
        (r#"{"apis": [{"id": "a", "headers": {"x": "[masked 1]"}}]}"#, "apis[0].headers.x"),
    ] {
        let told = back(new).expect_err(new);
        assert!(told.starts_with(&format!("{place}: has a masked value")), "{told}");
    }
}

proptest! {
    #[test]
    fn a_masked_text_comes_back_whole(values in prop::collection::vec("[a-zA-Z0-9:/@?#$\\{\\}\\.\\-_ ä\"\\\\]{0,40}", 1..12)) {
        let names = ["apiKey", "baseUrl", "proxy", "x", "headers", "url", "apiKeyFile"];
        let entry = |(i, value): (usize, &String)| json!({ "id": format!("a{}", i % 5), names[i % names.len()]: value, "headers": { "h": value } });
        let text = json!({ "apis": values.iter().enumerate().map(entry).collect::<Vec<_>>(), "alerts": [{ "url": values }] }).to_string();
        let shown = masked(&text, &mut Numbers::default()).expect("JSON");
        prop_assert_eq!(restored(&shown, &text).expect("JSON"), Ok(text));
    }
}
