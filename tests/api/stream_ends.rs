//! How a stream ends that fails: where the failure came decides, and not how the bytes were cut; and behind it comes nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::helpers::{App, Raw, Reply, Step, Upstream, config_of, eventually, post};

const WORD: &str = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
const ERROR: &str = r#"{"error":{"message":"boom","type":"server_error","code":500}}"#;
const CHAT: &str = r#"{"model":"m","stream":true,"messages":[]}"#;

fn in_order(bad: &Upstream, good: &Upstream) -> Value {
    let mut config = config_of(&[bad, good]);
    config["apis"][1]["priority"] = json!(1);
    config
}

fn good() -> Upstream {
    Upstream::always(Reply::events(&[&format!("data: {}\n\n", WORD.replace("\"a\"", "\"good\"")), "data: [DONE]\n\n"]))
}

fn stream(app: &App) -> String {
    app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true, "messages": [] })).text()
}

#[test]
fn the_first_failure_before_content_decides_however_the_bytes_are_cut() {
    let text = format!("data: {ERROR}\n\ndata: {WORD}\n\ndata: [DONE]\n\n");
    for size in [1, 7, 64, 1_000] {
        let steps = text.as_bytes().chunks(size).map(Step::chunk).collect();
        let (bad, good) = (Upstream::always(Reply::stream(steps, true)), good());
        let app = App::start(&in_order(&bad, &good));
        let seen = stream(&app);
        assert!(seen.contains("good") && !seen.contains("boom"), "in pieces of {size}: {seen}");
        assert_eq!(app.status_of("a")["errorCount"], 1);
    }
}

#[test]
fn behind_an_error_of_the_upstreams_own_nothing_more_passes() {
    let whole = format!("data: {WORD}\n\ndata: {ERROR}\n\ndata: {WORD}\n\ndata: [DONE]\n\n");
    for size in [1, 50, 1_000] {
        let steps = whole.as_bytes().chunks(size).map(Step::chunk).collect();
        let upstream = Upstream::always(Reply::stream(steps, true));
        let app = App::on(&[&upstream]);
        assert_eq!(stream(&app), format!("data: {WORD}\n\ndata: {ERROR}\n\n"), "in pieces of {size}");
        eventually("it counts", || app.status_of("a")["errorCount"] == 1);
    }
    // One without its blank line is no event to a client, and told in its place.
    let upstream = Upstream::always(Reply::events(&[&format!("data: {WORD}\n\n"), &format!("data: {ERROR}\n")]));
    let seen = stream(&App::on(&[&upstream]));
    assert!(seen.ends_with("\"code\":\"upstream_failed\"}}\n\n") && !seen.contains("boom"), "{seen}");
    // Forms that clients take for no error are told once more, in the form that they know.
    for odd in [
        "event: error\ndata: {\"code\":500,\"message\":\"x\"}\n\n",
        "data: {\"object\":\"error\",\"message\":\"x\",\"type\":\"InternalServerError\"}\n\n",
    ] {
        let upstream = Upstream::always(Reply::events(&[&format!("data: {WORD}\n\n"), odd, "data: [DONE]\n\n"]));
        let seen = stream(&App::on(&[&upstream]));
        let ours = seen.strip_prefix(&format!("data: {WORD}\n\n{odd}data: ")).expect(&seen);
        let ours: Value = serde_json::from_str(ours.trim_end()).expect("one event");
        assert!(ours["error"]["message"].is_string(), "{seen}");
    }
}

#[test]
fn a_connection_whose_stream_failed_is_ended_behind_the_error() {
    let cut = Reply::stream(vec![Step::event(WORD), Step::Pause(Duration::from_millis(50))], false);
    let told = Reply::events(&[&format!("data: {WORD}\n\n"), &format!("data: {ERROR}\n\n"), "data: [DONE]\n\n"]);
    let late = Reply::error(500, "broken").after(Duration::from_millis(300));
    for (what, reply) in [("cut", cut), ("told", told), ("behind a comment", late)] {
        let upstream = Upstream::always(reply);
        let mut config = config_of(&[&upstream]);
        config["server"]["streamPingMs"] = json!(100);
        let app = App::start(&config);
        let mut raw = Raw::to(app.port);
        raw.send(post("", CHAT));
        let answer = raw.answer().expect("an answer");
        assert!(answer.whole && answer.body.contains(r#""error""#), "{what}: no client may miss the event: {answer:?}");
        raw.stream.set_read_timeout(Some(Duration::from_secs(3))).expect("set");
        assert!(matches!(std::io::Read::read(&mut raw.stream, &mut [0]), Ok(0)), "{what}: it is left open");
    }
    let app = App::on(&[&good()]);
    let mut raw = Raw::to(app.port);
    for _ in 0..3 {
        assert_eq!(raw.exchange(&post("", CHAT)), Some(200), "one that ends well is kept");
    }
}

#[test]
fn a_frame_with_nothing_in_it_is_no_content_of_a_response() {
    let frames = [
        json!({ "type": "response.created", "response": { "id": "r" } }),
        json!({ "type": "response.in_progress", "response": { "id": "r" } }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": { "type": "message", "content": [] } }),
        json!({ "type": "response.content_part.added", "part": { "type": "output_text", "text": "" } }),
    ];
    let steps = frames.iter().map(|frame| Step::event(&frame.to_string())).collect();
    let done =
        json!({ "type": "response.completed", "response": { "usage": { "input_tokens": 1, "output_tokens": 1 } } });
    let delta = json!({ "type": "response.output_text.delta", "delta": "good" });
    let (bad, good) = (
        Upstream::always(Reply::stream(steps, false)),
        Upstream::always(Reply::events(&[&format!("data: {delta}\n\n"), &format!("data: {done}\n\n")])),
    );
    let app = App::start(&in_order(&bad, &good));
    let answer = app.client().post("/v1/responses", &json!({ "model": "m", "stream": true, "input": "x" }));
    assert_eq!(answer.text(), format!("data: {delta}\n\ndata: {done}\n\n"));
    assert_eq!((bad.calls(), good.calls()), (1, 1));
}

#[test]
fn usage_that_is_reported_before_the_end_is_marked_as_estimated() {
    let event = |nth: u32| {
        json!({ "choices": [{ "index": 0, "delta": { "content": "x" } }],
            "usage": { "prompt_tokens": 7, "completion_tokens": nth, "total_tokens": 7 + nth } })
        .to_string()
    };
    let upstream =
        Upstream::always(Reply::stream(vec![Step::event(&event(1)), Step::event(&event(2)), Step::Hold], true));
    let app = App::on(&[&upstream]);
    let asked = json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true } });
    let mut answer = app.client().post("/v1/chat/completions", &asked);
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(r#""total_tokens":9"#) {
        seen.extend(answer.next().expect("whole").expect("more"));
    }
    drop(answer);
    eventually("it is counted, and marked", || {
        let stats = app.client().get("/v1/token/stats").json()["detailedStats"]["a"].clone();
        stats["totalTokens"] == 9 && stats["estimatedTokens"] == 9
    });
}

#[test]
fn an_end_with_an_error_is_told_as_one() {
    let end = WORD.replace("}}]", r#"},"finish_reason":"network_error"}]"#).replace("\"a\"", "\"\"");
    let upstream = Upstream::always(Reply::events(&[
        &format!("data: {WORD}\n\n"),
        &format!("data: {end}\n\n"),
        "data: [DONE]\n\n",
    ]));
    let app = App::on(&[&upstream]);
    let seen = stream(&app);
    assert!(
        seen.starts_with(&format!("data: {WORD}\n\ndata: {end}\n\ndata: {{\"error\"")) && !seen.contains("[DONE]"),
        "{seen}"
    );
    eventually("it counts", || app.status_of("a")["errorCount"] == 1);
    for reason in ["content_filter", "length"] {
        let end = end.replace("network_error", reason);
        let upstream = Upstream::always(Reply::events(&[&format!("data: {end}\n\n"), "data: [DONE]\n\n"]));
        assert_eq!(
            stream(&App::on(&[&upstream])),
            format!("data: {end}\n\ndata: [DONE]\n\n"),
            "an answer all the same"
        );
    }
}

#[test]
fn a_client_that_hangs_up_behind_the_end_has_ended_well() {
    let completed =
        json!({ "type": "response.completed", "response": { "usage": { "input_tokens": 5, "output_tokens": 6 } } });
    let delta = json!({ "type": "response.output_text.delta", "delta": "a" });
    let stop = WORD.replace("}}]", r#"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":6}"#);
    for (path, events) in [
        ("/v1/responses", vec![delta.to_string(), completed.to_string()]),
        ("/v1/chat/completions", vec![WORD.to_owned(), stop]),
    ] {
        let steps = events.iter().map(|event| Step::event(event)).chain([Step::Hold]).collect();
        let upstream = Upstream::always(Reply::stream(steps, true));
        let app = App::on(&[&upstream]);
        let asked = json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true } });
        let mut answer = app.client().post(path, &asked);
        let mut seen = String::new();
        while !seen.contains("6}") {
            seen.push_str(&String::from_utf8_lossy(&answer.next().expect("whole").expect("more")));
        }
        drop(answer);
        eventually("it is settled as a success", || {
            let api = app.status_of("a");
            api["inFlight"] == 0 && api["latency"]["totalMs"].is_u64()
        });
        let stats = app.client().get("/v1/token/stats").json()["detailedStats"]["a"].clone();
        assert_eq!((&stats["totalTokens"], &stats["estimatedTokens"]), (&json!(11), &json!(0)), "{path}");
    }
}
