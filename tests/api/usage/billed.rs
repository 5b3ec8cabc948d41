//! What is billed beside tokens: images, seconds, characters and searches, each with a price, in every place that tells of usage.

use serde_json::{Value, json};

use super::usage;
use crate::helpers::{App, Launch, Received, Reply, Upstream, config_of, eventually};

pub const BOUNDARY: &str = "X-the-boundary";

/// A pool of these upstreams with a price of each unit, and none of tokens.
pub fn priced(upstreams: &[&Upstream]) -> Value {
    let mut config = config_of(upstreams);
    for api in config["apis"].as_array_mut().expect("a list") {
        api["prices"] = json!({ "m": {
            "perImage": 0.04, "perAudioSecond": 0.0001, "perCharacter": 0.000_015, "perPage": 0.001, "perSearch": 0.01,
        } });
    }
    config
}

pub fn images(number: usize) -> Value {
    let images: Vec<Value> = (0..number).map(|_| json!({ "b64_json": "QUFB" })).collect();
    json!({ "created": 1, "data": images })
}

pub fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let part = |(name, value): &(&str, &str)| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg";
    let file = format!("--{BOUNDARY}\r\n{file}\r\n\r\nabc\r\n--{BOUNDARY}--\r\n");
    [fields.iter().map(part).collect::<String>(), file].concat().into_bytes()
}

fn send_form(app: &App, path: &str, fields: &[(&str, &str)]) -> u16 {
    let client = app.client().header("content-type", &format!("multipart/form-data; boundary=\"{BOUNDARY}\""));
    let answer = client.request("POST", path, &form(fields));
    let status = answer.status;
    answer.bytes();
    status
}

fn post(app: &App, path: &str, body: &Value) -> u16 {
    let answer = app.client().post(path, body);
    let status = answer.status;
    answer.bytes();
    status
}

/// Waits for the sums of the day, and returns those of `field` and the cost in millionths of a dollar.
pub fn billed(app: &App, field: &str, wanted: u64) -> u64 {
    let mut total = Value::Null;
    eventually(&format!("{wanted} {field}"), || {
        total = usage(app, "")["total"].clone();
        total[field] == json!(wanted)
    });
    (total["costUsd"].as_f64().expect("a cost") * 1e6).round() as u64
}

#[test]
fn images_are_counted_by_the_answer_and_not_by_the_request() {
    let upstream = Upstream::start(|request| {
        let wanted = request.json()["n"].as_u64().unwrap_or(1);
        Reply::json(200, &images(if wanted == 9 { 8 } else { wanted as usize }))
    });
    let app = App::start(&priced(&[&upstream]));
    for n in [json!(3), Value::Null, json!(9)] {
        assert_eq!(post(&app, "/v1/images/generations", &json!({ "model": "m", "prompt": "p", "n": n })), 200);
    }
    assert_eq!(billed(&app, "images", 12), 480_000);
    app.logged("images=3 cost=$0.12");
    // A chat counts none, and all else of a row is as before.
    let total = usage(&app, "")["total"].clone();
    assert_eq!((&total["requests"], &total["totalTokens"], &total["searches"]), (&json!(3), &json!(0), &json!(0)));
    let csv = app.client().get("/v1/usage.csv?group=model").text();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].ends_with(",cost_usd,images,audio_seconds,characters,pages,searches"), "{csv}");
    assert!(lines[1].ends_with(",0.48,12,0,0,0,0"), "{csv}");
    let sample = r#"api_together_billed_units_total{api="a",key="default",model="m",unit="images"}"#;
    assert_eq!(app.metrics().value(sample), 12.0);
    let page = app.client().get("/v1/organization/usage/images?start_time=1700000000&group_by=model&limit=31");
    assert_eq!(page.status, 200);
    let found = app.client().get(&format!("/v1/organization/usage/images?start_time={}", today())).json();
    assert_eq!(found["data"][0]["results"][0]["images"], 12, "{found}");
    assert_eq!(found["data"][0]["results"][0]["object"], "organization.usage.images.result");
    // At once after a silence, else 100 ms later, and then with the next commit.
    std::thread::sleep(std::time::Duration::from_millis(400));
    let app = app.kill_and_restart();
    assert_eq!(billed(&app, "images", 12), 480_000);
    let app = app.stop_and_restart();
    assert_eq!(billed(&app, "images", 12), 480_000);
}

fn today() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs() - 60
}

#[test]
fn streamed_images_are_the_finished_ones() {
    let event = |kind: &str| format!("event: {kind}\ndata: {}\n\n", json!({ "type": kind, "b64_json": "QUFB" }));
    let done = json!({ "type": "image_generation.completed", "b64_json": "QUFB",
        "usage": { "input_tokens": 5, "output_tokens": 40, "total_tokens": 45 } });
    let stream = [
        event("image_generation.partial_image"),
        event("image_generation.partial_image"),
        event("image_generation.completed"),
        event("image_generation.partial_image"),
        format!("event: image_generation.completed\ndata: {done}\n\n"),
    ];
    let upstream = Upstream::always(Reply::events(&stream.each_ref().map(String::as_str)));
    let app = App::start(&priced(&[&upstream]));
    let body = json!({ "model": "m", "prompt": "p", "n": 2, "stream": true, "partial_images": 2 });
    assert_eq!(post(&app, "/v1/images/generations", &body), 200);
    assert_eq!(billed(&app, "images", 2), 80_000);
    assert_eq!(usage(&app, "")["total"]["totalTokens"], 45);
}

#[test]
fn images_in_an_answer_beyond_the_bound_of_memory_are_counted() {
    let image = "A".repeat(5 << 20);
    let data: Vec<Value> = (0..3).map(|_| json!({ "b64_json": image })).collect();
    let upstream = Upstream::always(Reply::json(200, &json!({ "created": 1, "data": data })));
    let app = App::start(&priced(&[&upstream]));
    assert_eq!(post(&app, "/v1/images/generations", &json!({ "model": "m", "prompt": "p", "n": 3 })), 200);
    assert_eq!(billed(&app, "images", 3), 120_000);
}

#[test]
fn seconds_are_those_that_the_answer_reports() {
    let upstream = Upstream::start(|request: &Received| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let answer = if body.contains("verbose_json") {
            json!({ "task": "transcribe", "text": "a", "duration": 3.2, "segments": [] })
        } else if body.contains("tokens") {
            json!({ "text": "a", "usage": { "type": "tokens", "input_tokens": 14, "output_tokens": 3, "total_tokens": 17,
                "input_token_details": { "text_tokens": 0, "audio_tokens": 14 } } })
        } else if body.contains("srt") {
            return Reply::text(200, &[("content-type", "text/plain")], "1\n00:00:00,000 --> 00:00:01,000\na\n");
        } else {
            json!({ "text": "a", "usage": { "type": "duration", "seconds": 9 } })
        };
        Reply::json(200, &answer)
    });
    let app = App::start(&priced(&[&upstream]));
    for (path, form) in [
        ("/v1/audio/transcriptions", "json"),
        ("/v1/audio/translations", "verbose_json"),
        ("/v1/audio/transcriptions", "tokens"),
        ("/v1/audio/transcriptions", "srt"),
    ] {
        assert_eq!(send_form(&app, path, &[("model", "m"), ("response_format", form)]), 200, "{form}");
    }
    assert_eq!(billed(&app, "audioSeconds", 13), 1_300);
    assert_eq!(usage(&app, "")["total"]["totalTokens"], 17);
    let url = format!("/v1/organization/usage/audio_transcriptions?start_time={}", today());
    let found = app.client().get(&url).json()["data"][0]["results"][0].clone();
    assert_eq!((&found["seconds"], &found["num_model_requests"]), (&json!(13), &json!(4)));
}

#[test]
fn speech_is_counted_by_the_characters_of_its_text() {
    let sound = || Reply::text(200, &[("content-type", "audio/mpeg")], "ID3 sound");
    let failing = Upstream::always(Reply::error(500, "broken"));
    let good = Upstream::in_turn(vec![sound(), sound(), Reply::error(400, "no")]);
    let mut config = priced(&[&failing, &good]);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    for (input, is_spoken) in [("日本語 ä😀", true), ("plain", true), ("refused", false)] {
        let body = json!({ "model": "m", "input": input, "voice": "alloy" });
        assert_eq!(post(&app, "/v1/audio/speech", &body) == 200, is_spoken, "{input}");
    }
    assert!(failing.calls() > 0 && good.calls() == 3, "the first was tried again");
    assert_eq!(billed(&app, "characters", 11), 165);
    app.logged("characters=6 cost=$0.00009");
    let url = format!("/v1/organization/usage/audio_speeches?start_time={}", today());
    assert_eq!(app.client().get(&url).json()["data"][0]["results"][0]["characters"], 11);
}

#[test]
fn searches_and_pages_are_counted_where_an_answer_tells_them() {
    let upstream = Upstream::start(|request: &Received| match request.path.as_str() {
        path if path.ends_with("/rerank") => Reply::json(
            200,
            &json!({ "results": [{ "index": 0, "relevance_score": 0.5 }], "meta": { "billed_units": { "search_units": 2 } } }),
        ),
        path if path.ends_with("/ocr") => Reply::json(
            200,
            &json!({ "pages": [{ "index": 0, "markdown": "x" }], "model": "m", "usage_info": { "pages_processed": 3 } }),
        ),
        path if path.ends_with("/responses") => {
            let search = |kind: &str| json!({ "id": "ws_1", "type": "web_search_call", "status": "completed", "action": { "type": kind } });
            let text =
                json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "hi" }] });
            let response = json!({ "id": "resp_1", "object": "response", "status": "completed",
                "output": [search("search"), search("open_page"), search("search"), text],
                "usage": { "input_tokens": 3, "output_tokens": 4, "total_tokens": 7 } });
            if request.json()["stream"] != json!(true) {
                return Reply::json(200, &response);
            }
            let delta = json!({ "type": "response.output_text.delta", "delta": "hi" });
            let done = json!({ "type": "response.completed", "response": response });
            Reply::events(&[&format!("data: {delta}\n\n"), &format!("data: {done}\n\n")])
        }
        _ => Reply::chat("hi"),
    });
    let app = App::start(&priced(&[&upstream]));
    let rerank = json!({ "model": "m", "query": "q", "documents": ["a"] });
    assert_eq!(post(&app, "/v1/rerank", &rerank), 200);
    assert_eq!(billed(&app, "searches", 2), 20_000);
    for stream in [false, true] {
        assert_eq!(post(&app, "/v1/responses", &json!({ "model": "m", "input": "x", "stream": stream })), 200);
    }
    assert_eq!(billed(&app, "searches", 6), 60_000);
    assert_eq!(post(&app, "/v1/chat/completions", &json!({ "model": "m", "messages": [] })), 200);
    eventually("the chat", || usage(&app, "")["total"]["requests"] == 4);
    assert_eq!(usage(&app, "")["total"]["searches"], 6);
    assert_eq!(post(&app, "/v1/ocr", &json!({ "model": "m", "document": { "document_url": "u" } })), 200);
    assert_eq!(billed(&app, "pages", 3), 63_000);
}

#[test]
fn searches_of_a_message_are_counted_once_whole_and_streamed() {
    let tools = json!({ "input_tokens": 3, "output_tokens": 4, "server_tool_use": { "web_search_requests": 2 } });
    let upstream = Upstream::start(move |request: &Received| {
        if request.json()["stream"] != json!(true) {
            return Reply::json(
                200,
                &json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
                    "content": [{ "type": "text", "text": "hi" }], "usage": tools }),
            );
        }
        let events = [
            json!({ "type": "message_start", "message": { "id": "m", "content": [],
                "usage": { "input_tokens": 3, "output_tokens": 1, "server_tool_use": { "web_search_requests": 0 } } } }),
            json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "hi" } }),
            json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": tools }),
            json!({ "type": "message_stop" }),
        ];
        let events =
            events.map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().expect("a type")));
        Reply::events(&events.each_ref().map(String::as_str))
    });
    let mut config = priced(&[&upstream]);
    config["apis"][0]["anthropicBaseUrl"] = config["apis"][0]["baseUrl"].take();
    config["apis"][0].as_object_mut().expect("an API").remove("baseUrl");
    let app = App::start(&config);
    for (stream, searches) in [(false, 2), (true, 4)] {
        let body = json!({ "model": "m", "max_tokens": 9, "messages": [], "stream": stream });
        assert_eq!(post(&app, "/v1/messages", &body), 200, "{stream}");
        assert_eq!(billed(&app, "searches", searches), searches * 10_000);
    }
}

#[test]
fn failures_and_retries_count_no_image() {
    let failing = Upstream::always(Reply::error(500, "broken"));
    let good = Upstream::in_turn(vec![Reply::json(200, &images(2)), Reply::error(500, "broken")]);
    let mut config = priced(&[&failing, &good]);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    let body = json!({ "model": "m", "prompt": "p", "n": 2 });
    assert_eq!(post(&app, "/v1/images/generations", &body), 200);
    assert!(post(&app, "/v1/images/generations", &body) >= 500);
    eventually("both", || usage(&app, "")["total"]["requests"] == 2);
    let rows = usage(&app, "group=api")["usage"].clone();
    let images: Vec<&Value> = rows.as_array().expect("rows").iter().map(|row| &row["images"]).collect();
    assert_eq!(usage(&app, "")["total"]["images"], 2, "{images:?}");
}

#[test]
fn a_file_of_a_day_from_before_is_read() {
    let upstream = Upstream::always(Reply::json(200, &images(1)));
    let launch = Launch::new(&priced(&[&upstream])).env("TZ", "UTC");
    // A whole block, as it was written before there were units: key k, API a, model m, app x, 5 requests, 70 tokens of input.
    let block = [1, 1, 1, b'k', 1, 1, b'a', 1, 1, b'm', 1, 1, b'x', 1, 0b101, 0, 0, 0, 0, 0, 5, 70];
    let sealed = [&[2][..], &crc32fast::hash(&block).to_be_bytes(), &block].concat();
    let folder = launch.folder.join("data/usage");
    std::fs::create_dir_all(&folder).expect("a folder");
    let yesterday = (today() / 86_400 - 1) * 86_400;
    std::fs::write(folder.join(format!("day-{}-1", yesterday * 1_000)), sealed).expect("writes");
    let app = launch.start();
    assert_eq!(post(&app, "/v1/images/generations", &json!({ "model": "m", "prompt": "p" })), 200);
    assert_eq!(billed(&app, "images", 1), 40_000);
    let total = usage(&app, "")["total"].clone();
    assert_eq!((&total["requests"], &total["inputTokens"]), (&json!(6), &json!(70)));
}
