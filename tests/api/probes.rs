//! What decides that an upstream may be asked again, and when: its answer, and nothing that belongs to another time.

use std::time::Duration;

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Step, Upstream, config_of, eventually};

fn content(text: &str) -> Step {
    Step::event(&json!({ "choices": [{ "delta": { "content": text } }] }).to_string())
}

/// A stream that has begun, and ends once it is let go.
fn long_stream() -> Reply {
    Reply::stream(vec![content("a"), Step::Hold, content("b"), Step::event("[DONE]")], true)
}

fn streamed() -> Value {
    json!({ "model": "m", "stream": true, "messages": [] })
}

const CHAT: &str = "/v1/chat/completions";

#[test]
fn a_probe_that_streams_lets_others_in_once_it_has_begun() {
    let limited = Reply::text(429, &[("retry-after", "1")], r#"{"error":{"message":"slow down"}}"#);
    let upstream = Upstream::in_turn(vec![limited, long_stream(), Reply::chat("hi")]);
    let app = App::on(&[&upstream]);
    assert_eq!(app.chat().status, 429);
    eventually("the wait is over", || app.status_of("a")["available"] == true);
    let probe = app.client().post(CHAT, &streamed());
    assert_eq!((probe.status, upstream.calls()), (200, 2), "it has begun, and is not over");
    assert_eq!(app.chat().status, 200, "the limit is over: why wait for the end?");
    upstream.release();
    assert!(probe.text().contains("[DONE]"));
}

/// There is always one that begins just after three others broke.
#[test]
fn an_upstream_whose_streams_begin_and_then_break_rests_under_load() {
    const EACH: Duration = Duration::from_millis(50);
    let breaks = || Reply::stream(vec![Step::Pause(6 * EACH), content("a"), Step::Pause(8 * EACH)], false);
    let bad = Upstream::start(move |_| breaks());
    let good = Upstream::always(Reply::stream(vec![content("a"), Step::event("[DONE]")], true));
    let mut config = config_of(&[&bad, &good]);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    std::thread::scope(|scope| {
        for _ in 0..80 {
            scope.spawn(|| app.client().post(CHAT, &streamed()).text().len());
            std::thread::sleep(EACH);
        }
    });
    assert!(good.calls() > 30, "{} of 80 went to the one that breaks", bad.calls());
}

#[test]
fn the_refusal_of_an_old_key_is_nothing_against_the_new_one() {
    const NEW: &str = "sk-upstream-new-0123456789";
    let upstream = Upstream::start(|request| match request.header("authorization") {
        Some(key) if key.ends_with(NEW) => Reply::chat("hi"),
        _ => {
            Reply::json(401, &json!({ "error": { "message": "Incorrect API key", "code": "invalid_api_key" } })).held()
        }
    });
    let mut config = config_of(&[&upstream]);
    let app = App::start(&config);
    std::thread::scope(|scope| {
        let old = scope.spawn(|| app.chat().status);
        eventually("it is out", || upstream.calls() == 1);
        config["apis"][0]["apiKey"] = json!(NEW);
        config["server"]["name"] = json!("new");
        std::fs::write(app.config_file(), config.to_string()).expect("writes");
        eventually("the new key is taken up", || app.client().get("/health").json()["service"] == "new");
        assert_eq!(app.chat().status, 200);
        upstream.release();
        assert_eq!(old.join().expect("an answer"), 502, "it was made with the old one");
        let status = app.status_of("a");
        assert_eq!((&status["available"], &status["lastError"]), (&json!(true), &Value::Null), "{status}");
    });
}

#[test]
fn of_one_requests_failures_only_the_first_counts() {
    let failed = || Reply::error(500, "x");
    let upstream = Upstream::in_turn(vec![failed(), failed(), failed(), long_stream()]);
    let mut config = config_of(&[&upstream]);
    config["retry"] = json!({ "sameUpstream": 3, "backoffMs": 1, "maxAttempts": 5 });
    let app = App::start(&config);
    let served = app.client().post(CHAT, &streamed());
    assert_eq!((served.status, upstream.calls()), (200, 4));
    let status = app.status_of("a");
    assert_eq!((&status["available"], &status["errorCount"]), (&json!(true), &json!(1)), "{status}");
    upstream.release();
}

#[test]
fn what_headers_tell_of_a_limit_holds_from_when_they_tell_it() {
    let spent = "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 60s\r\n";
    let head = |rest: &str| format!("HTTP/1.1 {rest}\r\n{spent}").into_bytes();
    let stream = || {
        let events = "200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked";
        let reply = Reply::raw(head(events)).then(Step::Bytes(b"\r\n".to_vec())).then(content("a")).then(Step::Hold);
        reply.then(Step::event("[DONE]")).then(Step::Bytes(b"0\r\n\r\n".to_vec()))
    };
    let refused = || {
        Reply::raw(head("400 X\r\ncontent-type: application/json\r\ncontent-length: 15"))
            .then(Step::Bytes(b"\r\n{\"error\":\"bad\"}".to_vec()))
    };
    for (reply, stream, status) in [(stream(), true, 200), (refused(), false, 400)] {
        let upstream = Upstream::in_turn(vec![Reply::chat("hi"), reply]);
        let app = App::on(&[&upstream]);
        assert_eq!(app.chat().status, 200, "now there is a fast path there");
        let told = app.client().post(CHAT, &json!({ "model": "m", "stream": stream, "messages": [] }));
        assert_eq!(told.status, status);
        assert_eq!((app.chat().status, upstream.calls()), (429, 2), "nothing is left, though it is not over");
        upstream.release();
    }
}
