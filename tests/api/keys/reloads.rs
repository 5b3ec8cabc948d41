//! A change of a key takes effect within two seconds, in open connections as well, and running answers end whole.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::{OTHER, TEAM, ask, team, with_keys};
use crate::helpers::websocket::{WsClient, WsUpstream};
use crate::helpers::{App, Client, Reply, Step, Upstream, config_at, within};

fn rewrite(app: &App, config: &Value) {
    fs::write(app.config_file(), format!("{config:#}")).expect("writes");
}

/// Polls until a chat with a key is answered so.
fn becomes(app: &App, key: &str, wanted: (u16, &str)) {
    within(Duration::from_secs(2), &format!("{wanted:?}"), || {
        let answer = ask(app, key, "m");
        if answer.status == 200 { wanted.0 == 200 } else { answer.error() == (wanted.0, wanted.1.to_owned()) }
    });
}

#[test]
fn expiry_models_and_enabled_of_a_key_change_within_two_seconds() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let with = |fields: &Value| with_keys(&[&upstream], &team(fields));
    let app = App::start(&with(&json!({})));
    assert_eq!(ask(&app, TEAM, "m").status, 200);
    for (fields, wanted) in [
        (json!({ "enabled": false }), (403, "key_disabled")),
        (json!({}), (200, "")),
        (json!({ "expires": "2001-01-01" }), (403, "key_expired")),
        (json!({ "expires": "2999-01-01" }), (200, "")),
        (json!({ "models": ["x*"] }), (403, "model_not_allowed")),
        (json!({ "models": ["*"] }), (200, "")),
        (json!({ "rpm": 0 }), (403, "key_disabled")),
        (json!({ "key": OTHER }), (401, "invalid_api_key")),
    ] {
        rewrite(&app, &with(&fields));
        becomes(&app, TEAM, wanted);
    }
    assert_eq!(ask(&app, OTHER, "m").status, 200, "the new key of the same name");
    app.logged("key team-a: disabled");
    app.logged("key team-a: expires changed");
}

#[test]
fn a_key_that_runs_out_is_refused_from_that_moment_on() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let end = std::time::SystemTime::now() + Duration::from_millis(2500);
    let ms = end.duration_since(std::time::UNIX_EPOCH).expect("after").as_millis();
    let date = ["-u", "-d", &format!("@{}.{:03}", ms / 1000, ms % 1000), "+%Y-%m-%dT%H:%M:%S.%3NZ"];
    let printed = std::process::Command::new("date").args(date).output().expect("date is there").stdout;
    let printed = String::from_utf8(printed).expect("text");
    let app = App::start(&with_keys(&[&upstream], &team(&json!({ "expires": printed.trim() }))));
    within(Duration::from_secs(5), "it runs out", || {
        let answer = ask(&app, TEAM, "m");
        let is_over = std::time::SystemTime::now() > end;
        if answer.status == 200 {
            return false;
        }
        assert!(is_over, "refused before its end");
        answer.error() == (403, "key_expired".to_owned())
    });
}

#[test]
fn a_stream_ends_whole_though_its_key_is_removed() {
    let upstream = Upstream::always(Reply::stream(
        vec![
            Step::event(r#"{"choices":[{"delta":{"content":"a"}}]}"#),
            Step::Hold,
            Step::event(r#"{"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}"#),
            Step::event("[DONE]"),
        ],
        true,
    ));
    let app = App::start(&with_keys(&[&upstream], &team(&json!({}))));
    let chat = json!({ "model": "m", "messages": [], "stream": true });
    let mut stream = Client::new(app.port).key(TEAM).post("/v1/chat/completions", &chat);
    assert!(stream.next().expect("a piece").is_some());
    rewrite(&app, &with_keys(&[&upstream], &json!([{ "name": "team-b", "key": OTHER }])));
    within(Duration::from_secs(2), "the key is gone", || {
        Client::new(app.port).key(TEAM).get("/v1/models").status == 401
    });
    upstream.release();
    let rest = String::from_utf8(stream.try_bytes().expect("whole")).expect("text");
    assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
    app.logged("key=team-a attempts=1 status=200");
}

#[test]
fn an_open_websocket_learns_of_a_changed_key_with_the_next_turn() {
    let upstream = WsUpstream::answering();
    let with = |keys: &Value| {
        let mut config = config_at(&[upstream.url()]);
        config["keys"] = keys.clone();
        config
    };
    let app = App::start(&with(&team(&json!({}))));
    let mut client = WsClient::with(&app, &format!("authorization: Bearer {TEAM}\r\n"));
    let mut turn = || {
        client.create();
        let (_, last) = client.response();
        last["error"]["code"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(turn(), "");
    for (keys, wanted) in [
        (team(&json!({ "enabled": false })), "key_disabled"),
        (team(&json!({ "expires": "2001-01-01" })), "key_expired"),
        (team(&json!({ "models": ["x"] })), "model_not_allowed"),
        (json!([{ "name": "team-a", "key": OTHER }]), "invalid_api_key"),
        (team(&json!({})), ""),
    ] {
        rewrite(&app, &with(&keys));
        within(Duration::from_secs(2), wanted, || turn() == wanted);
    }
}
