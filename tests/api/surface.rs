//! The paths, as agents and libraries ask for them.

use serde_json::json;

use crate::helpers::{App, Client, Reply, Upstream, config_of};

#[test]
fn a_websocket_that_is_not_served_is_a_426_so_that_agents_go_on_by_http() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let asking = app.client().header("connection", "upgrade").header("upgrade", "WebSocket");
    for path in ["/v1/chat/completions", "/v1/realtime?model=m", "/v1/models", "/health", "/"] {
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

    let down = of(503, "28800", text);
    assert_eq!((down.header("retry-after"), down.header("x-should-retry")), (None, Some("false")));
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
