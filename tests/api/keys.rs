//! Keys of clients: who comes in, with which key, for which models, by which accounts. A refusal costs no upstream call.

mod command;
mod itself;
mod reloads;
mod rights;
mod roles;

use std::process::Command;

use serde_json::{Value, json};

use crate::helpers::{App, Client, KEY, Reply, Response, Upstream, config_of, eventually};

/// The keys of these tests.
pub(crate) const TEAM: &str = "sk-team-a-0123456789abcdef";
pub(crate) const OTHER: &str = "sk-team-b-0123456789abcdef";

/// A configuration with these keys, beside the pool's own.
pub(crate) fn with_keys(upstreams: &[&Upstream], keys: &Value) -> Value {
    let mut config = config_of(upstreams);
    config["keys"] = keys.clone();
    config
}

/// The key `team-a`, with these fields.
pub(crate) fn team(fields: &Value) -> Value {
    let mut key = json!({ "name": "team-a", "key": TEAM });
    key.as_object_mut().expect("a key").extend(fields.as_object().expect("fields").clone());
    json!([key])
}

/// Asks for a chat of a model with a key.
pub(crate) fn ask(app: &App, key: &str, model: &str) -> Response {
    let chat = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    Client::new(app.port).key(key).post("/v1/chat/completions", &chat)
}

/// The same in Anthropic's format.
pub(crate) fn ask_anthropic(app: &App, key: &str, model: &str) -> Response {
    let client = Client::new(app.port).header("x-api-key", key).header("anthropic-version", "2023-06-01");
    let message = json!({ "model": model, "max_tokens": 5, "messages": [{ "role": "user", "content": "hi" }] });
    client.post("/v1/messages", &message)
}

pub(crate) fn digest_of(key: &str) -> String {
    let mut sum = Command::new("sh");
    let printed = sum.args(["-c", "printf %s \"$0\" | sha256sum", key]).output().expect("sha256sum is there");
    let printed = String::from_utf8(printed.stdout).expect("text");
    format!("sha256:{}", printed.split(' ').next().expect("a digest"))
}

#[test]
fn a_named_key_comes_in_by_every_header_and_its_name_is_in_the_log() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let keys = json!([
        { "name": "team-a", "key": TEAM },
        { "name": "Größe-中文", "key": digest_of(OTHER) },
        { "name": "rotated", "key": ["sk-old-0123456789", digest_of("sk-new-0123456789")] },
    ]);
    let app = App::start(&with_keys(&[&upstream], &keys));
    let chat = json!({ "model": "m", "messages": [] });
    let plain = Client::new(app.port);
    for (client, path) in [
        (plain.clone().key(TEAM), "/v1/chat/completions".to_owned()),
        (plain.clone().header("authorization", TEAM), "/v1/chat/completions".to_owned()),
        (plain.clone().header("x-api-key", TEAM), "/v1/chat/completions".to_owned()),
        (plain.clone().header("api-key", TEAM), "/v1/chat/completions".to_owned()),
        (plain.clone().header("x-goog-api-key", TEAM), "/v1/chat/completions".to_owned()),
        (plain.clone(), format!("/v1/chat/completions?key={TEAM}")),
    ] {
        assert_eq!(client.post(&path, &chat).status, 200, "{path}");
    }
    eventually("all are logged", || app.log().matches(" key=team-a attempts=1 status=200").count() == 6);
    assert_eq!(ask(&app, OTHER, "m").status, 200);
    app.logged("key=Größe-中文 attempts=1 status=200");
    for key in ["sk-old-0123456789", "sk-new-0123456789"] {
        assert_eq!(ask(&app, key, "m").status, 200, "{key}");
    }
    app.logged("key=rotated");
    assert_eq!(ask(&app, KEY, "m").status, 200);
    assert!(!app.log().contains("key=default"), "nobody named it");
    assert!(upstream.received().iter().all(|asked| asked.path == "/v1/chat/completions"), "the key stays here");
    for secret in [TEAM, OTHER, KEY, &digest_of(OTHER)] {
        assert!(!app.log().contains(secret) && !app.banner().contains(secret));
    }
}

#[test]
fn of_two_keys_the_first_right_one_says_who_it_is() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let keys = json!([{ "name": "team-a", "key": TEAM }, { "name": "team-b", "key": OTHER }]);
    let app = App::start(&with_keys(&[&upstream], &keys));
    let chat = json!({ "model": "m", "messages": [] });
    let with = |bearer: &str, bare: &str| {
        let client = Client::new(app.port).key(bearer).header("x-api-key", bare);
        client.post("/v1/chat/completions", &chat).status
    };
    assert_eq!(with(TEAM, OTHER), 200);
    app.logged("key=team-a");
    assert_eq!(with("sk-wrong", OTHER), 200);
    app.logged("key=team-b");
    assert_eq!(with("sk-wrong", "sk-wrong"), 401);
}

#[test]
fn a_wrong_an_expired_and_a_disabled_key_cost_no_upstream_call_in_either_format() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let keys = json!([
        { "name": "old", "key": "sk-old-0123456789", "expires": "2001-01-01" },
        { "name": "moment", "key": "sk-moment-0123456789", "expires": "2001-01-01T00:00:00Z" },
        { "name": "off", "key": "sk-off-0123456789", "enabled": false },
        { "name": "nothing", "key": "sk-nothing-0123456789", "rpd": 0 },
        { "name": "long", "key": "sk-long-0123456789", "expires": "2999-01-01" },
    ]);
    let mut config = with_keys(&[&upstream], &keys);
    config["apis"][0]["anthropicBaseUrl"] = json!(upstream.url());
    let app = App::start(&config);
    for (key, status, code, kind) in [
        ("sk-wrong", 401, "invalid_api_key", "authentication_error"),
        ("sk-old-0123456789", 403, "key_expired", "permission_error"),
        ("sk-moment-0123456789", 403, "key_expired", "permission_error"),
        ("sk-off-0123456789", 403, "key_disabled", "permission_error"),
        ("sk-nothing-0123456789", 403, "key_disabled", "permission_error"),
    ] {
        let refused = ask(&app, key, "m");
        assert_eq!(refused.header("x-should-retry"), Some("false"), "{key}");
        assert!(refused.header("x-request-id").is_some());
        let body = refused.json();
        assert_eq!((&body["error"]["code"], &body["error"]["type"]), (&json!(code), &json!(kind)), "{key}");
        let refused = ask_anthropic(&app, key, "m");
        assert_eq!(refused.status, status, "{key}");
        let body = refused.json();
        assert_eq!((&body["type"], &body["error"]["type"]), (&json!("error"), &json!(kind)), "{body}");
        assert_eq!(Client::new(app.port).key(key).get("/v1/models").status, status, "{key}");
    }
    app.logged("key=old");
    app.logged("key_disabled");
    assert_eq!(upstream.calls(), 0);
    assert_eq!(ask(&app, "sk-long-0123456789", "m").status, 200);
}

#[test]
fn named_keys_alone_leave_nobody_in_without_one() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = with_keys(&[&upstream], &team(&json!({})));
    config["server"] = json!({});
    let app = App::start(&config);
    assert_eq!(ask(&app, TEAM, "m").status, 200);
    let stranger = Client::new(app.port);
    let refused = stranger.post("/v1/chat/completions", &json!({ "model": "m" })).error();
    assert_eq!(refused, (401, "missing_api_key".to_owned()));
    assert_eq!(ask(&app, KEY, "m").status, 401);
    assert_eq!(upstream.calls(), 1);
}
