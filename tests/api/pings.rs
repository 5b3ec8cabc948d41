//! Comments in streams that have nothing to say: they keep a connection alive, and no client sees them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Step, Upstream, config_of, eventually};

const WORD: &str = r#"{"choices":[{"index":0,"delta":{"content":"word"}}]}"#;
const PING: &str = ": ping\n";

fn pinging(upstreams: &[&Upstream]) -> Value {
    let mut config = config_of(upstreams);
    config["server"]["streamPingMs"] = json!(60);
    config
}

fn stream(app: &App) -> crate::helpers::Response {
    app.client().post("/v1/chat/completions", &json!({ "model": "m", "messages": [], "stream": true }))
}

fn pause() -> Step {
    Step::Pause(Duration::from_millis(400))
}

/// Without its comments, of which there are some, and each of which stands alone in a line before an event.
fn without_pings(text: &str) -> String {
    assert!(text.contains(PING), "no comment in {text:?}");
    assert!(!text.contains(": ping\n\n"), "an event without data: {text:?}");
    let bare = text.replace(PING, "");
    assert!(!bare.contains("ping"), "{text:?}");
    bare
}

#[test]
fn a_stream_that_waits_is_answered_at_once_and_kept_alive() {
    let upstream = Upstream::always(
        Reply::events(&[&format!("data: {WORD}\n\n"), "data: [DONE]\n\n"]).after(Duration::from_millis(400)),
    );
    let app = App::start(&pinging(&[&upstream]));
    let answer = stream(&app);
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert!(answer.header("x-request-id").is_some());
    let pieces = answer.timed();
    let (first, _) = &pieces[0];
    assert!(*first < Duration::from_millis(250), "the first comment came after {first:?}");
    let text: Vec<u8> = pieces.into_iter().flat_map(|(_, piece)| piece).collect();
    assert_eq!(without_pings(&String::from_utf8(text).expect("UTF-8")), format!("data: {WORD}\n\ndata: [DONE]\n\n"));
}

#[test]
fn pauses_of_a_stream_are_filled_between_events_only() {
    let half = WORD.len() / 2;
    let steps = vec![
        Step::event(WORD),
        pause(),
        Step::chunk(format!("data: {}", &WORD[..half]).as_bytes()),
        pause(),
        Step::chunk(format!("{}\r\n\r", &WORD[half..]).as_bytes()),
        pause(),
        Step::chunk(b"\ndata: [DONE]\n\n"),
    ];
    let upstream = Upstream::always(Reply::stream(steps, true));
    let app = App::start(&pinging(&[&upstream]));
    let text = stream(&app).text();
    let (before, behind) = text.split_once("\r\n\r").expect("the event");
    assert!(behind.starts_with('\n'), "an LF that was owed comes first: {text:?}");
    assert!(before.matches(PING).count() >= 6, "{text:?}");
    assert_eq!(without_pings(&text), format!("data: {WORD}\n\ndata: {WORD}\r\n\r\ndata: [DONE]\n\n"));
}

#[test]
fn what_fails_behind_a_comment_is_served_by_another_or_told_as_an_event() {
    let late = |reply: Reply| Upstream::always(reply.after(Duration::from_millis(300)));
    let (bad, good) =
        (late(Reply::error(500, "broken")), late(Reply::events(&[&format!("data: {WORD}\n\n"), "data: [DONE]\n\n"])));
    let mut config = pinging(&[&bad, &good]);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    assert_eq!(without_pings(&stream(&app).text()), format!("data: {WORD}\n\ndata: [DONE]\n\n"));
    assert_eq!((bad.calls(), good.calls()), (1, 1));

    for (reply, code) in [(Reply::error(500, "broken\n\nlines"), None), (Reply::drop(), Some("upstream_failed"))] {
        let bad = late(reply);
        let text = without_pings(&stream(&App::start(&pinging(&[&bad]))).text());
        let data = text.strip_prefix("data: ").and_then(|text| text.strip_suffix("\n\n")).expect("one event");
        let told: Value = serde_json::from_str(data).expect("JSON in one line");
        assert!(told["error"]["message"].is_string(), "{told}");
        assert!(code.is_none_or(|code| told["error"]["code"] == code), "{told}");
    }
}

#[test]
fn whatever_comes_behind_a_comment_and_is_no_stream_is_told_as_an_error() {
    let html = [("content-type", "text/html")];
    let large = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}]}}"#, "x".repeat(9 << 20));
    for (what, reply, message) in [
        ("HTML", Reply::text(503, &html, "<html>503 down</html>"), "503"),
        ("nothing", Reply::text(500, &html, ""), "500"),
        ("another form", Reply::json(404, &json!({ "detail": "No such thing" })), "No such thing"),
        ("a list", Reply::json(400, &json!([{ "error": { "message": "No such parameter" } }])), "No such parameter"),
        ("a large answer", Reply::text(200, &[("content-type", "application/json")], &large), "wrong_form"),
    ] {
        let upstream = Upstream::always(reply.after(Duration::from_millis(300)));
        let text = without_pings(&stream(&App::start(&pinging(&[&upstream]))).text());
        let data = text.strip_prefix("data: ").and_then(|text| text.strip_suffix("\n\n")).expect("one event");
        let told: Value = serde_json::from_str(data).expect("JSON in one line");
        let said = told["error"]["message"].as_str().unwrap_or_default();
        assert!(said.contains(message) && told["error"]["type"].is_string(), "{what}: {told}");
    }
}

#[test]
fn a_quick_stream_and_other_answers_know_nothing_of_it() {
    let events = [format!("data: {WORD}\n\n"), "data: [DONE]\n\n".to_owned()];
    let upstream = Upstream::start(move |request| match request.body.windows(13).any(|w| w == b"\"stream\":true") {
        true => Reply::events(&[&events[0], &events[1]]),
        false => Reply::chat("hi").after(Duration::from_millis(300)),
    });
    let app = App::start(&pinging(&[&upstream]));
    assert_eq!(app.chat().json()["choices"][0]["message"]["content"], "hi");
    assert_eq!(app.client().post("/v1/chat/completions", &json!({ "model": "x", "stream": true })).status, 404);
    let mut patient = pinging(&[&upstream]);
    patient["server"]["streamPingMs"] = json!(10_000);
    assert_eq!(stream(&App::start(&patient)).text(), format!("data: {WORD}\n\ndata: [DONE]\n\n"));
}

#[test]
fn a_client_that_leaves_while_it_waits_stops_the_upstream() {
    let upstream = Upstream::always(Reply::events(&["data: [DONE]\n\n"]).held());
    let app = App::start(&pinging(&[&upstream]));
    let mut answer = stream(&app);
    assert_eq!(answer.next().expect("whole").as_deref(), Some(PING.as_bytes()));
    drop(answer);
    eventually("it is stopped", || upstream.hung_up() == 1);
    eventually("and nothing is on its way", || app.status_of("a")["inFlight"] == 0);
}
