//! WebSockets of the Responses API: each `response.create` is a request of the pool.

mod bounds;
mod ends;
mod failover;

use serde_json::{Value, json};

use crate::helpers::websocket::{BINARY, TEXT, WsClient, WsFrame, WsUpstream, completed, delta};
use crate::helpers::{App, KEY, config_at, eventually};

/// A pool of these upstreams.
fn pool(upstreams: &[&WsUpstream]) -> App {
    App::start(&config_at(&upstreams.iter().map(|upstream| upstream.url()).collect::<Vec<_>>()))
}

/// A pool of one upstream, with these fields.
fn pool_with(upstream: &WsUpstream, fields: &Value) -> App {
    let mut config = config_at(&[upstream.url()]);
    config["apis"][0].as_object_mut().expect("an API").extend(fields.as_object().expect("fields").clone());
    App::start(&config)
}

#[test]
fn each_create_is_a_request_of_its_own_counted_metered_and_logged() {
    let upstream = WsUpstream::answering();
    let app = pool(&[&upstream]);
    let mut client = WsClient::to(&app);
    for nth in 1..=3 {
        client.create();
        let (types, last) = client.response();
        assert_eq!(types, ["response.created", "response.output_text.delta", "response.completed"]);
        assert_eq!(last["response"]["id"], format!("resp_{nth}"));
    }
    eventually("all are counted", || app.usage_of("a") == (3, 3));
    let stats = app.client().get("/v1/token/stats").json();
    assert_eq!(stats["summary"]["totalTokens"], 21, "{stats}");
    app.logged("WS /v1/responses m → a from 127.0.0.1 attempts=1 status=200");
    assert!(app.log().contains("tokens=3+4=7"), "{}", app.log());
    assert_eq!(upstream.handshakes().len(), 2, "one to find out, and one for the connection");
}

#[test]
fn the_upstream_gets_its_own_key_and_the_clients_headers() {
    let upstream = WsUpstream::answering();
    let app = pool_with(&upstream, &json!({ "modelMapping": { "m": "its/own" }, "models": ["its/own"] }));
    let headers = format!(
        "authorization: Bearer {KEY}\r\nopenai-beta: responses_websockets=2026-02-06\r\n\
         sec-websocket-extensions: permessage-deflate\r\nsec-websocket-protocol: realtime\r\n"
    );
    let mut client = WsClient::with(&app, &headers);
    assert!(client.head.starts_with("http/1.1 101") && client.head.contains("sec-websocket-protocol: realtime\r\n"));
    assert!(!client.head.contains("sec-websocket-extensions"), "{}", client.head);
    // Written as people write it, with line ends.
    let text = "{\n  \"type\": \"response.create\",\r\n  \"input\": \"m\", \"model\" : \"m\"}";
    client.send(&WsFrame::new(TEXT, text));
    client.response();
    let handshake = upstream.handshakes().pop().expect("one");
    assert!(handshake.starts_with("get /v1/responses http/1.1\r\n"), "{handshake}");
    for wanted in
        ["authorization: bearer sk-upstream-a-0123456789\r\n", "openai-beta: responses_websockets=2026-02-06\r\n"]
    {
        assert!(handshake.contains(wanted), "{handshake}");
    }
    for unwanted in [KEY, "sec-websocket-extensions", "sec-websocket-protocol"] {
        assert!(!handshake.contains(unwanted), "{handshake}");
    }
    let (_, message) = upstream.messages().pop().expect("one");
    assert_eq!(message, json!({ "type": "response.create", "input": "m", "model": "its/own" }));
}

#[test]
fn all_of_a_connection_stays_with_one_account() {
    let upstreams = [WsUpstream::answering(), WsUpstream::answering(), WsUpstream::answering()];
    let app = pool(&upstreams.each_ref());
    for _ in 0..6 {
        let mut client = WsClient::to(&app);
        let asked = |upstream: &WsUpstream| upstream.messages().len();
        let before = upstreams.each_ref().map(asked);
        let mut previous = Value::Null;
        for _ in 0..4 {
            client.send_json(&json!({ "type": "response.create", "model": "m", "previous_response_id": previous }));
            previous = client.response().1["response"]["id"].clone();
        }
        let after = upstreams.each_ref().map(asked);
        let mut new: Vec<usize> = after.iter().zip(before).map(|(after, before)| after - before).collect();
        new.sort_unstable();
        assert_eq!(new, [0, 0, 4]);
    }
}

#[test]
fn a_limit_is_told_as_an_event_and_the_connection_goes_on() {
    let upstream = WsUpstream::answering();
    let app = pool_with(&upstream, &json!({ "rpm": 2 }));
    let mut client = WsClient::to(&app);
    for wanted in ["response.completed", "response.completed", "error", "error"] {
        client.create();
        let (_, last) = client.response();
        assert_eq!(last["type"], wanted, "{last}");
        if wanted == "error" {
            assert_eq!(
                (&last["status"], &last["error"]["code"]),
                (&json!(429), &json!("rate_limit_exceeded")),
                "{last}"
            );
            assert!(last["headers"]["retry-after"].is_string(), "{last}");
        }
    }
    client.send_json(&json!({ "type": "response.create", "model": "none" }));
    let (_, last) = client.response();
    assert_eq!((&last["status"], &last["error"]["code"]), (&json!(404), &json!("model_not_found")), "{last}");
    client.send_json(&json!({ "type": "response.create" }));
    let (_, last) = client.response();
    assert_eq!((&last["status"], &last["error"]["param"]), (&json!(400), &json!("model")), "{last}");
    assert_eq!(upstream.messages().len(), 2);
    app.logged("status=429");
}

#[test]
fn the_key_is_checked_and_may_be_a_sub_protocol() {
    let upstream = WsUpstream::answering();
    let app = pool(&[&upstream]);
    for (headers, status) in [
        ("".to_owned(), "401"),
        ("authorization: Bearer sk-wrong\r\n".to_owned(), "401"),
        ("sec-websocket-protocol: realtime, openai-insecure-api-key.sk-wrong\r\n".to_owned(), "401"),
        (format!("sec-websocket-protocol: realtime, openai-insecure-api-key.{KEY}\r\n"), "101"),
        (format!("sec-websocket-protocol: openai-insecure-api-key.{KEY}\r\n"), "101"),
    ] {
        let mut client = WsClient::with(&app, &headers);
        assert!(client.head.starts_with(&format!("http/1.1 {status}")), "{headers}: {}", client.head);
        let named = client.head.contains("sec-websocket-protocol: realtime\r\n");
        assert_eq!(named, status == "101" && headers.contains("realtime"), "{}", client.head);
        assert!(!client.head.contains("insecure"), "{}", client.head);
        if status == "101" {
            client.create();
            assert_eq!(client.response().1["type"], "response.completed");
        }
    }
    for handshake in upstream.handshakes() {
        assert!(!handshake.contains("insecure"), "{handshake}");
    }
    assert!(!app.log().contains(KEY), "{}", app.log());
}

#[test]
fn a_key_that_has_left_the_configuration_begins_no_turn() {
    let upstream = WsUpstream::answering();
    let mut config = config_at(&[upstream.url()]);
    let app = App::start(&config);
    let mut client = WsClient::to(&app);
    client.create();
    assert_eq!(client.response().1["type"], "response.completed");
    config["server"]["apiKey"] = json!("sk-another-key-of-the-pool-0123456789");
    std::fs::write(app.config_file(), config.to_string()).expect("writes");
    let mut told = json!(null);
    eventually("the thread of the connection has the new configuration", || {
        client.create();
        told = client.response().1;
        told["type"] == "error"
    });
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(401), &json!("invalid_api_key")), "{told}");
}

#[test]
fn other_messages_pass_unchanged_to_the_chosen_upstream() {
    let upstream = WsUpstream::start(|served, frame| match (frame.code, &frame.bytes[..]) {
        (TEXT, bytes) if bytes.starts_with(b"{\"type\":\"response.cancel\"") => served.send_json(&completed("r")),
        (TEXT, _) => served.send_json(&delta("x")),
        _ => false,
    });
    let app = pool(&[&upstream]);
    let mut client = WsClient::to(&app);
    client.send_json(&json!({ "type": "response.cancel" }));
    let (_, refused) = client.response();
    assert_eq!((&refused["status"], &refused["error"]["param"]), (&json!(400), &json!("type")), "{refused}");
    client.create();
    assert_eq!(client.event()["type"], "response.output_text.delta");
    client.send_json(&json!({ "type": "response.cancel", "response_id": "r" }));
    assert_eq!(client.response().1["type"], "response.completed");
    assert_eq!(upstream.messages()[1].1, json!({ "type": "response.cancel", "response_id": "r" }));
}

#[test]
fn a_message_that_an_upstream_may_take_for_an_uncounted_create_is_not_passed_on() {
    let upstream = WsUpstream::answering();
    let app = pool(&[&upstream]);
    let mut client = WsClient::to(&app);
    client.create();
    assert_eq!(client.response().1["type"], "response.completed");
    for (code, message) in [
        (TEXT, r#"{"type":"response.create","model":"m","input":"hi","type":"response.create"}"#),
        (TEXT, r#"{"type":"response.create","model":"m","input":"hi","generate":1}"#),
        (TEXT, r#"{"model":"m","input":"hi"}"#),
        (TEXT, "hi"),
        (BINARY, r#"{"type":"response.create","model":"m","input":"hi"}"#),
    ] {
        client.send(&WsFrame::new(code, message));
        let (_, refused) = client.response();
        assert_eq!((&refused["status"], &refused["error"]["param"]), (&json!(400), &json!("type")), "{message}");
    }
    client.create();
    assert_eq!(client.response().1["type"], "response.completed");
    assert_eq!((upstream.messages().len(), app.usage_of("a").0), (2, 2));
}

#[test]
fn a_second_create_waits_for_the_first() {
    let upstream = WsUpstream::answering();
    let app = pool(&[&upstream]);
    let mut client = WsClient::to(&app);
    for _ in 0..5 {
        client.create();
    }
    for nth in 1..=5 {
        assert_eq!(client.response().1["response"]["id"], format!("resp_{nth}"));
    }
    eventually("each is counted", || app.usage_of("a").0 == 5);
}

#[test]
fn a_warm_up_is_a_request_without_tokens() {
    let upstream = WsUpstream::start(|served, _| {
        served.send_json(&json!({ "type": "response.completed", "response": { "id": "r", "output": [] } }))
    });
    // With room for one estimate.
    let app = pool_with(&upstream, &json!({ "tpm": 5_000 }));
    let mut client = WsClient::to(&app);
    for _ in 0..2 {
        let input = "x".repeat(16_000);
        client.send_json(&json!({ "type": "response.create", "model": "m", "generate": false, "input": input }));
        let (_, last) = client.response();
        assert_eq!(last["type"], "response.completed", "{last}");
    }
    eventually("both are counted", || app.usage_of("a").0 == 2);
    assert_eq!(app.client().get("/v1/token/stats").json()["summary"]["totalTokens"], 0);
    // Without content, a response that was to be generated is none.
    client.create();
    assert_eq!(client.response().1["status"], 502);
}

#[test]
fn what_a_connection_makes_is_found_again_by_the_next_one() {
    // Names each response by the question.
    let answering = || {
        WsUpstream::start(|served, frame| {
            frame.code == TEXT
                && served.respond(&format!("resp_of_{}", frame.json()["input"].as_str().unwrap_or("none")))
        })
    };
    let upstreams = [answering(), answering(), answering()];
    let app = pool(&upstreams.each_ref());
    for nth in 0..12 {
        let mut client = WsClient::to(&app);
        client.send_json(&json!({ "type": "response.create", "model": "m", "input": format!("{nth}") }));
        let id = client.response().1["response"]["id"].clone();
        let asked = |upstream: &WsUpstream| upstream.messages().len();
        let before = upstreams.each_ref().map(asked);
        drop(client);
        let mut client = WsClient::to(&app);
        client.send_json(&json!({ "type": "response.create", "model": "m", "previous_response_id": id }));
        client.response();
        let after = upstreams.each_ref().map(asked);
        let home = (0..3).find(|nth| after[*nth] > before[*nth]).expect("one was asked");
        let made_there = |(_, message): &(usize, Value)| message["input"] == format!("{nth}");
        assert!(upstreams[home].messages().iter().any(made_there), "{nth}: {id} is not of {home}");
    }
}
