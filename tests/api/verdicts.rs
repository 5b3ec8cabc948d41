//! What is made of an upstream's own words: no text of a client's that it quotes may speak for it, and an error is one however it
//! is wrapped.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::helpers::{App, Received, Reply, Step, Upstream, config_of, eventually};

/// A stream, whole.
const HELLO: &str =
    "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

/// `bad` is asked before `good`.
fn in_order(bad: &Upstream, good: &Upstream) -> Value {
    ranked(&[bad, good])
}

/// Each is asked before the next.
fn ranked(upstreams: &[&Upstream]) -> Value {
    let mut config = config_of(upstreams);
    for (nth, api) in config["apis"].as_array_mut().expect("a list").iter_mut().enumerate() {
        api["priority"] = json!(nth);
    }
    config
}

fn chat(app: &App, body: &Value) -> (u16, String) {
    let mut asked = json!({ "model": "m", "messages": [] });
    asked.as_object_mut().expect("an object").extend(body.as_object().expect("fields").clone());
    let answer = app.client().post("/v1/chat/completions", &asked);
    (answer.status, answer.text())
}

/// Answers as OpenAI does to a role that it does not know: it quotes it.
fn quotes_roles(request: &Received) -> Reply {
    let body = request.json();
    match body["messages"][0]["role"].as_str() {
        None | Some("user") if body["stream"] == true => Reply::events(&[
            "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n",
            "data: [DONE]\n\n",
        ]),
        None | Some("user") => Reply::chat("hi"),
        Some(role) => {
            Reply::error(400, &format!("Invalid value: '{role}'. Supported values are: 'system' and 'user'."))
        }
    }
}

#[test]
fn a_text_of_a_clients_that_upstreams_quote_takes_no_model_out_of_the_pool() {
    let upstreams = [Upstream::start(quotes_roles), Upstream::start(quotes_roles), Upstream::start(quotes_roles)];
    let app = App::on(&upstreams.each_ref());
    for role in ["model m not found", "x' model 'm' not found", "m' is not a valid model 'x", "unknown model m"] {
        let (status, text) = chat(&app, &json!({ "messages": [{ "role": role, "content": "x" }] }));
        assert_eq!(status, 400, "{text}");
        assert_eq!(chat(&app, &json!({})).0, 200, "behind {role:?}");
    }
    for id in ["a", "b", "c"] {
        assert_eq!(app.status_of(id)["absentModels"], json!([]));
    }
}

#[test]
fn a_parameter_that_a_model_does_not_take_is_no_lack_of_the_model() {
    for message in ["'temperature' is not supported with model m", "Tool calling is not supported by this model (m)"] {
        for (code, param) in [(json!("unsupported_parameter"), json!("temperature")), (Value::Null, Value::Null)] {
            let error = json!({ "error": { "message": message, "type": "invalid_request_error", "code": code, "param": param } });
            let upstream = Upstream::start(move |request| match request.json().get("temperature") {
                Some(_) => Reply::json(400, &error),
                None => Reply::chat("hi"),
            });
            let app = App::on(&[&upstream]);
            assert_eq!(chat(&app, &json!({ "temperature": 1 })).0, 400);
            assert_eq!(chat(&app, &json!({})).0, 200, "{message}");
        }
    }
}

#[test]
fn a_client_that_has_stream_options_quoted_does_not_stop_the_pool_from_asking_for_usage() {
    let upstream = Upstream::start(quotes_roles);
    let app = App::on(&[&upstream]);
    assert_eq!(chat(&app, &json!({ "stream": true })).0, 200, "its usage is reported");
    for role in ["stream_options", "include_usage"] {
        let text = json!({ "model": "m", "stream": true, "messages": [{ "role": role, "content": "x" }] }).to_string();
        for text in [text.clone(), text.replacen(role, &role.replace('_', "\\u005f"), 1)] {
            let answer = app.client().request("POST", "/v1/chat/completions", text.as_bytes());
            assert_eq!(answer.status, 400);
        }
    }
    assert_eq!(upstream.calls(), 5, "nothing was asked twice");
    assert_eq!(chat(&app, &json!({ "stream": true })).0, 200);
    assert!(upstream.received()[5].json().get("stream_options").is_some(), "its usage is asked for as ever");
    let named = json!({ "error": { "message": "no", "param": "stream_options.include_usage" } });
    let upstream = Upstream::start(move |request| match request.json().get("stream_options") {
        Some(_) => Reply::json(400, &named),
        None => quotes_roles(request),
    });
    let app = App::on(&[&upstream]);
    assert_eq!(chat(&app, &json!({ "stream": true })).0, 200, "where the field is named there is no doubt");
}

#[test]
fn a_moderators_verdict_is_about_the_request_and_not_about_the_key() {
    for error in [
        json!({ "error": { "code": 403, "message": "Your chosen model requires moderation and your input was flagged",
            "metadata": { "reasons": ["x"], "flagged_input": "evil" } } }),
        json!({ "error": { "code": "content_policy_violation", "message": "no" } }),
        json!({ "error": { "type": "content_filter", "message": "no" } }),
        json!({ "error": { "type": "moderation", "message": "no" } }),
        json!({ "code": "The caller does not have permission to execute the specified operation",
            "error": "Content violates usage guidelines. Team: 1, Model: m, Failed check: SAFETY_CHECK_TYPE_BIO" }),
        json!({ "error": { "code": "moderation_blocked", "message": "no" } }),
    ] {
        let script = move |request: &Received| match request.json().get("user") {
            Some(_) => Reply::json(403, &error),
            None => Reply::chat("hi"),
        };
        let upstreams = [Upstream::start(script.clone()), Upstream::start(script)];
        let app = App::on(&upstreams.each_ref());
        let (status, text) = chat(&app, &json!({ "user": "evil" }));
        assert_eq!((status, chat(&app, &json!({})).0), (403, 200), "{text}");
        assert_eq!(app.status_of("a")["unavailableReason"], Value::Null);
    }
}

#[test]
fn a_firewalls_page_moves_a_request_on_and_rests_nobody_at_once() {
    let page = Reply::text(403, &[("content-type", "text/html")], "<html>Attention Required!</html>");
    let (bad, good) = (Upstream::always(page), Upstream::always(Reply::chat("good")));
    let app = App::start(&in_order(&bad, &good));
    assert!(chat(&app, &json!({})).1.contains("good"));
    let status = app.status_of("a");
    assert_eq!((&status["unavailableReason"], &status["errorCount"]), (&Value::Null, &json!(1)));
    for _ in 0..4 {
        assert_eq!(chat(&app, &json!({})).0, 200);
    }
    assert_eq!((bad.calls(), good.calls()), (3, 5), "its breaker opens");
}

#[test]
fn a_key_that_google_refuses_with_a_400_rests_and_another_upstream_serves() {
    let error = json!({ "error": { "code": 400, "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT", "details": [
            { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com" }
        ] } });
    for error in [json!([error]), error] {
        let (bad, good) = (Upstream::always(Reply::json(400, &error)), Upstream::always(Reply::chat("good")));
        let app = App::start(&in_order(&bad, &good));
        for _ in 0..3 {
            assert!(chat(&app, &json!({})).1.contains("good"));
        }
        assert_eq!((bad.calls(), good.calls()), (1, 3));
        assert_eq!(app.status_of("a")["unavailableReason"], "unauthorized");
        drop(app);
        let alone = App::on(&[&bad]).chat();
        assert_eq!(alone.status, 502, "the client's own key is right");
    }
}

#[test]
fn a_gateway_without_a_channel_for_a_model_rests_that_model_alone() {
    let error = json!({ "error": { "message": "No available channel for model m under group default (distributor)",
        "type": "new_api_error", "param": "", "code": "model_not_found" } });
    let (bad, good) = (Upstream::always(Reply::json(503, &error)), Upstream::always(Reply::chat("good")));
    let app = App::start(&in_order(&bad, &good));
    for _ in 0..4 {
        assert!(chat(&app, &json!({})).1.contains("good"));
    }
    let status = app.status_of("a");
    assert_eq!((bad.calls(), &status["available"], &status["errorCount"]), (1, &json!(true), &json!(1)));
    assert_eq!(status["absentModels"][0]["model"], "m");
}

/// What is too much for an upstream's limit at any time is no news of how much of it is left.
#[test]
fn a_request_that_is_too_large_for_one_upstream_is_served_by_another_and_rests_nobody() {
    let said = "Request too large for m in organization o on tokens per min (TPM): Limit 6000, Requested 9000.";
    for status in [413, 429] {
        let turn_away = move |request: &Received| match request.json()["user"].as_str() {
            Some(_) => Reply::error(status, said),
            None => Reply::chat("small"),
        };
        let (small, large) = (Upstream::start(turn_away), Upstream::always(Reply::chat("large")));
        let app = App::start(&in_order(&small, &large));
        let big = json!({ "user": "big" });
        assert!(chat(&app, &big).1.contains("large"), "{status}");
        assert!(chat(&app, &json!({})).1.contains("small"), "{status}: it does not rest");
        let alone = App::start(&config_of(&[&small]));
        let (told, text) = chat(&alone, &big);
        assert!(told == status && text.contains("Requested 9000"), "{told} {text}");
        assert!(chat(&alone, &json!({})).1.contains("small"), "{status}");
    }
}

/// The key of the upstream, as `config_of` gives it.
const KEY: &str = "sk-upstream-a-0123456789";

#[test]
fn a_key_that_an_upstream_tells_in_whatever_it_takes_for_an_answer_is_taken_out() {
    let word = r#"data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}"#;
    for event in
        [format!("data: the key {KEY}"), format!(r#"data: {{"choices":[],"debug":"{KEY}"}}"#), format!(": {KEY}")]
    {
        let events = [format!("{event}\n\n"), format!("{word}\n\n"), format!("{event}\n\n"), "data: [DONE]\n\n".into()];
        let reply = Reply::events(&events.each_ref().map(String::as_str));
        let app = App::start(&config_of(&[&Upstream::always(reply)]));
        let (status, text) = chat(&app, &json!({ "stream": true }));
        assert!(status == 200 && text.contains("hi") && text.contains("[DONE]"), "{event}: {status} {text}");
        assert!(!text.contains(KEY) && text.contains("***"), "{event}: {text}");
    }
}

#[test]
fn words_without_anything_of_an_answer_are_an_error_and_another_upstream_serves() {
    for words in [json!({ "code": 500, "message": "broken" }), json!({ "detail": "Not authenticated" })] {
        let event = format!("data: {words}\n\n");
        for (stream, reply) in [(false, Reply::json(200, &words)), (true, Reply::events(&[&event]))] {
            let (bad, good) = (Upstream::always(reply), Upstream::always(Reply::chat("good")));
            let app = App::start(&in_order(&bad, &good));
            assert!(chat(&app, &json!({ "stream": stream })).1.contains("good"), "{stream} {words}");
            assert_eq!(app.status_of("a")["errorCount"], 1, "{stream} {words}");
        }
    }
    let sound = Reply::raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nbroken");
    let app = App::start(&config_of(&[&Upstream::always(sound)]));
    let asked = json!({ "model": "m", "input": "x", "voice": "v" });
    assert_eq!(app.client().post("/v1/audio/speech", &asked).status, 502);
}

#[test]
fn who_is_asked_for_what_a_model_does_not_do_goes_on_with_what_it_does() {
    let refuse = |request: &Received| match request.json()["input"].is_null() {
        true => Reply::chat("hi"),
        false => Reply::json(403, &json!("You are not allowed to generate embeddings from this model")),
    };
    let upstream = Upstream::start(refuse);
    let app = App::start(&config_of(&[&upstream]));
    assert_eq!(app.client().post("/v1/embeddings", &json!({ "model": "m", "input": "x" })).status, 403);
    assert!(chat(&app, &json!({})).1.contains("hi"));
}

#[test]
fn a_name_that_a_client_wrote_takes_no_model_out_of_the_pool_even_if_it_is_not_quoted() {
    let repeat = |request: &Received| match request.json()["messages"][0]["role"].as_str() {
        None => Reply::chat("hi"),
        Some(role) => Reply::error(400, &format!("invalid role: {role}")),
    };
    let upstream = Upstream::start(repeat);
    let app = App::start(&config_of(&[&upstream]));
    for role in ["unknown model m", "m is not a valid model", "Model: M not found"] {
        assert_eq!(chat(&app, &json!({ "messages": [{ "role": role }] })).0, 400, "{role}");
        assert!(chat(&app, &json!({})).1.contains("hi"), "{role}");
    }
}

#[test]
fn an_error_that_dribbles_keeps_no_other_upstream_waiting() {
    let head = b"HTTP/1.1 500 X\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut reply = Reply::raw(head);
    for _ in 0..60 {
        reply = reply.then(Step::chunk(b"x")).then(Step::Pause(Duration::from_millis(400)));
    }
    let (bad, good) = (Upstream::always(reply), Upstream::always(Reply::chat("good")));
    let app = App::start(&in_order(&bad, &good));
    let start = Instant::now();
    assert!(chat(&app, &json!({})).1.contains("good"));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}

#[test]
fn an_error_whose_text_is_too_long_or_cut_keeps_its_status_and_the_time_to_wait() {
    let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(70_000));
    let zipped = "content-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x0b\x08\x00";
    for status in [400, 429, 500, 503] {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: text/plain\r\nretry-after: 7\r\n");
        for (what, rest) in [
            ("cut", "content-length: 100\r\n\r\nabc".to_owned()),
            ("long", format!("content-length: {}\r\n\r\n{long}", long.len())),
            ("compressed", zipped.to_owned()),
        ] {
            let upstream = Upstream::always(Reply::raw(format!("{head}{rest}")));
            let app = App::on(&[&upstream]);
            let answer = app.chat();
            assert_eq!(answer.header("retry-after"), Some("7"), "{status} {what}");
            assert_eq!(answer.header("x-should-retry"), None, "{status} {what}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{status} {what}");
            assert_eq!(answer.header("content-encoding"), None, "{status} {what}");
            assert_eq!(answer.error().0, status, "{what}");
        }
    }
}

#[test]
fn an_error_in_a_200_is_one_in_every_form_and_another_upstream_serves() {
    let deep = format!(r#"{{"error":{{"message":"x","a":{}{}}}}}"#, "[".repeat(200), "]".repeat(200));
    for body in [
        r#"{"error":500}"#,
        r#"{"error":["x"]}"#,
        r#"{"error":true,"message":"x"}"#,
        r#"{"errors":[{"message":"x"}]}"#,
        r#"{"object":"error","message":"x","type":"InternalServerError"}"#,
        r#"{"success":false,"code":401}"#,
        r#"{"code":500,"msg":"x"}"#,
        r#"{"error_code":17,"error_msg":"x","id":"y"}"#,
        r#"{"Error":{"message":"x"}}"#,
        r#"{"error_msg":"x"}"#,
        r#"{"id":"y","choices":[{"message":{"content":"a"}}],"base_resp":{"status_code":1004,"status_msg":"x"}}"#,
        r#"{"choices":[]}"#,
        r#"{"choices":null}"#,
        r#"{"choices":[],"usage":null}"#,
        r#"{"error":{"code":404,"type":"model_not_found","message":"The model m does not exist"}}"#,
        r#"{"error":{"code":404,"message":"The model `m` does not exist"}}"#,
        &deep,
    ] {
        let bad = Upstream::always(Reply::text(200, &[("content-type", "application/json")], body));
        let good = Upstream::always(Reply::chat("good"));
        let app = App::start(&in_order(&bad, &good));
        let (status, text) = chat(&app, &json!({}));
        assert!(status == 200 && text.contains("good"), "{body}: {text}");
        let absent = !app.status_of("a")["absentModels"].as_array().expect("a list").is_empty();
        assert_eq!(absent, body.contains("model_not_found"), "{body}: words alone need three confirmations");
        let event = format!("data: {body}\n\n");
        let streams = Upstream::always(Reply::events(&[&event, "data: [DONE]\n\n"]));
        let stream =
            Reply::events(&["data: {\"choices\":[{\"delta\":{\"content\":\"good\"}}]}\n\n", "data: [DONE]\n\n"]);
        let app = App::start(&in_order(&streams, &Upstream::always(stream)));
        let text = chat(&app, &json!({ "stream": true })).1;
        assert!(text.contains("good") && !text.contains("error"), "{body}: {text}");
    }
    let named = Upstream::always(Reply::events(&["event: error\ndata: {\"code\":500}\n\n", "data: [DONE]\n\n"]));
    let stream = Reply::events(&["data: {\"choices\":[{\"delta\":{\"content\":\"good\"}}]}\n\n", "data: [DONE]\n\n"]);
    let app = App::start(&in_order(&named, &Upstream::always(stream)));
    assert!(chat(&app, &json!({ "stream": true })).1.contains("good"));
}

#[test]
fn an_error_that_comes_in_the_place_of_sound_is_none() {
    let error = json!({ "error": { "message": "no such voice", "code": 500, "type": "server_error" } });
    let (bad, good) = (
        Upstream::always(Reply::json(200, &error)),
        Upstream::always(Reply::text(200, &[("content-type", "audio/mpeg")], "ID3")),
    );
    let app = App::start(&in_order(&bad, &good));
    let answer = app.client().post("/v1/audio/speech", &json!({ "model": "m", "input": "x", "voice": "y" }));
    assert_eq!((answer.header("content-type"), bad.calls(), good.calls()), (Some("audio/mpeg"), 1, 1));
    assert_eq!(answer.bytes(), b"ID3");
}

#[test]
fn an_error_in_a_list_is_read_as_well() {
    let error = json!([{ "error": { "code": 404, "message": "models/m is not found for API version v1main", "status": "NOT_FOUND" } }]);
    let (bad, good) = (Upstream::always(Reply::json(404, &error)), Upstream::always(Reply::chat("good")));
    let app = App::start(&in_order(&bad, &good));
    for _ in 0..3 {
        assert!(chat(&app, &json!({})).1.contains("good"));
    }
    eventually("the model backs off there", || app.status_of("a")["absentModels"] != json!([]));
}

/// What is asked of an upstream, by the path.
fn post(app: &App, path: &str, more: &Value) -> u16 {
    let mut asked = json!({ "model": "m", "messages": [], "input": "x" });
    asked.as_object_mut().expect("an object").extend(more.as_object().expect("fields").clone());
    app.client().post(path, &asked).status
}

const EMBEDDINGS: &str = "/v1/embeddings";
const CHAT: &str = "/v1/chat/completions";

#[test]
fn what_an_upstream_does_not_do_with_a_model_rests_for_that_alone() {
    for (status, error, reason, asked) in [
        (
            400,
            json!({ "object": "error", "message": "Invalid model: m", "type": "invalid_model", "code": "1500" }),
            "model_not_found",
            1,
        ),
        (
            401,
            json!({ "error": { "message": "You have insufficient permissions for this operation. Missing scopes: model.request." } }),
            "forbidden",
            3,
        ),
        (403, json!({ "error": { "message": "This key is not authorized to access model m" } }), "unauthorized", 3),
    ] {
        let bad = Upstream::start(move |request| match request.path.contains("embeddings") {
            true => Reply::json(status, &error),
            false => Reply::chat("hi"),
        });
        let good = Upstream::always(Reply::json(200, &json!({ "object": "list", "data": [{ "embedding": [0.1] }] })));
        let app = App::start(&in_order(&bad, &good));
        for _ in 0..5 {
            assert_eq!((post(&app, EMBEDDINGS, &json!({})), post(&app, CHAT, &json!({}))), (200, 200), "{status}");
        }
        assert_eq!((bad.calls(), good.calls()), (asked + 5, 5), "{status}: it goes on with what it does");
        let told = app.status_of("a");
        assert_eq!(told["available"], true, "{told}");
        let absent = &told["absentModels"][0];
        assert_eq!((&absent["operation"], &absent["reason"]), (&json!("embeddings"), &json!(reason)), "{told}");
    }
}

#[test]
fn an_upstream_without_the_endpoint_is_no_dead_end() {
    let page = |status, text: &str| Reply::text(status, &[("content-type", "text/html")], text);
    for nowhere in [
        page(404, "404 page not found"),
        page(404, "<!DOCTYPE html><title>404 Not Found</title>"),
        page(405, "<html><h1>405 Not Allowed</h1></html>"),
        Reply::json(404, &json!({ "detail": "Not Found" })),
        Reply::json(
            404,
            &json!({ "error": { "message": "Unknown request URL: POST /embeddings. Please check the URL for typos",
                "type": "invalid_request_error", "code": "unknown_url" } }),
        ),
    ] {
        let bad = Upstream::start(move |request| match request.path.contains("embeddings") {
            true => nowhere.clone(),
            false => Reply::chat("hi"),
        });
        let good = Upstream::always(Reply::json(200, &json!({ "object": "list", "data": [{ "embedding": [0.1] }] })));
        let app = App::start(&in_order(&bad, &good));
        for _ in 0..5 {
            assert_eq!((post(&app, EMBEDDINGS, &json!({})), post(&app, CHAT, &json!({}))), (200, 200));
        }
        assert_eq!((bad.calls(), good.calls()), (3 + 5, 5), "it goes on with what it does");
        assert_eq!(app.status_of("a")["absentModels"][0]["operation"], "embeddings");
        drop(app);
        let alone = App::on(&[&bad]);
        for nth in 1..=3 {
            let status = post(&alone, EMBEDDINGS, &json!({}));
            assert!([404, 405].contains(&status), "its own word: {status}");
            assert_eq!(bad.calls(), 8 + nth, "and it is asked again: it may be there again");
        }
    }
}

/// One client's request must not take from all others what serves them.
#[test]
fn a_request_that_fails_everywhere_alike_rests_one_upstream_at_most() {
    let firewall = || Reply::text(403, &[("content-type", "text/html")], "<html>Attention Required!</html>");
    for (what, reply) in [
        ("a defect", Reply::error(500, "defect")),
        ("a firewall", firewall()),
        ("a closed connection", Reply::drop()),
        ("nothing", Reply::json(200, &json!({}))),
    ] {
        let answer = move |request: &Received| match request.json().get("user") {
            Some(_) => reply.clone(),
            None => Reply::chat("hi"),
        };
        let upstreams = [answer.clone(), answer.clone(), answer].map(Upstream::start);
        let app = App::start(&ranked(&upstreams.each_ref()));
        for _ in 0..3 {
            assert!(post(&app, CHAT, &json!({ "user": "poison" })) >= 400, "{what}");
        }
        let resting = ["a", "b", "c"].map(|id| app.status_of(id)["available"] != true);
        assert!(resting.iter().filter(|rests| **rests).count() <= 1, "{what}: {resting:?}");
        assert_eq!(post(&app, CHAT, &json!({})), 200, "{what}: others are served");
    }
}

/// Such a refusal may be for what one client wrote, as long as no other upstream serves it.
#[test]
fn refusals_without_a_reason_rest_nobody_if_no_other_upstream_serves_the_request() {
    let answer = |request: &Received| match request.json().get("user") {
        Some(_) => Reply::error(403, "not for you"),
        None => Reply::chat("hi"),
    };
    let upstreams = [Upstream::start(answer), Upstream::start(answer)];
    let app = App::on(&upstreams.each_ref());
    for _ in 0..4 {
        assert_eq!(post(&app, CHAT, &json!({ "user": "poison" })), 502);
        assert_eq!(post(&app, CHAT, &json!({})), 200);
    }
    assert_eq!(upstreams[0].calls() + upstreams[1].calls(), 4 * 2 + 4, "both were asked each time");
    for id in ["a", "b"] {
        let status = app.status_of(id);
        assert_eq!(status["available"], true, "{status}");
        assert_eq!(status["lastError"]["detail"], "403 \"not for you\": check its apiKey", "and yet it can be seen");
    }
}

#[test]
fn a_text_of_a_clients_that_comes_back_as_an_error_in_a_200_rests_nobody() {
    for (code, said) in [(403, "my quota"), (403, "your account"), (403, "suspended"), (400, "unknown model m")] {
        let answer = move |request: &Received| {
            let body = request.json();
            let error = json!({ "error": { "code": code, "message": format!("blocked for {}", body["user"]).replace('"', "") } });
            match (body["user"].is_string(), body["stream"] == true) {
                (true, false) => Reply::json(200, &error),
                (true, true) => Reply::events(&[&format!("data: {error}\n\n")]),
                (false, _) => Reply::chat("hi"),
            }
        };
        let upstreams = [Upstream::start(answer), Upstream::start(answer)];
        let app = App::on(&upstreams.each_ref());
        for stream in [false, true] {
            post(&app, CHAT, &json!({ "user": said, "stream": stream }));
            assert_eq!(post(&app, CHAT, &json!({})), 200, "{said:?} {stream}");
        }
        for id in ["a", "b"] {
            let told = app.status_of(id);
            assert_eq!(told["absentModels"], json!([]), "{said:?}");
            assert_ne!(told["unavailableReason"], "payment_required", "{said:?}");
        }
    }
}

#[test]
fn a_pool_that_takes_no_stream_options_serves_at_once() {
    let answer = move |request: &Received| match request.json()["stream_options"].is_null() {
        false => Reply::error(400, "unknown field stream_options"),
        true => Reply::events(&[HELLO]),
    };
    for _ in 0..4 {
        let upstreams: Vec<Upstream> = (0..6).map(|_| Upstream::start(answer)).collect();
        let app = App::on(&upstreams.iter().collect::<Vec<_>>());
        assert_eq!(post(&app, CHAT, &json!({ "stream": true })), 200);
    }
}

#[test]
fn what_an_upstream_quotes_of_our_own_words_turns_nothing_off() {
    let upstream = Upstream::start(|request| match request.json()["temperature"] == 9 {
        true => Reply::error(400, &format!("input: {}", String::from_utf8_lossy(&request.body))),
        false => Reply::events(&[HELLO]),
    });
    let app = App::on(&[&upstream]);
    for _ in 0..4 {
        assert_eq!(post(&app, CHAT, &json!({ "stream": true, "temperature": 9 })), 400);
    }
    assert_eq!(post(&app, CHAT, &json!({ "stream": true })), 200);
    assert!(upstream.received().last().is_some_and(|last| last.json()["stream_options"]["include_usage"] == true));
}

#[test]
fn what_a_key_may_not_do_is_no_error_of_the_clients_key() {
    for (status, message) in [
        (401, "Missing scopes: model.request"),
        (403, "not for model m"),
        (403, "no"),
        (403, "You have exceeded a rate limit"),
    ] {
        let alone = App::on(&[&Upstream::always(Reply::error(status, message))]);
        let answer = alone.chat();
        assert!(answer.status == 502 && answer.text().contains(message), "{status} {message}");
    }
}

#[test]
fn who_refused_stream_options_is_believed_once_it_takes_the_request_without() {
    let upstream = Upstream::start(|request| {
        match (request.json()["user"].as_str(), request.json()["stream_options"].is_null()) {
            (Some("wrong"), _) => Reply::error(400, "no such user, and perhaps stream_options"),
            (Some("plain"), false) => Reply::error(400, "unknown field stream_options"),
            _ => Reply::events(&[HELLO]),
        }
    });
    let app = App::on(&[&upstream]);
    let asked = |user: &str| {
        let before = upstream.calls();
        let status = post(&app, CHAT, &json!({ "stream": true, "user": user }));
        let received = upstream.received();
        let with = |request: &Received| request.json().get("stream_options").is_some();
        (status, received.iter().skip(before).map(with).collect::<Vec<_>>())
    };
    assert_eq!(asked("wrong"), (400, vec![true, false]), "it was for something else");
    assert_eq!(asked("x"), (200, vec![true]), "so the usage is asked for as before");
    assert_eq!(asked("plain"), (200, vec![true, false]));
    assert_eq!(asked("x"), (200, vec![false]), "it does not know them");
}
