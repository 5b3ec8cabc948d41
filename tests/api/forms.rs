//! What was asked for and the first bytes decide what an answer is; its label is a hint.

use std::time::Duration;

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Response, Step, Upstream, config_of, eventually};

fn content(text: &str) -> String {
    json!({ "choices": [{ "index": 0, "delta": { "content": text } }] }).to_string()
}

/// A short stream: two words, an end, a usage.
fn words() -> String {
    let stop = json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }).to_string();
    let usage = json!({ "id": "c1", "choices": [], "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 } });
    let events = [content("a"), content("b"), stop, usage.to_string(), "[DONE]".to_owned()];
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

fn chat(app: &App, stream: bool) -> Response {
    app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": stream, "messages": [] }))
}

fn labelled(label: &str, body: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 200 OK\r\n{label}content-length: {}\r\n\r\n", body.len());
    Reply::raw([head.as_bytes(), body].concat())
}

fn beside_a_good_one(bad: &Upstream, good: &Upstream, ping: Option<u64>) -> App {
    let mut config = config_of(&[bad, good]);
    config["apis"][1]["priority"] = json!(1);
    if let Some(every) = ping {
        config["server"]["streamPingMs"] = json!(every);
    }
    App::start(&config)
}

#[test]
fn events_are_a_stream_whatever_their_label_says() {
    for label in ["content-type: application/json\r\n", "content-type: text/plain\r\n", ""] {
        let head = format!("HTTP/1.1 200 OK\r\n{label}transfer-encoding: chunked\r\n\r\n");
        let reply = Reply::raw(head).then(Step::event(&content("a"))).then(Step::Hold).then(Step::event("[DONE]"));
        let upstream = Upstream::always(reply.then(Step::Bytes(b"0\r\n\r\n".to_vec())));
        let app = App::on(&[&upstream]);
        let mut answer = chat(&app, true);
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")), "{label:?}");
        assert_eq!(answer.header("x-accel-buffering"), Some("no"), "{label:?}");
        let first = answer.next().expect("whole").expect("a piece before the end");
        assert_eq!(String::from_utf8_lossy(&first), format!("data: {}\n\n", content("a")), "{label:?}");
        upstream.release();
        assert_eq!(answer.text(), "data: [DONE]\n\n", "{label:?}");
    }
}

#[test]
fn events_in_place_of_an_object_are_served_by_another_upstream_or_put_together() {
    let streaming = Upstream::always(Reply::events(&[&words()]));
    let good = Upstream::always(Reply::chat("good"));
    let app = beside_a_good_one(&streaming, &good, None);
    assert_eq!(chat(&app, false).json()["choices"][0]["message"]["content"], "good");
    assert_eq!((streaming.calls(), good.calls()), (1, 1));

    // Alone, and then beside one that fails.
    let failing = Upstream::always(Reply::error(500, "broken"));
    for app in [App::on(&[&streaming]), beside_a_good_one(&streaming, &failing, None)] {
        for _ in 0..5 {
            let answer = chat(&app, false);
            assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
            let answer = answer.json();
            assert_eq!(answer["object"], "chat.completion");
            assert_eq!(answer["choices"][0]["message"], json!({ "role": "assistant", "content": "ab" }));
            assert_eq!(
                (&answer["choices"][0]["finish_reason"], &answer["usage"]["total_tokens"]),
                (&json!("stop"), &json!(7))
            );
        }
    }

    let cut = Upstream::always(Reply::events(&[&format!("data: {}\n\n", content("a"))]));
    assert_eq!(chat(&App::on(&[&cut]), false).error(), (502, "upstream_failed".into()), "half of it is no answer");
}

#[test]
fn an_object_in_place_of_events_is_told_as_a_stream() {
    let whole = json!({ "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": { "role": "assistant", "content": "hi",
            "tool_calls": [{ "id": "t1", "type": "function", "function": { "name": "f", "arguments": "{}" } }] } }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 } });
    for ping in [None, Some(60)] {
        let reply = Reply::text(200, &[("content-type", "application/json")], &whole.to_string());
        let upstream = Upstream::always(reply.after(Duration::from_millis(300)));
        let mut config = config_of(&[&upstream]);
        if let Some(every) = ping {
            config["server"]["streamPingMs"] = json!(every);
        }
        let app = App::start(&config);
        for asks in [true, false] {
            let body = json!({ "model": "m", "stream": true, "stream_options": { "include_usage": asks } });
            let answer = app.client().post("/v1/chat/completions", &body);
            assert!(
                answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")),
                "{ping:?}"
            );
            let text = answer.text().replace(": ping\n", "");
            let events: Vec<&str> = text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
            let (done, chunks) = events.split_last().expect("events");
            let chunks: Vec<Value> = chunks.iter().map(|json| serde_json::from_str(json).expect("JSON")).collect();
            assert_eq!((*done, chunks.len()), ("[DONE]", if asks { 3 } else { 2 }), "{text}");
            assert_eq!(chunks[0]["object"], "chat.completion.chunk");
            assert_eq!(chunks[0]["choices"][0]["delta"]["content"], "hi");
            assert_eq!(chunks[0]["choices"][0]["delta"]["tool_calls"][0]["index"], 0);
            assert_eq!(chunks[1]["choices"][0]["finish_reason"], "tool_calls");
            assert_eq!(chunks.get(2).map(|chunk| &chunk["usage"]["total_tokens"]), asks.then_some(&json!(7)));
        }
        eventually("both are counted", || app.client().get("/v1/token/stats").json()["summary"]["totalTokens"] == 14);
        assert_eq!(app.status_of("a")["errorCount"], 0);
    }
    // One that is no answer moves on; one that is too large to be told is a failure, and no silence.
    let large = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}]}}"#, "x".repeat(9 << 20));
    for bad in
        [Reply::json(200, &json!({ "choices": [] })), Reply::text(200, &[("content-type", "application/json")], &large)]
    {
        let (bad, good) = (Upstream::always(bad), Upstream::always(Reply::events(&[&words()])));
        assert!(chat(&beside_a_good_one(&bad, &good, None), true).text().contains("[DONE]"));
        assert_eq!(chat(&App::on(&[&bad]), true).error(), (502, "upstream_failed".into()));
    }
}

#[test]
fn a_responses_object_in_place_of_events_is_told_as_its_events() {
    let whole = json!({ "id": "resp_1", "object": "response", "status": "completed",
        "output": [{ "id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{ "type": "output_text", "text": "hi", "annotations": [] }] }],
        "usage": { "input_tokens": 5, "output_tokens": 6, "total_tokens": 11 } });
    let app = App::on(&[&Upstream::always(Reply::json(200, &whole))]);
    let text = app.client().post("/v1/responses", &json!({ "model": "m", "stream": true, "input": "x" })).text();
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: response.")).collect();
    assert_eq!(
        names,
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
            "completed"
        ]
    );
    assert!(text.contains(r#""delta":"hi""#) && text.contains(r#""sequence_number":8"#), "{text}");
    eventually("it is counted", || app.client().get("/v1/token/stats").json()["summary"]["totalTokens"] == 11);

    // And the reverse.
    let streaming = Upstream::always(Reply::events(&[&text]));
    let answer = App::on(&[&streaming]).client().post("/v1/responses", &json!({ "model": "m", "input": "x" }));
    assert_eq!(answer.json()["output"], whole["output"]);
}

#[test]
fn a_word_that_is_no_coding_leaves_an_answer_readable() {
    let error = json!({ "error": { "message": "overloaded", "code": 503 } }).to_string();
    for coding in ["none", "", "utf-8", "identity, identity", " IDENTITY", "gzip"] {
        // (Plain JSON is not compressed, whatever is said of it.)
        let bad = Upstream::always(labelled(
            &format!("content-type: application/json\r\ncontent-encoding: {coding}\r\n"),
            error.as_bytes(),
        ));
        let good = Upstream::always(Reply::chat("good"));
        assert_eq!(chat(&beside_a_good_one(&bad, &good, None), false).json()["usage"]["total_tokens"], 7, "{coding:?}");
        let app = App::on(&[&Upstream::always(labelled(
            &format!("content-type: text/event-stream\r\ncontent-encoding: {coding}\r\n"),
            words().as_bytes(),
        ))]);
        let answer = chat(&app, true);
        assert_eq!(answer.header("content-encoding"), None, "{coding:?}");
        assert!(!answer.text().contains("usage"), "{coding:?}: our wish is taken out");
        eventually("it is counted", || app.client().get("/v1/token/stats").json()["summary"]["totalTokens"] == 7);
    }
}

#[test]
fn a_byte_order_mark_and_white_space_are_read_past() {
    let object = json!({ "choices": [{ "message": { "content": "hi" } }], "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 } });
    for before in ["\u{feff}", "\n\n  ", "\u{feff}\r\n"] {
        let app = App::on(&[&Upstream::always(labelled(
            "content-type: application/json\r\n",
            format!("{before}{object:#}").as_bytes(),
        ))]);
        assert_eq!(chat(&app, false).json(), object, "{before:?}");
        let app = App::on(&[&Upstream::always(labelled(
            "content-type: text/event-stream\r\n",
            format!("{before}{}", words()).as_bytes(),
        ))]);
        let text = chat(&app, true).text();
        assert!(
            text.contains(&content("a")) && text.contains("[DONE]") && !text.contains('\u{feff}'),
            "{before:?}: {text}"
        );
        assert_eq!(app.status_of("a")["errorCount"], 0, "{before:?}");
    }
    // An object that is labelled otherwise is labelled rightly: packages hand their callers a text if it is not.
    let app = App::on(&[&Upstream::always(labelled("content-type: text/plain\r\n", object.to_string().as_bytes()))]);
    assert_eq!(chat(&app, false).header("content-type"), Some("application/json"));
}

#[test]
fn sound_is_known_by_its_bytes() {
    let sound: Vec<u8> = b"ID3\x04\x00".iter().copied().chain((0..9_000_u32).map(|nth| (nth % 251) as u8)).collect();
    let speech = |app: &App| app.client().post("/v1/audio/speech", &json!({ "model": "m", "input": "x" }));
    for label in ["content-type: audio/mpeg\r\n", "content-type: text/plain\r\n", ""] {
        let app = App::on(&[&Upstream::always(labelled(label, &sound))]);
        assert!(speech(&app).bytes() == sound, "{label:?}");
    }
    let error = json!({ "error": { "message": "overloaded", "code": 503 } }).to_string();
    for (label, body) in [
        ("content-type: audio/mpeg\r\n", error.as_str()),
        ("content-type: audio/mpeg\r\n", "<!DOCTYPE html><p>down"),
        ("content-type: text/plain\r\n", "down"),
    ] {
        let (bad, good) = (Upstream::always(labelled(label, body.as_bytes())), Upstream::always(labelled("", &sound)));
        assert!(speech(&beside_a_good_one(&bad, &good, None)).bytes() == sound, "{body}");
    }
}
