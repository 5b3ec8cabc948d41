//! Failures that clients never see, and those they must.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::helpers::{App, Reply, Step, Upstream, config_of, eventually};

/// `a` answers as told, `b` well; `a` is asked first.
fn beside_a_good_one(reply: Reply) -> (Upstream, Upstream, App) {
    let (bad, good) = (Upstream::always(reply), Upstream::always(Reply::chat("good")));
    let mut config = config_of(&[&bad, &good]);
    config["apis"][1]["priority"] = json!(1);
    config["apis"][0]["timeouts"] = json!({ "totalMs": 1_500, "idleMs": 1_000 });
    let app = App::start(&config);
    (bad, good, app)
}

#[test]
fn an_upstreams_failure_is_served_by_another_at_once() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    for (what, reply) in [
        ("408", Reply::error(408, "slow")),
        ("429", Reply::error(429, "limit")),
        ("500", Reply::error(500, "oops")),
        ("502 in HTML", Reply::text(502, &[("content-type", "text/html")], "<html>")),
        ("503", Reply::error(503, "busy")),
        ("529", Reply::error(529, "overloaded")),
        ("401", Reply::error(401, "key")),
        ("402", Reply::error(402, "money")),
        ("403", Reply::error(403, "country")),
        ("a redirect", Reply::text(302, &[("location", "http://127.0.0.1:1/")], "")),
        ("a closed connection", Reply::drop()),
        ("no HTTP", Reply::raw("SSH-2.0-x\r\n")),
        ("an empty body", Reply::text(200, &[("content-type", "application/json")], "")),
        ("{}", Reply::json(200, &json!({}))),
        ("null", Reply::json(200, &json!(null))),
        ("no completion tokens", Reply::json(200, &json!({ "choices": [], "usage": { "completion_tokens": 0 } }))),
        ("an error in a 200", Reply::json(200, &json!({ "error": { "message": "x", "code": 500 } }))),
        ("half a JSON", Reply::text(200, &[("content-type", "application/json")], r#"{"choices":[{"mess"#)),
        ("a short body", Reply::raw(format!("{head}content-length: 100\r\n\r\n{{\"choices\":[]}}"))),
        ("an interim head", Reply::raw("HTTP/1.1 103 Early Hints\r\n\r\n")),
        ("204", Reply::raw("HTTP/1.1 204 No Content\r\n\r\n")),
        ("silence", Reply::chat("late").after(Duration::from_secs(12))),
    ] {
        let (bad, good, app) = beside_a_good_one(reply);
        let start = Instant::now();
        let answer = app.chat();
        assert_eq!(answer.status, 200, "{what}");
        assert!(answer.text().contains("good"), "{what}");
        assert_eq!((bad.calls(), good.calls()), (1, 1), "{what}");
        // Only a failure that is silence takes time.
        assert!(start.elapsed() < Duration::from_secs(8), "{what} took {:?}", start.elapsed());
        eventually("it is counted", || app.status_of("a")["errorCount"] == 1);
    }
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole() {
    let json = r#"{"choices":[{}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
    let events = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n";
    for version in ["1.0", "1.1"] {
        for (content_type, body) in [("application/json", json), ("text/event-stream", events)] {
            let head = format!("HTTP/{version} 200 OK\r\ncontent-type: {content_type}\r\n\r\n");
            let upstream = Upstream::always(Reply::raw([head.as_str(), body].concat()));
            let app = App::on(&[&upstream]);
            for _ in 0..3 {
                let asked = json!({ "model": "m", "stream": content_type == "text/event-stream" });
                let answer = app.client().post("/v1/chat/completions", &asked);
                assert_eq!((answer.status, answer.text().as_str()), (200, body), "HTTP/{version} {content_type}");
            }
            assert_eq!(upstream.calls(), 3);
        }
    }
}

#[test]
fn an_upstream_that_is_not_there_is_passed_over_and_costs_no_quota() {
    let good = Upstream::always(Reply::chat("good"));
    let mut config = config_of(&[&good, &good]);
    config["apis"][0]["baseUrl"] = json!("http://127.0.0.1:1");
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200);
    assert_eq!(app.usage_of("a"), (0, 0), "nothing was sent");
    assert_eq!(app.status_of("a")["lastError"]["class"], "connect");
}

#[test]
fn the_callers_own_mistake_passes_through_verbatim_after_one_call() {
    for status in [400, 413, 415, 422] {
        let text = r#"{"error": {"message": "temperature \u003e 2", "type":"invalid_request_error","param":"temperature","code":null}}"#;
        let reply = Reply::text(status, &[("content-type", "application/json"), ("x-request-id", "req-up")], text);
        let (bad, good, app) = beside_a_good_one(reply);
        for _ in 0..4 {
            let answer = app.chat();
            assert_eq!((answer.status, answer.header("x-request-id")), (status, Some("req-up")));
            assert_eq!(answer.text(), text);
        }
        assert_eq!((bad.calls(), good.calls()), (4, 0), "{status}: one call each, and it rests nobody");
        let api = app.status_of("a");
        assert_eq!((&api["available"], &api["errorCount"]), (&json!(true), &json!(0)), "{status}");
    }
}

#[test]
fn the_callers_mistake_that_comes_with_a_200_gets_its_true_status() {
    let error = r#"{"error":{"message":"too long","code":400}}"#;
    for reply in [
        Reply::text(200, &[("content-type", "application/json")], error),
        Reply::events(&[&format!("data: {error}\n\n")]),
    ] {
        let (bad, good, app) = beside_a_good_one(reply);
        let answer = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
        assert_eq!((answer.status, answer.header("content-type")), (400, Some("application/json")));
        assert_eq!(answer.text(), error);
        assert_eq!((bad.calls(), good.calls()), (1, 0));
        assert_eq!(app.status_of("a")["errorCount"], 0);
    }
}

#[test]
fn what_we_asked_wrongly_is_no_attempt() {
    let upstream = Upstream::start(|request| match request.json().get("stream_options") {
        Some(_) => Reply::error(400, "unknown field stream_options"),
        None => Reply::events(&["data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n"]),
    });
    let mut config = config_of(&[&upstream]);
    config["retry"] = json!({ "maxAttempts": 1 });
    let app = App::start(&config);
    let stream = json!({ "model": "m", "stream": true });
    assert_eq!(app.client().post("/v1/chat/completions", &stream).status, 200);
    assert_eq!(upstream.calls(), 2);
}

#[test]
fn an_embeddings_reply_is_not_empty() {
    let reply = json!({ "object": "list", "data": [{ "embedding": [0.1] }], "usage": { "prompt_tokens": 5, "total_tokens": 5 } });
    let upstream = Upstream::always(Reply::json(200, &reply));
    let app = App::on(&[&upstream]);
    let answer = app.client().post("/v1/embeddings", &json!({ "model": "m", "input": "x" }));
    assert_eq!((answer.status, answer.json()), (200, reply));
    assert_eq!(app.status_of("a")["errorCount"], 0);
}

#[test]
fn a_refused_key_takes_the_upstream_out_until_the_configuration_changes() {
    let coded = Reply::json(403, &json!({ "error": { "code": "invalid_api_key", "message": "no" } }));
    for refusal in [Reply::error(401, "key"), coded] {
        let (bad, good, app) = beside_a_good_one(refusal);
        for _ in 0..3 {
            assert_eq!(app.chat().status, 200);
        }
        assert_eq!((bad.calls(), good.calls()), (1, 3));
        let api = app.status_of("a");
        assert_eq!((&api["available"], &api["temporarilyDisabled"]), (&json!(false), &json!(true)));
        assert_eq!(api["unavailableReason"], "unauthorized");
        assert!(api["availableAt"].is_string());

        let text = std::fs::read_to_string(app.config_file()).expect("reads");
        std::fs::write(app.config_file(), text.replace("sk-upstream-a-", "sk-a-new-key-")).expect("writes");
        eventually("the new key is tried", || app.status_of("a")["available"] == true);
        app.chat();
        assert_eq!(bad.calls(), 2);
        assert_eq!(bad.received()[1].header("authorization"), Some("Bearer sk-a-new-key-0123456789"));
    }
}

#[test]
fn three_failures_in_a_row_rest_an_upstream() {
    let (bad, good, app) = beside_a_good_one(Reply::error(500, "oops"));
    for _ in 0..6 {
        assert_eq!(app.chat().status, 200);
    }
    assert_eq!((bad.calls(), good.calls()), (3, 6));
    let api = app.status_of("a");
    assert_eq!((&api["errorCount"], &api["temporarilyDisabled"]), (&json!(3), &json!(true)));
    assert_eq!((&api["available"], &api["unavailableReason"]), (&json!(false), &json!("breaker")));
}

#[test]
fn no_time_at_all_is_not_told() {
    let (spent, reset) = ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests");
    for (headers, body, told, rests) in [
        (&[("retry-after", "0"), ("retry-after-ms", "0.5")][..], "{}", None, "1"),
        (&[("retry-after-ms", "0"), ("retry-after", "9")], "{}", Some("9"), "9"),
        (&[("retry-after", "0"), (spent, "0"), (reset, "30s")], "{}", None, "30"),
        (&[(spent, "0"), (reset, "0s")], r#"{"retryDelay":"34s"}"#, None, "34"),
    ] {
        let upstream = Upstream::always(Reply::text(429, headers, body));
        let app = App::on(&[&upstream]);
        let (first, second) = (app.chat(), app.chat());
        assert_eq!(first.header("retry-after"), told, "{headers:?}");
        assert_eq!(first.header("retry-after-ms"), None, "{headers:?}");
        assert_eq!((second.header("retry-after"), upstream.calls()), (Some(rests), 1), "it rests: {headers:?}");
    }
    let twice = [("retry-after", "9"), ("retry-after", "0"), ("retry-after-ms", "0")];
    for (status, passes) in [(400, "the caller's own mistake"), (500, "a failure")] {
        let upstream = Upstream::always(Reply::text(status, &twice, "{}"));
        let answer = App::on(&[&upstream]).chat();
        assert_eq!(answer.status, status, "{passes}");
        let told: Vec<&str> = answer.headers("retry-after").collect();
        assert_eq!((told, answer.header("retry-after-ms")), (vec!["9"], None), "{passes}");
    }
}

#[test]
fn a_told_wait_is_kept_and_no_longer() {
    let limited = Reply::text(429, &[("retry-after", "2")], r#"{"error":{"message":"slow down"}}"#);
    let upstream = Upstream::in_turn(vec![limited, Reply::chat("ok")]);
    let app = App::on(&[&upstream]);
    let first = app.chat();
    assert_eq!((first.status, first.header("retry-after")), (429, Some("2")), "the last upstream's own error");
    assert!(first.text().contains("slow down"));
    let second = app.chat();
    assert_eq!((second.status, second.header("retry-after")), (429, Some("2")), "without a call");
    assert_eq!(upstream.calls(), 1);
    assert_eq!(app.status_of("a")["unavailableReason"], "cooldown");
    eventually("the wait is over", || app.status_of("a")["available"] == true);
    assert_eq!(app.chat().status, 200);
}

#[test]
fn when_all_fail_the_client_gets_the_last_upstreams_error() {
    let text = r#"{"error":{"message":"the engine is down","type":"server_error","param":null,"code":"engine"}}"#;
    let reply = Reply::text(500, &[("content-type", "application/json"), ("x-request-id", "req-last")], text);
    let (first, second) = (Upstream::always(reply.clone()), Upstream::always(reply));
    let app = App::on(&[&first, &second]);
    let answer = app.chat();
    assert_eq!((answer.status, answer.header("x-request-id")), (500, Some("req-last")));
    assert_eq!(answer.header("x-should-retry"), Some("false"), "a client need not try them all again");
    assert_eq!(answer.text(), text);
    assert_eq!((first.calls(), second.calls()), (1, 1), "each once");
}

#[test]
fn where_no_upstream_has_a_word_the_error_is_ours() {
    let gone = Upstream::always(Reply::drop());
    let answer = App::on(&[&gone]).chat();
    assert_eq!(answer.header("x-should-retry"), Some("false"), "our tries are used up: the client's come on top");
    assert_eq!(answer.error(), (502, "upstream_failed".into()));

    let silent = Upstream::always(Reply::chat("late").after(Duration::from_secs(5)));
    let mut config = config_of(&[&silent]);
    config["apis"][0]["timeouts"] = json!({ "totalMs": 200 });
    assert_eq!(App::start(&config).chat().error(), (504, "upstream_timeout".into()));

    let refusing = Upstream::always(Reply::error(401, "Incorrect API key provided: sk-upst***"));
    let answer = App::on(&[&refusing]).chat();
    assert_eq!(answer.error(), (502, "upstream_failed".into()), "it is not the client's key that is wrong");
}

#[test]
fn a_kept_connection_that_the_upstream_has_closed_costs_the_client_nothing() {
    // Says that it keeps the connection, and closes it when a second request comes on it.
    let upstream = Upstream::start(|request| if request.nth == 0 { Reply::chat("hi") } else { Reply::drop() });
    let app = App::on(&[&upstream]);
    for _ in 0..10 {
        assert_eq!(app.chat().status, 200);
    }
    assert!(upstream.calls() > 10, "one was asked again");
    assert_eq!(app.status_of("a")["errorCount"], 0);
}

#[test]
fn interim_heads_are_dropped_and_no_answer_reaches_anothers_request() {
    // An interim answer, then the final one: a naive client gives the final one to the next request.
    let upstream = Upstream::start(|request| {
        let user = request.json()["user"].as_str().expect("named").to_owned();
        let body = format!(r#"{{"choices":[{{"text":"{user}"}}]}}"#);
        let interim = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        Reply::raw([interim, &head, &body].concat()).kept()
    });
    let app = App::on(&[&upstream]);
    for i in 0..20 {
        let user = format!("user-{i}");
        let answer = app.client().post("/v1/chat/completions", &json!({ "model": "m", "user": user }));
        assert_eq!(answer.status, 200);
        let text = answer.text();
        assert!(text.contains(&format!(r#""{user}""#)), "{user} got {text}");
    }
}

#[test]
fn a_chunked_answer_that_is_cut_is_not_taken_for_a_whole_one() {
    let chunked = |content_type: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n");
        Reply::raw([head.as_bytes(), body].concat())
    };
    // Within what is held until it is known to be whole, another upstream serves.
    let (bad, good, app) = beside_a_good_one(chunked("application/json", b"a\r\n{\"a\":\"bc\"}\r\n"));
    assert!(app.chat().text().contains("good"));
    assert_eq!((bad.calls(), good.calls()), (1, 1));

    // What the client has seen a part of is broken off.
    let large = [b"900000\r\n{\"a\":\"".as_slice(), &vec![b'x'; 0x90_0000 - 6], b"\r\n"].concat();
    for (path, reply) in [
        ("/v1/audio/speech", chunked("audio/mpeg", b"5\r\nabcde\r\n")),
        ("/v1/images/generations", chunked("application/json", &large)),
    ] {
        let upstream = Upstream::always(reply);
        let app = App::on(&[&upstream]);
        let answer = app.client().try_request("POST", path, br#"{"model":"m"}"#);
        let whole = answer.and_then(|mut answer| answer.try_bytes());
        assert!(whole.is_err(), "{path}: a part must not pass for the whole");
        eventually("it counts as a failure", || app.status_of("a")["errorCount"] == 1);
    }
}

#[test]
fn an_error_whose_text_stalls_is_known_by_its_status() {
    let stalled = |status: u16| {
        let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{");
        Reply::raw(head).then(Step::Pause(Duration::from_secs(20)))
    };
    // By default a piece of an answer may take two minutes; of an error, seconds.
    let (bad, good) = (Upstream::always(stalled(503)), Upstream::always(Reply::chat("good")));
    let mut config = config_of(&[&bad, &good]);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    let start = Instant::now();
    assert!(app.chat().text().contains("good"));
    assert!(start.elapsed() < Duration::from_secs(4));
    assert_eq!((bad.calls(), good.calls()), (1, 1));

    let (_bad, _good, app) = beside_a_good_one(stalled(401));
    assert_eq!(app.chat().status, 200);
    assert_eq!(app.status_of("a")["unavailableReason"], "unauthorized");

    // Nobody knows whose mistake an unread 400 is.
    let (bad, good, app) = beside_a_good_one(stalled(400));
    assert_eq!(app.chat().status, 200);
    assert_eq!((bad.calls(), good.calls()), (1, 1));
    let alone = Upstream::always(stalled(400));
    assert_eq!(App::on(&[&alone]).chat().error(), (400, "upstream_refused".into()));
}

#[test]
fn an_answer_that_only_looks_empty_passes() {
    for (path, body) in [
        // Echoes the prompt and generates nothing, as it was asked to.
        (
            "/v1/completions",
            r#"{"choices":[{"text":"x"}],"usage":{"prompt_tokens":5,"completion_tokens":0,"total_tokens":5}}"#,
        ),
        ("/v1/chat/completions", r#"{"choices":[{}],"usage":{"prompt_tokens":5,"total_tokens":9}}"#),
        ("/v1/chat/completions", r#"{"choices":[{"message":{"content":"a"}}],"error":{}}"#),
        ("/v1/moderations", r#"{"results":[{"flagged":false}]}"#),
    ] {
        let upstream = Upstream::always(Reply::text(200, &[("content-type", "application/json")], body));
        let app = App::on(&[&upstream]);
        let answer = app.client().post(path, &json!({ "model": "m" }));
        assert_eq!((answer.status, answer.text().as_str()), (200, body), "{path}");
        assert_eq!(app.status_of("a")["errorCount"], 0);
    }
}
