//! WebSockets of the Realtime API: one connection, one account, both sides at once.

mod ends;
mod limits;
mod odd;
mod rights;
mod sdk;
mod secrets;
mod spent;
mod upgrade;

use serde_json::{Value, json};

use crate::helpers::websocket::{BINARY, CLOSE, PING, PONG, TEXT, WsClient, WsFrame, WsServed, WsUpstream};
use crate::helpers::{App, KEY, config_at, eventually};

/// Connects at a query with the pool's key; the pool must agree.
fn connect(app: &App, query: &str) -> WsClient {
    let client = asked(app, query, &format!("authorization: Bearer {KEY}\r\n"));
    assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
    client
}

/// Connects at a query with these header lines; whatever the answer is.
fn asked(app: &App, query: &str, headers: &str) -> WsClient {
    WsClient::at(app, &format!("/v1/realtime?{query}"), headers)
}

fn create() -> Value {
    json!({ "type": "response.create", "response": { "instructions": "hi" } })
}

fn created(id: &str) -> Value {
    json!({ "type": "response.created", "event_id": "event_1", "response": { "id": id, "status": "in_progress", "usage": null } })
}

/// The end of a response, at the cost of 30 + 40 tokens.
fn done(id: &str) -> Value {
    let usage = json!({ "total_tokens": 70, "input_tokens": 30, "output_tokens": 40,
        "input_token_details": { "text_tokens": 10, "audio_tokens": 20, "cached_tokens": 8 },
        "output_token_details": { "text_tokens": 15, "audio_tokens": 25 } });
    json!({ "type": "response.done", "event_id": "event_2",
        "response": { "id": id, "status": "completed", "output": [], "usage": usage } })
}

/// Makes a response.
fn respond(served: &mut WsServed, id: &str) -> bool {
    let delta = json!({ "type": "response.output_audio.delta", "response_id": id, "delta": "UklGRg==" });
    served.send_json(&created(id)) && served.send_json(&delta) && served.send_json(&done(id))
}

/// Answers each `response.create` with a response, and each commit of audio too, as with voice activity detection. Anything else is sent
/// back.
fn speaking() -> WsUpstream {
    let nth = std::sync::atomic::AtomicUsize::new(1);
    WsUpstream::greeting(&json!({ "type": "session.created", "event_id": "event_0" }), move |served, frame| {
        if frame.code == CLOSE {
            return false;
        }
        let message: Value = serde_json::from_slice(&frame.bytes).unwrap_or_default();
        let kind = if frame.code == TEXT { message["type"].clone() } else { Value::Null };
        match kind.as_str() {
            Some("response.create" | "input_audio_buffer.commit") => {
                let nth = nth.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                respond(served, &format!("resp_{nth}"))
            }
            Some("response.cancel") => true,
            _ => served.send(&frame),
        }
    })
}

/// A pool of these upstreams, the first one first.
fn pool(upstreams: &[&WsUpstream]) -> App {
    App::start(&config_by_priority(upstreams))
}

fn config_by_priority(upstreams: &[&WsUpstream]) -> Value {
    let mut config = config_at(&upstreams.iter().map(|upstream| upstream.url()).collect::<Vec<_>>());
    for (nth, api) in config["apis"].as_array_mut().expect("a list").iter_mut().enumerate() {
        api["priority"] = json!(nth);
    }
    config
}

/// A pool of one upstream, with these fields.
fn pool_with(upstream: &WsUpstream, fields: &Value) -> App {
    let mut config = config_at(&[upstream.url()]);
    config["apis"][0].as_object_mut().expect("an API").extend(fields.as_object().expect("fields").clone());
    App::start(&config)
}

/// Reads events up to one of this type.
fn event(client: &mut WsClient, kind: &str) -> Value {
    loop {
        let event = client.event();
        if event["type"] == kind {
            return event;
        }
        assert_ne!(event["type"], "error", "{event}");
    }
}

#[test]
fn each_message_passes_as_it_came_both_ways() {
    let upstream = speaking();
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    assert_eq!(client.event()["type"], "session.created", "what came with the handshake");
    let large = format!(r#"{{"type":"input_audio_buffer.append","audio":"{}"}}"#, "QUJD".repeat(500_000));
    for frame in [
        WsFrame::new(TEXT, r#"{ "type":"session.update",  "session":{"instructions":"é 世 🎉"} }"#),
        WsFrame::new(BINARY, (0..=255).collect::<Vec<u8>>()),
        WsFrame::new(BINARY, ""),
        WsFrame::new(TEXT, "no JSON at all"),
        WsFrame::new(TEXT, r#"{"type":"a","type":"b"}"#),
        WsFrame::new(TEXT, large),
    ] {
        client.send(&frame);
        assert_eq!(client.next(), Some(frame));
    }
    for payload in ["", "abc"] {
        client.send(&WsFrame::new(PING, payload));
        assert_eq!(client.next(), Some(WsFrame::new(PONG, payload)));
    }
    assert_eq!(app.usage_of("a").0, 0, "no response, no request");
}

#[test]
fn each_response_is_a_request_counted_metered_and_logged() {
    let upstream = speaking();
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    for nth in 1..=3 {
        let asks = if nth == 2 { json!({ "type": "input_audio_buffer.commit" }) } else { create() };
        client.send_json(&asks);
        assert_eq!(event(&mut client, "response.done")["response"]["id"], format!("resp_{nth}"));
    }
    eventually("all are counted", || app.usage_of("a") == (3, 3));
    let stats = app.client().get("/v1/token/stats").json();
    assert_eq!(stats["summary"]["totalTokens"], 210, "{stats}");
    app.logged("WS /v1/realtime m → a from 127.0.0.1 attempts=1 status=200");
    assert!(app.log().contains("tokens=30+40=70"), "{}", app.log());
    assert_eq!(upstream.handshakes().len(), 1);
    eventually("and told", || app.client().get("/metrics").text().contains("api_together_requests_total{"));
}

#[test]
fn responses_beside_each_other_are_told_apart() {
    let upstream = WsUpstream::start(|served, frame| {
        if frame.code != TEXT || frame.json()["response"]["conversation"] != "none" {
            return frame.code == TEXT;
        }
        ["one", "two"].iter().all(|id| served.send_json(&created(id)))
            && served.send_json(&done("two"))
            && served.send_json(&done("one"))
    });
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    client.send_json(&create());
    client.send_json(&json!({ "type": "response.create", "response": { "conversation": "none" } }));
    for id in ["two", "one"] {
        assert_eq!(event(&mut client, "response.done")["response"]["id"], id);
    }
    eventually("both are settled", || app.usage_of("a") == (2, 2) && app.status_of("a")["inFlight"] == 0);
    assert_eq!(app.client().get("/v1/token/stats").json()["summary"]["totalTokens"], 140);
}

#[test]
fn a_refused_create_gives_its_place_back() {
    let upstream = WsUpstream::start(|served, frame| {
        let told = json!({ "code": "conversation_already_has_active_response", "event_id": frame.json()["event_id"] });
        frame.code == TEXT && served.send_json(&json!({ "type": "error", "event_id": "x", "error": told }))
    });
    let app = pool_with(&upstream, &json!({ "maxConcurrent": 1 }));
    let mut client = connect(&app, "model=m");
    for nth in 0..3 {
        client.send_json(&json!({ "type": "response.create", "event_id": format!("e{nth}") }));
        assert_eq!(client.event()["error"]["code"], "conversation_already_has_active_response");
        eventually("the place is free", || app.status_of("a")["inFlight"] == 0);
    }
    assert_eq!(app.client().get("/v1/token/stats").json()["summary"]["totalTokens"], 0);
}

#[test]
fn a_client_that_does_not_read_stops_the_reading_of_the_upstream() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let upstream = WsUpstream::start(move |served, _| {
        let delta = json!({ "type": "response.output_audio.delta", "response_id": "r", "delta": "x".repeat(50_000) });
        (0..2_000).all(|_| {
            counted.fetch_add(1, Ordering::SeqCst);
            served.send_json(&delta)
        })
    });
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    client.send_json(&json!({ "type": "x" }));
    eventually("it begins", || sent.load(Ordering::SeqCst) > 0);
    let mut before = usize::MAX;
    eventually("the upstream waits", || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        std::mem::replace(&mut before, sent.load(Ordering::SeqCst)) == before
    });
    assert!(before < 600, "{before} events were taken");
    (0..2_000).for_each(|_| assert_eq!(client.event()["response_id"], "r"));
}

#[test]
fn an_upstream_that_does_not_read_stops_the_reading_of_the_client() {
    let upstream = WsUpstream::start(|_, _| {
        std::thread::sleep(std::time::Duration::from_secs(30));
        false
    });
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    client.stream.set_write_timeout(Some(std::time::Duration::from_millis(500))).expect("set");
    let audio = WsFrame::new(BINARY, vec![0; 1 << 20]);
    let taken = (0..64).take_while(|_| client.send(&audio)).count();
    assert!(taken < 64, "64 MB were taken");
}

#[test]
fn large_messages_of_the_client_go_up_without_a_word_of_the_upstream() {
    let upstream = WsUpstream::start(|served, frame| {
        frame.code == BINARY || frame.code == TEXT && served.send_json(&json!({ "type": "done" }))
    });
    let app = pool(&[&upstream]);
    let mut client = connect(&app, "model=m");
    for _ in 0..8 {
        client.send(&WsFrame::new(BINARY, vec![7; 3 << 20]));
    }
    client.send_json(&json!({ "type": "now" }));
    assert_eq!(client.event()["type"], "done");
}
