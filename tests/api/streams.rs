//! Streams: as they come, whole or told, counted, and ended when the client leaves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Response, Step, Upstream, config_of, eventually, within};

const ROLE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

fn content(text: &str) -> String {
    json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }).to_string()
}

fn sse(events: &[&str]) -> String {
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn stream(app: &App) -> Response {
    app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true, "messages": [] }))
}

#[test]
fn a_stream_passes_byte_for_byte_with_the_marks_of_a_stream() {
    let events = [ROLE, &content("héllo"), &content("模型"), STOP, "[DONE]"];
    let upstream = Upstream::always(Reply::stream(events.iter().map(|e| Step::event(e)).collect(), true));
    let app = App::on(&[&upstream]);
    let answer = stream(&app);
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").expect("told").starts_with("text/event-stream"));
    assert_eq!(answer.header("cache-control"), Some("no-cache, no-transform"));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    assert_eq!(answer.text(), sse(&events));
}

#[test]
fn each_event_is_passed_on_when_it_comes() {
    // Long beside the delays of a busy machine.
    let pause = || Step::Pause(Duration::from_millis(500));
    let steps = vec![
        Step::event(&content("a")),
        pause(),
        Step::event(&content("b")),
        pause(),
        Step::event(&content("c")),
        pause(),
        Step::event("[DONE]"),
    ];
    let upstream = Upstream::always(Reply::stream(steps, true));
    let app = App::on(&[&upstream]);
    let pieces = stream(&app).timed();
    let arrivals: Vec<u128> = pieces.iter().map(|(at, _)| at.as_millis()).collect();
    assert_eq!(pieces.len(), 4, "{arrivals:?}");
    for gap in arrivals.windows(2) {
        assert!(gap[1] - gap[0] > 75, "held back, and sent together: {arrivals:?}");
    }
}

#[test]
fn usage_is_asked_for_and_taken_out_again_when_the_client_did_not_ask() {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":22,"total_tokens":33}}"#;
    let upstream = Upstream::start(move |request| {
        assert_eq!(request.json()["stream_options"], json!({ "include_usage": true }));
        let with_null = |event: &str| Step::event(&event.replacen("}]}", r#"}],"usage":null}"#, 1));
        let steps =
            vec![with_null(ROLE), with_null(&content("a")), with_null(STOP), Step::event(usage), Step::event("[DONE]")];
        Reply::stream(steps, true)
    });
    let app = App::on(&[&upstream]);
    assert_eq!(stream(&app).text(), sse(&[ROLE, &content("a"), STOP, "[DONE]"]));
    eventually("it is counted", || {
        let stats = app.client().get("/v1/token/stats").json();
        stats["summary"]["totalTokens"] == 33 && stats["detailedStats"]["a"]["estimatedTokens"] == 0
    });

    let asked = json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true } });
    let text = app.client().post("/v1/chat/completions", &asked).text();
    assert!(text.contains(usage) && text.contains(r#""usage":null"#), "{text}");
    eventually("it is counted too", || app.client().get("/v1/token/stats").json()["summary"]["totalTokens"] == 66);
}

#[test]
fn our_wish_for_usage_shows_in_no_chunk_with_choices() {
    let upstream = Upstream::start(|_| {
        let chunk = |nth: u32| {
            Step::event(
                &json!({ "choices": [{ "index": 0, "delta": { "content": "a" }, "finish_reason": null }],
                "usage": { "prompt_tokens": 3, "completion_tokens": nth, "total_tokens": 3 + nth } })
                .to_string(),
            )
        };
        let stop = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 } });
        Reply::stream((1..=4).map(chunk).chain([Step::event(&stop.to_string()), Step::event("[DONE]")]).collect(), true)
    });
    let app = App::on(&[&upstream]);
    let text = stream(&app).text();
    assert!(
        !text.contains("usage") && text.matches(r#""content":"a""#).count() == 4 && text.contains("\"stop\""),
        "{text}"
    );
    eventually("it is counted", || app.client().get("/v1/token/stats").json()["summary"]["totalTokens"] == 7);
    let asked = json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true } });
    assert_eq!(
        app.client().post("/v1/chat/completions", &asked).text().matches("usage").count(),
        5,
        "who asked sees all"
    );
}

#[test]
fn an_upstream_that_refuses_stream_options_is_asked_without_from_then_on() {
    let upstream = Upstream::start(|request| match request.json().get("stream_options") {
        Some(_) => Reply::error(400, "Unrecognized request argument supplied: stream_options"),
        None => Reply::events(&[&sse(&[&content("a"), &content("b"), "[DONE]"])]),
    });
    let app = App::on(&[&upstream]);
    for _ in 0..3 {
        assert_eq!(stream(&app).text(), sse(&[&content("a"), &content("b"), "[DONE]"]));
    }
    assert_eq!(upstream.calls(), 4, "refused once");
    assert_eq!(app.status_of("a")["errorCount"], 0);
    eventually("its usage is guessed", || {
        let stats = app.client().get("/v1/token/stats").json();
        let api = &stats["detailedStats"]["a"];
        api["requests"] == 3 && api["estimatedTokens"].as_u64() > Some(0) && api["completionTokens"] == 6
    });
    // A client that asks for it itself is told what the upstream says.
    let asked = json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true } });
    assert_eq!(app.client().post("/v1/chat/completions", &asked).status, 400);
}

#[test]
fn any_chunking_gives_the_same_stream_and_usage() {
    let text = "data: {\"choices\":[{\"delta\":{\"content\":\"模\"}}],\"usage\":null}\r\n\r\n: ping\r\n\r\n\
                data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}],\"usage\":null}\r\n\r\n\
                data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\r\n\r\n\
                data: [DONE]\r\n\r\n";
    let seen = "data: {\"choices\":[{\"delta\":{\"content\":\"模\"}}]}\r\n\r\n: ping\r\n\r\n\
                data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\r\n\r\n\
                data: [DONE]\r\n\r\n";
    let sizes = [1, 2, 3, 7, 50, 64, 1_000];
    let replies = sizes
        .iter()
        .map(|size| Reply::stream(text.as_bytes().chunks(*size).map(Step::chunk).collect(), true))
        .collect();
    let upstream = Upstream::in_turn(replies);
    let app = App::on(&[&upstream]);
    for (nth, size) in sizes.iter().enumerate() {
        assert_eq!(stream(&app).text(), seen, "in chunks of {size}");
        eventually("it is counted", || {
            app.client().get("/v1/token/stats").json()["summary"]["totalTokens"] == 3 * (nth + 1)
        });
    }
}

#[test]
fn a_stream_that_fails_before_its_first_content_is_served_by_another() {
    for (what, reply) in [
        ("cut after the role", Reply::stream(vec![Step::event(ROLE)], false)),
        ("ended after the role", Reply::stream(vec![Step::event(ROLE)], true)),
        ("nothing at all", Reply::stream(vec![], true)),
        (
            "a first event that is cut",
            Reply::stream(vec![Step::event(ROLE), Step::event(r#"{"choices":[{"del"#)], true),
        ),
        (
            "an end with an error",
            Reply::stream(
                vec![Step::event(ROLE), Step::event(&STOP.replace("stop", "error")), Step::event("[DONE]")],
                true,
            ),
        ),
        ("an end with another error", Reply::events(&[&sse(&[&STOP.replace("stop", "network_error"), "[DONE]"])])),
        (
            "an error behind frames whose reason to finish is empty",
            Reply::events(&[&sse(&[
                &ROLE.replace("}}]", r#"},"finish_reason":""}]"#),
                r#"{"error":{"message":"x","code":502}}"#,
            ])]),
        ),
        (
            "empty members",
            Reply::events(&[&sse(&[
                r#"{"choices":[{"delta":{"content":"","tool_calls":null}}],"error":null}"#,
                "[DONE]",
            ])]),
        ),
        ("only [DONE]", Reply::events(&["data: [DONE]\n\n"])),
        (
            "a stop without a word",
            Reply::stream(vec![Step::event(ROLE), Step::event(STOP), Step::event("[DONE]")], true),
        ),
        ("an error event", Reply::events(&["data: {\"error\":{\"message\":\"x\",\"code\":502}}\n\n"])),
        (
            "comments for ever",
            Reply::stream(vec![Step::chunk(b": wait\n\n"), Step::Pause(Duration::from_secs(9))], true),
        ),
    ] {
        let bad = Upstream::always(reply);
        let good = Upstream::always(Reply::events(&[&sse(&[&content("good"), "[DONE]"])]));
        let mut config = config_of(&[&bad, &good]);
        config["apis"][1]["priority"] = json!(1);
        config["retry"] = json!({ "firstTokenTimeoutMs": 300 });
        let app = App::start(&config);
        assert_eq!(stream(&app).text(), sse(&[&content("good"), "[DONE]"]), "{what}");
        assert_eq!((bad.calls(), good.calls()), (1, 1), "{what}");
        assert_eq!(app.status_of("a")["errorCount"], 1, "{what}");
    }
}

#[test]
fn a_stream_that_fails_in_its_middle_ends_with_an_error_event_and_no_done() {
    let cut = vec![Step::event(&content("a")), Step::Pause(Duration::from_millis(50))];
    let mut stalled = cut.clone();
    stalled.push(Step::Pause(Duration::from_secs(9)));
    let mut halved = cut.clone();
    halved.push(Step::chunk(b"data: {\"choices\":[{\"del"));
    for (what, reply) in [
        ("cut", Reply::stream(cut.clone(), false)),
        ("cut within an event", Reply::stream(halved.clone(), false)),
        ("ended within an event", Reply::stream(halved, true)),
        ("ended without a mark", Reply::stream(cut.clone(), true)),
        (
            "ended with a reason that means nothing",
            Reply::stream(vec![Step::event(&content("a").replace("}}]", r#"},"finish_reason":"null"}]"#))], true),
        ),
        ("stalled", Reply::stream(stalled, true)),
    ] {
        let upstream = Upstream::always(reply);
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["timeouts"] = json!({ "idleMs": 300 });
        let app = App::start(&config);
        let text = stream(&app).text();
        let events: Vec<&str> = text.split("\n\n").filter(|event| !event.is_empty()).collect();
        assert_eq!(events.len(), 2, "{what}: {text}");
        assert!(events[0].contains(r#""content":"a""#), "{what}");
        let error: Value = serde_json::from_str(&events[1][6..]).expect("JSON");
        assert!(error["error"]["message"].is_string(), "{what}: {text}");
        assert!(!text.contains("[DONE]"), "{what}");
        eventually("it counts as a failure", || app.status_of("a")["errorCount"] == 1);
    }
}

#[test]
fn what_an_upstream_compresses_against_our_wish_passes_untouched() {
    // gzip of anything; what matters is that nobody looks for events in it.
    let zipped: Vec<u8> = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0].iter().copied().cycle().take(4_000).collect();
    for content_type in ["text/event-stream", "application/json"] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-encoding: gzip\r\n");
        let length = format!("content-length: {}\r\n\r\n", zipped.len());
        let upstream = Upstream::always(Reply::raw([head.as_bytes(), length.as_bytes(), &zipped].concat()));
        let answer = stream(&App::on(&[&upstream]));
        assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("gzip")), "{content_type}");
        assert!(answer.bytes() == zipped, "{content_type}");
    }
}

#[test]
fn what_comes_behind_done_harms_nobody() {
    let whole = sse(&[&content("a"), "[DONE]"]);
    let open = Reply::stream(vec![Step::chunk(whole.as_bytes()), Step::Pause(Duration::from_secs(20))], true);
    let cut = Reply::stream(vec![Step::chunk(whole.as_bytes())], false);
    for (what, reply) in [("left open", open), ("cut", cut)] {
        let upstream = Upstream::always(reply);
        let app = App::on(&[&upstream]);
        let start = Instant::now();
        assert_eq!(stream(&app).text(), whole, "{what}");
        assert!(start.elapsed() < Duration::from_secs(5), "{what}");
        eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
        let api = app.status_of("a");
        assert_eq!(api["errorCount"], 0, "{what}");
        assert!(api["latency"]["totalMs"].is_u64(), "{what}: a success like any other");
    }
}

#[test]
fn an_answer_without_a_word_passes_if_its_usage_says_that_there_was_one() {
    let usage = |tokens| {
        format!(r#"{{"choices":[],"usage":{{"prompt_tokens":1,"completion_tokens":{tokens},"total_tokens":9}}}}"#)
    };
    let reply = |tokens| Reply::events(&[&sse(&[ROLE, STOP, &usage(tokens), "[DONE]"])]);
    let upstream = Upstream::always(reply(1));
    assert_eq!(stream(&App::on(&[&upstream])).text(), sse(&[ROLE, STOP, "[DONE]"]));
    let without_done = Upstream::always(Reply::events(&[&sse(&[ROLE, STOP, &usage(1)])]));
    let app = App::on(&[&without_done]);
    for _ in 0..3 {
        assert_eq!(stream(&app).text(), sse(&[ROLE, STOP]));
    }
    assert_eq!(app.status_of("a")["errorCount"], 0);
    let empty = Upstream::always(reply(0));
    assert_eq!(stream(&App::on(&[&empty])).error(), (502, "upstream_failed".into()));
}

#[test]
fn an_error_in_the_middle_of_a_stream_passes_and_counts() {
    let error = r#"{"error":{"message":"overloaded","type":"server_error","code":"overloaded"}}"#;
    let upstream = Upstream::always(Reply::events(&[&sse(&[&content("a")]), &sse(&[error])]));
    let app = App::on(&[&upstream]);
    assert_eq!(stream(&app).text(), sse(&[&content("a"), error]));
    eventually("it counts", || app.status_of("a")["errorCount"] == 1);
}

#[test]
fn an_upstream_that_ends_with_a_reason_and_no_done_is_whole() {
    let upstream = Upstream::always(Reply::events(&[&sse(&[&content("a"), STOP])]));
    let app = App::on(&[&upstream]);
    assert_eq!(stream(&app).text(), sse(&[&content("a"), STOP]));
    eventually("it is settled", || app.status_of("a")["inFlight"] == 0);
    assert_eq!(app.status_of("a")["errorCount"], 0);
}

#[test]
fn a_client_that_hangs_up_ends_the_upstreams_call_within_a_second() {
    let endless = || (0..1_000).flat_map(|_| [Step::event(&content("x")), Step::Pause(Duration::from_millis(20))]);
    let upstream = Upstream::start(move |request| match request.json()["stream"] == true {
        true => Reply::stream(endless().collect(), true),
        false => Reply::chat("late").held(),
    });
    let app = App::on(&[&upstream]);
    for (nth, body) in [json!({ "model": "m", "stream": true }), json!({ "model": "m" })].iter().enumerate() {
        let text = body.to_string();
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n{text}",
            crate::helpers::KEY,
            text.len()
        );
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", app.port)).expect("connects");
        socket.write_all(request.as_bytes()).expect("sends");
        eventually("it is under way", || upstream.calls() == nth + 1);
        if body["stream"] == true {
            assert!(socket.read(&mut [0; 64]).expect("reads") > 0);
        }
        drop(socket);
        let start = Instant::now();
        within(Duration::from_secs(1), "the upstream is hung up on", || upstream.hung_up() == nth + 1);
        eventually("the account is closed", || app.status_of("a")["inFlight"] == 0);
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    let api = app.status_of("a");
    assert_eq!((&api["errorCount"], &api["usage"]["rpd"]), (&json!(0), &json!(2)), "no fault of the upstream");
    let stats = app.client().get("/v1/token/stats").json();
    assert!(stats["detailedStats"]["a"]["estimatedTokens"].as_u64() > Some(0), "what was seen is counted: {stats}");
}

#[test]
fn a_client_that_does_not_read_holds_the_upstream_back_and_not_the_memory() {
    // 2,000 × 64 KiB are 125 MiB.
    let event = content(&"x".repeat(65_536));
    let steps = (0..2_000).map(|_| Step::event(&event)).chain([Step::event("[DONE]")]).collect();
    let upstream = Upstream::always(Reply::stream(steps, true));
    let app = App::on(&[&upstream]);
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", app.pid())).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("told").to_owned();
        line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("kB") / 1_024
    };
    let mut answer = stream(&app);
    assert!(answer.next().expect("reads").is_some());
    let before = resident();
    std::thread::sleep(Duration::from_millis(700));
    assert!(resident() < before + 30, "{before} MiB, then {} MiB", resident());
    let whole = answer.try_bytes().expect("whole");
    assert!(whole.ends_with(b"data: [DONE]\n\n"));
    assert!(whole.len() > 130_000_000);
}

#[test]
fn a_responses_stream_tells_its_usage_and_gets_no_stream_options() {
    let done =
        r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}}}"#;
    let text = format!(
        "event: response.created\ndata: {{\"type\":\"response.created\"}}\n\n\
         event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"delta\":\"a\"}}\n\n\
         event: response.completed\ndata: {done}\n\n"
    );
    let upstream = Upstream::always(Reply::events(&[&text]));
    let app = App::on(&[&upstream]);
    let answer = app.client().post("/v1/responses", &json!({ "model": "m", "stream": true, "input": "x" }));
    assert_eq!(answer.text(), text);
    assert_eq!(upstream.received()[0].json().get("stream_options"), None);
    eventually("it is counted", || app.client().get("/v1/token/stats").json()["summary"]["totalTokens"] == 11);
}

#[test]
fn sound_and_large_answers_pass_whole() {
    let sound: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: {}\r\n\r\n", sound.len());
    let upstream = Upstream::always(Reply::raw([head.as_bytes(), &sound].concat()).kept());
    let app = App::on(&[&upstream]);
    let answer = app.client().post("/v1/audio/speech", &json!({ "model": "m", "input": "x" }));
    assert_eq!(answer.header("content-type"), Some("audio/mpeg"));
    assert_eq!(answer.header("content-length"), Some("3000000"));
    assert!(answer.bytes() == sound);

    let image = format!(r#"{{"data":[{{"b64_json":"{}"}}]}}"#, "A".repeat(20 << 20));
    let upstream = Upstream::always(Reply::text(200, &[("content-type", "application/json")], &image));
    let app = App::on(&[&upstream]);
    let answer = app.client().post("/v1/images/generations", &json!({ "model": "m" }));
    assert!(answer.text() == image);
}

#[test]
fn a_large_answer_that_is_cut_short_breaks_the_connection_off() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: {}\r\n\r\n", 1 << 20);
    let upstream = Upstream::always(Reply::raw([head.into_bytes(), vec![7; 1 << 19]].concat()));
    let app = App::on(&[&upstream]);
    let mut answer = app.client().post("/v1/audio/speech", &json!({ "model": "m", "input": "x" }));
    assert!(answer.try_bytes().is_err(), "a part must not pass for the whole");
    eventually("it counts as a failure", || app.status_of("a")["errorCount"] == 1);
}
