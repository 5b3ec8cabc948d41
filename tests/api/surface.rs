//! The paths, as agents and libraries ask for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::helpers::{App, Client, KEY, Reply, Upstream, config_of};

#[test]
fn a_websocket_that_is_not_served_is_a_426_so_that_agents_go_on_by_http() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let asking = app.client().header("connection", "upgrade").header("upgrade", "WebSocket");
    for path in ["/v1/chat/completions", "/v1/realtime/sessions", "/v1/models", "/health", "/"] {
        let refused = asking.get(path);
        assert_eq!(refused.header("upgrade"), Some("HTTP/1.1"), "{path}");
        assert_eq!(refused.error(), (426, "websocket_not_served".into()), "{path}");
    }
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn the_root_is_open_and_head_is_allowed_wherever_get_is() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let stranger = Client::new(app.port);
    for path in ["/", "/health", "/?x=1"] {
        assert_eq!(stranger.get(path).status, 200, "{path}");
        assert_eq!(stranger.request("HEAD", path, b"").status, 200, "{path}");
    }
    assert_eq!(stranger.get("/").json()["links"]["models"], "/v1/models");
    for path in ["/v1/models", "/v1/models/m", "/v1/status", "/v1/token/stats"] {
        assert_eq!(app.client().request("HEAD", path, b"").status, 200, "{path}");
        assert_eq!(stranger.request("HEAD", path, b"").status, 401, "{path}");
    }
    assert_eq!(app.client().request("HEAD", "/v1/chat/completions", b"").status, 405);
}

#[test]
fn what_would_be_the_same_again_says_so() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let never = Some("false");
    assert_eq!(Client::new(app.port).get("/v1/models").header("x-should-retry"), never);
    assert_eq!(Client::new(app.port).key("sk-wrong").get("/v1/models").header("x-should-retry"), never);
    assert_eq!(app.client().get("/v1/nothing").header("x-should-retry"), never);
    let unknown = app.client().post("/v1/chat/completions", &json!({ "model": "none" }));
    assert_eq!((unknown.status, unknown.header("x-should-retry")), (404, never));
}

#[test]
fn a_spent_day_has_the_code_by_which_agents_stop() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpd"] = json!(1);
    config["apis"][0]["reset"] = json!("rolling");
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200);
    let refused = app.chat();
    let after: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
    assert!(after > 80_000, "{after}");
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let error = refused.json()["error"].clone();
    assert_eq!((&error["code"], &error["type"]), (&json!("insufficient_quota"), &json!("rate_limit_error")));
    assert!(error["message"].as_str().expect("a text").contains("rpd until "), "{error}");
}

#[test]
fn an_upstreams_long_wait_is_told_so_that_no_agent_sleeps_for_hours() {
    let text = r#"{"error":{"message":"Out of it for today","type":"t","param":null,"code":"rate_limit_exceeded"}}"#;
    let of = |status: u16, wait: &str, text: &str| {
        let upstream = Upstream::always(Reply::text(status, &[("retry-after", wait)], text));
        App::on(&[&upstream]).chat()
    };
    let long = of(429, "28800", text);
    assert_eq!((long.header("retry-after"), long.header("x-should-retry")), (Some("28800"), Some("false")));
    let error = long.json()["error"].clone();
    assert_eq!((&error["code"], &error["message"]), (&json!("insufficient_quota"), &json!("Out of it for today")));

    let short = of(429, "20", text);
    assert_eq!((short.header("retry-after"), short.header("x-should-retry")), (Some("20"), None));
    assert_eq!(short.text(), text, "as the upstream wrote it");

    for status in [500, 502, 503, 504, 529] {
        let down = of(status, "28800", text);
        assert_eq!((down.header("retry-after"), down.header("x-should-retry")), (None, Some("false")), "{status}");
    }
    assert_eq!(of(503, "20", text).header("retry-after"), Some("20"));
    assert_eq!(of(429, "28800", "[]").text(), "[]", "no object to write the code into");
}

#[test]
fn a_503_names_no_time_beyond_two_minutes() {
    let upstream = Upstream::always(Reply::error(401, "no such key"));
    let app = App::on(&[&upstream]);
    let failed = app.chat();
    assert_eq!((failed.header("retry-after"), failed.header("x-should-retry")), (Some("2"), Some("false")));
    assert_eq!(failed.error(), (502, "upstream_failed".into()));
    let resting = app.chat();
    assert_eq!((resting.header("retry-after"), resting.header("retry-after-ms")), (None, None));
    assert_eq!(resting.header("x-should-retry"), Some("false"));
    assert_eq!(resting.error(), (503, "no_available_api".into()));
}

#[test]
fn a_query_goes_up_byte_for_byte_but_for_the_key() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let cases = [
        ("", ""),
        ("?", ""),
        ("?beta=true", "?beta=true"),
        ("?include[]=a&include%5B%5D=b%20c+d&&x=%2F%2f", "?include[]=a&include%5B%5D=b%20c+d&&x=%2F%2f"),
        ("?alt=sse&%6bey=sk-of-somebody-0123456789", "?alt=sse"),
        ("?key=sk-of-somebody-0123456789", ""),
    ];
    let chat = json!({ "model": "m", "messages": [] });
    for (typed, _) in cases {
        assert_eq!(app.client().post(&format!("/v1/chat/completions{typed}"), &chat).status, 200, "{typed}");
    }
    let sent: Vec<String> = upstream.received().into_iter().map(|asked| asked.path).collect();
    let expected: Vec<String> = cases.iter().map(|(_, sent)| format!("/v1/chat/completions{sent}")).collect();
    assert_eq!(sent, expected);
    let long = format!("/v1/chat/completions?a={}", "x".repeat(9_000));
    assert_eq!(app.client().post(&long, &chat).error(), (400, "invalid_request".into()));
    let log = app.log();
    assert!(!log.contains("beta=true") && !log.contains("sk-of-somebody"), "{log}");
}

#[test]
fn a_key_may_stand_in_the_query() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let stranger = Client::new(app.port);
    let chat = json!({ "model": "m", "messages": [] });
    for (query, status) in [(format!("?key={KEY}"), 200), (format!("?a=b&key={KEY}x"), 401), ("?keys=x".into(), 401)] {
        assert_eq!(stranger.post(&format!("/v1/chat/completions{query}"), &chat).status, status, "{query}");
        assert_eq!(stranger.get(&format!("/v1/models{query}")).status, status, "{query}");
    }
    assert!(!app.log().contains(KEY));
}

#[test]
fn base_urls_as_people_type_them_are_answered_as_if_right() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let chat = json!({ "model": "m", "messages": [] });
    let stranger = Client::new(app.port);
    for path in [
        "/chat/completions",
        "/v1/v1/chat/completions",
        "/v1/chat/completions/",
        "//v1//chat/completions",
        "/openai/v1/chat/completions",
        "/openai/deployments/d/chat/completions?api-version=2024-10-21",
    ] {
        assert_eq!(stranger.post(path, &chat).error(), (401, "missing_api_key".into()), "{path}");
        assert_eq!(app.client().post(path, &chat).status, 200, "{path}");
        assert_eq!(app.client().request("PUT", path, b"").header("allow"), Some("GET, POST"), "{path}");
    }
    let sent: Vec<String> = upstream.received().into_iter().map(|asked| asked.path).collect();
    assert!(sent.iter().take(5).all(|path| path == "/v1/chat/completions"), "{sent:?}");
    assert_eq!(sent[5], "/v1/chat/completions?api-version=2024-10-21");
    for path in ["/models", "/v1/models/", "/models/m", "/status?model=m", "//v1/status", "/v1/v1/token/stats"] {
        assert_eq!(stranger.get(path).status, 401, "{path}");
        assert_eq!(app.client().get(path).status, 200, "{path}");
    }
    // What is no served path even then is no way around the key, and no wrong answer.
    for path in ["/v1/%2fstatus", "/%76%31/v1/status", "/v1/v1/nothing", "/v1//nothing"] {
        assert_eq!(stranger.get(path).status, 401, "{path}");
        assert_eq!(app.client().get(path).error(), (404, "unknown_url".into()), "{path}");
    }
    assert_eq!(stranger.get("/%63hat/completions").status, 404);
    let unknown = app.client().get("/api/v1/chat/completions").json()["error"]["message"].clone();
    let unknown = unknown.as_str().expect("a text").to_owned();
    assert!(unknown.ends_with("GET /api/v1/chat/completions; did you mean /v1/chat/completions?"), "{unknown}");
}

#[test]
fn headers_of_sessions_and_traces_go_up_and_those_of_the_clients_account_do_not() {
    let named = Reply::text(
        200,
        &[
            ("content-type", "application/json; charset=utf-8"),
            ("x-codex-turn-state", "state"),
            ("openai-model", "m-2"),
            ("request-id", "req_1"),
            ("x-should-retry", "true"),
            ("openai-organization", "org"),
        ],
        r#"{"choices":[{"message":{"content":"hi"}}]}"#,
    );
    let asked = Arc::new(AtomicBool::new(false));
    // Whichever is asked first fails.
    let [a, b] = [named.clone(), named].map(|named| {
        let asked = asked.clone();
        Upstream::start(move |_| match asked.swap(true, Ordering::SeqCst) {
            true => named.clone(),
            false => Reply::error(500, "no"),
        })
    });
    let app = App::on(&[&a, &b]);
    let up = [
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "a=b"),
        ("session-id", "s"),
        ("thread-id", "t"),
        ("x-session-id", "x"),
        ("x-session-affinity", "y"),
        ("x-codex-turn-state", "z"),
        ("x-codex-window-id", "w"),
        ("originator", "codex"),
        ("version", "0.171"),
        ("x-claude-code-session-id", "c"),
        ("openai-beta", "responses_websockets=2026-02-06"),
        ("http-referer", "https://app.example"),
        ("x-title", "App"),
    ];
    let client = up.iter().fold(app.client(), |client, (name, value)| client.header(name, value));
    let client = client.header("idempotency-key", "once").header("openai-project", "p").header("cookie", "c=1");
    let answer = client.post("/v1/chat/completions", &json!({ "model": "m", "messages": [] }));
    for (name, value) in [
        ("content-type", Some("application/json; charset=utf-8")),
        ("x-codex-turn-state", Some("state")),
        ("openai-model", Some("m-2")),
        ("request-id", Some("req_1")),
        ("x-should-retry", Some("true")),
        ("openai-organization", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    for (asked, own) in [(&a.received()[0], "once-a"), (&b.received()[0], "once-b")] {
        for (name, value) in up {
            assert_eq!(asked.header(name), Some(value), "{name}");
        }
        assert_eq!(asked.header("idempotency-key"), Some(own));
        assert_eq!((asked.header("openai-project"), asked.header("cookie")), (None, None));
    }
}

#[test]
fn models_are_listed_in_the_form_of_the_client_that_asks() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["models"] = json!(["gpt", "claude", "org/model"]);
    let app = App::start(&config);
    let ids = |list: &Value, field: &str| -> Vec<String> {
        let entries = list.as_array().expect("a list");
        entries.iter().map(|entry| entry[field].as_str().expect("a name").to_owned()).collect()
    };
    let openai = app.client().get("/v1/models").json();
    assert_eq!(
        (ids(&openai["data"], "id"), &openai["models"]),
        (vec!["claude".into(), "gpt".into(), "org/model".into()], &json!(null))
    );

    let codex = app.client().get("/v1/models?client_version=0.171.0").json();
    assert_eq!((&codex["data"], &codex["models"]), (&openai["data"], &json!([])));

    let anthropic = Client::new(app.port).header("x-api-key", KEY).header("anthropic-version", "2023-06-01");
    let first = anthropic.get("/v1/models?limit=2").json();
    assert_eq!(
        (&first["has_more"], &first["first_id"], &first["last_id"]),
        (&json!(true), &json!("claude"), &json!("gpt"))
    );
    let entry =
        json!({ "type": "model", "id": "claude", "display_name": "claude", "created_at": "2023-06-16T17:03:22Z" });
    assert_eq!(first["data"][0], entry);
    let rest = anthropic.get("/v1/models?limit=2&after_id=gpt").json();
    assert_eq!((&rest["has_more"], ids(&rest["data"], "id")), (&json!(false), vec!["org/model".to_owned()]));
    let before = anthropic.get("/v1/models?limit=1&before_id=org%2Fmodel").json();
    assert_eq!((&before["has_more"], ids(&before["data"], "id")), (&json!(true), vec!["gpt".to_owned()]));
    assert_eq!(anthropic.get("/v1/models?limit=x").status, 400);

    for (client, query) in [
        (Client::new(app.port).header("x-goog-api-key", KEY), "?pageSize=2".to_owned()),
        (Client::new(app.port), format!("?pageSize=2&key={KEY}")),
    ] {
        let first = client.get(&format!("/v1/models{query}")).json();
        assert_eq!(ids(&first["models"], "name"), ["models/claude", "models/gpt"]);
        let token = first["nextPageToken"].as_str().expect("more");
        let rest = client.get(&format!("/v1/models{query}&pageToken={token}")).json();
        assert_eq!(
            (ids(&rest["models"], "name"), &rest["nextPageToken"]),
            (vec!["models/org/model".to_owned()], &json!(null))
        );
    }

    for (path, status) in [("org/model", 200), ("org%2Fmodel", 200), ("gpt", 200), ("none", 404), ("org", 404)] {
        let path = format!("/v1/models/{path}");
        assert_eq!((app.client().get(&path).status, anthropic.get(&path).status), (status, status), "{path}");
    }
    assert_eq!(app.client().get("/v1/models/org%2Fmodel").json()["id"], "org/model");
    assert_eq!(anthropic.get("/v1/models/claude").json(), entry);
    assert_eq!(app.client().get("/v1/models/none").error(), (404, "model_not_found".into()));
    assert_eq!(anthropic.get("/v1/models/none").json()["error"]["type"], "not_found_error");
}
