//! How the server starts and ends.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::edge::with;
use crate::helpers::{App, Client, Launch, Raw, Reply, Step, Upstream, config_of, eventually, post};

const EVENT: &str = r#"{"choices":[{"delta":{"content":"some words"}}]}"#;

/// Says one event, and the rest when it is released.
fn held_stream() -> Upstream {
    Upstream::always(Reply::stream(vec![Step::event(EVENT), Step::Hold, Step::event("[DONE]")], true))
}

#[test]
fn health_goes_red_first_while_all_are_served() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut app = App::start(&with(&upstream, &json!({ "drainDelayMs": 1500 })));
    let asked = Instant::now();
    app.signal("TERM");
    let health = || app.client().try_get("/health").expect("it answers");
    eventually("it is red", || health().status == 503);
    assert_eq!(health().json()["status"], "stopping");
    assert_eq!(app.chat().status, 200, "who is sent here all the same is served");
    assert!(app.wait().success());
    assert!(asked.elapsed() >= Duration::from_millis(1500), "it waited only {:?}", asked.elapsed());
}

#[test]
fn running_streams_end_well_and_no_more_connections_are_taken() {
    let upstream = held_stream();
    let mut app = App::on(&[&upstream]);
    let mut stream = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    assert!(stream.next().expect("an event").is_some());
    let mut idle = Raw::to(app.port);
    assert!(idle.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n"));
    assert_eq!(idle.answer().expect("an answer").status, 200);
    app.signal("TERM");
    eventually("nobody new is let in", || Client::new(app.port).try_get("/health").is_none());
    assert!(idle.is_closed(), "who idles is sent away");
    upstream.release();
    assert!(String::from_utf8(stream.try_bytes().expect("whole")).expect("text").ends_with("data: [DONE]\n\n"));
    assert!(app.wait().success());
}

#[test]
fn what_does_not_end_in_time_is_told_and_counted() {
    let upstream = held_stream();
    let mut app = App::start(&with(&upstream, &json!({ "shutdownTimeoutSec": 1 })));
    let mut stream = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    assert!(stream.next().expect("an event").is_some());
    // One that is in the middle of its body.
    let mut half = Raw::to(app.port);
    let whole = post("expect: 100-continue\r\n", r#"{"model":"m","messages":[]}"#);
    assert_eq!(half.exchange(&whole[..whole.len() - 5]), Some(100), "it is being read");
    let asked = Instant::now();
    app.signal("TERM");
    let rest = String::from_utf8(stream.try_bytes().expect("a proper end")).expect("text");
    assert!(asked.elapsed() >= Duration::from_millis(900), "after {:?}", asked.elapsed());
    let told: serde_json::Value =
        serde_json::from_str(rest.trim().strip_prefix("data: ").expect("an event")).expect("JSON");
    assert_eq!(told["error"]["code"], "server_stopping", "{rest}");
    let refused = half.answer().expect("an answer");
    assert_eq!((refused.status, refused.code()), (503, "server_stopping".into()));
    assert!(app.wait().success());
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    eventually("the upstream is let go", || upstream.hung_up() == 1);

    let again = Launch { folder: app.folder.clone(), args: Vec::new(), env: Vec::new() }.start();
    let stats = again.client().get("/v1/token/stats").json();
    assert_eq!(stats["detailedStats"]["a"]["requests"], 1, "{stats}");
    assert!(stats["summary"]["totalCompletionTokens"].as_u64() > Some(0), "{stats}");
    assert_eq!(again.usage_of("a").1, 1);
}

#[test]
fn a_signal_counts_as_soon_as_the_first_line_is_printed() {
    let upstream = Upstream::always(Reply::chat("hi"));
    for _ in 0..20 {
        let mut app = Launch::new(&config_of(&[&upstream])).listen();
        app.signal("TERM");
        assert!(app.wait().success(), "{}", app.log());
    }
}

/// Longer than signals may be apart that count as one.
const NOT_AT_ONCE: Duration = Duration::from_millis(1_200);

#[test]
fn signals_within_a_second_count_as_one() {
    let upstream = held_stream();
    let mut app = App::on(&[&upstream]);
    let mut stream = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    assert!(stream.next().expect("an event").is_some());
    for (signal, pause) in [("TERM", 5), ("TERM", 300), ("INT", 300), ("TERM", 0)] {
        app.signal(signal);
        std::thread::sleep(Duration::from_millis(pause));
    }
    app.logged("stopping:");
    std::thread::sleep(NOT_AT_ONCE);
    upstream.release();
    let rest = String::from_utf8(stream.try_bytes().expect("whole")).expect("text");
    assert!(rest.ends_with("data: [DONE]\n\n"), "{rest}");
    assert!(app.wait().success() && !app.log().contains("stopping at once"), "{}", app.log());
}

#[test]
fn a_second_signal_after_a_second_ends_it_at_once() {
    let upstream = held_stream();
    let mut app = App::on(&[&upstream]);
    let mut stream = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    assert!(stream.next().expect("an event").is_some());
    app.signal("TERM");
    app.logged("stopping:");
    std::thread::sleep(NOT_AT_ONCE);
    let asked = Instant::now();
    app.signal("TERM");
    let rest = String::from_utf8(stream.try_bytes().expect("a proper end")).expect("text");
    assert!(rest.contains("server_stopping") && !rest.contains("[DONE]"), "{rest}");
    assert!(app.wait().success());
    assert!(asked.elapsed() < Duration::from_secs(2), "it took {:?}", asked.elapsed());
    app.logged("the counts are saved");
}

#[test]
fn it_starts_within_a_second() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let quickest = (0..3).map(|_| {
        let begun = Instant::now();
        let app = Launch::new(&config_of(&[&upstream])).start();
        assert_eq!(app.client().get("/health").status, 200);
        begun.elapsed()
    });
    let quickest = quickest.min().expect("three");
    assert!(quickest < Duration::from_secs(1), "the quickest of three took {quickest:?}");
}

#[test]
fn a_signal_while_it_starts_ends_it_as_well_as_any() {
    let upstream = Upstream::always(Reply::json(200, &json!({ "data": [] })).held());
    let mut config = config_of(&[&upstream]);
    config["apis"][0].as_object_mut().expect("an API").remove("models");
    let mut app = Launch::new(&config).listen();
    eventually("models are asked for", || upstream.calls() == 1);
    app.signal("TERM");
    assert!(app.wait().success());
    assert!(app.log().contains("the counts are saved"), "{}", app.log());
}
