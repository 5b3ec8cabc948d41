//! The log says why: one line for each request, with every attempt's reason in the upstream's own words.

use serde_json::{Value, json};

use crate::helpers::{App, Client, Launch, Reply, Step, Upstream, config_of, eventually};

const KEY: &str = "sk-upstream-a-0123456789";

/// Returns the line of the log that has this in it, once there is one.
fn line(app: &App, wanted: &str) -> String {
    app.logged(wanted);
    app.log().lines().find(|line| line.contains(wanted)).expect("a line").to_owned()
}

fn request_id(line: &str) -> &str {
    line.split_whitespace().find(|word| word.starts_with("req_")).expect("an id")
}

#[test]
fn a_failed_attempt_is_logged_with_the_requests_id_and_the_upstreams_words() {
    let bad = Upstream::always(Reply::error(401, &format!("The key {KEY} has expired. Please renew.")));
    let good = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&bad, &good]);
    config["apis"][1]["priority"] = json!(1);
    let app = App::start(&config);
    assert_eq!(app.chat().status, 200);
    let served = line(&app, "POST /v1/chat/completions m → b from 127.0.0.1 attempts=2 status=200");
    let failed = line(&app, "a failed: ");
    assert!(failed.contains("WARN"), "{failed}");
    assert_eq!(request_id(&failed), request_id(&served));
    assert!(failed.contains(r#"unauthorized: 401 "The key *** has expired. Please renew.""#), "{failed}");
    let status = app.status_of("a");
    assert_eq!(status["available"], false);
    let told = status["lastError"].to_string();
    assert!(told.contains("has expired. Please renew."), "{told}");
    assert!(!app.log().contains(KEY) && !told.contains(KEY));
    let rests: Vec<String> = app.log().lines().filter(|line| line.contains("a: rests")).map(String::from).collect();
    assert_eq!(rests.len(), 1, "one line: {rests:?}");
    assert!(rests[0].contains("apiKey") && rests[0].contains("until"), "why, until when, and what to do: {rests:?}");
}

#[test]
fn a_client_reads_the_upstreams_words_where_an_accounts_refusal_is_the_last() {
    for (status, said) in
        [(401, "API key expired. Please renew."), (402, "Insufficient balance"), (403, "Not in your region")]
    {
        let app = App::on(&[&Upstream::always(Reply::error(status, said))]);
        let answer = app.chat();
        assert_eq!(answer.status, 502, "the client's own key is right");
        let text = answer.text();
        assert!(text.contains(said) && !text.contains("server's log"), "{text}");
    }
}

#[test]
fn a_prompt_is_not_logged_where_an_upstream_quotes_it() {
    const PROMPT: &str = "the diary of 1999, in which I say";
    for status in [400, 422, 500, 404, 418] {
        let upstream = Upstream::always(Reply::error(status, &format!("can't parse: {PROMPT} no more")));
        let app = App::on(&[&upstream]);
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": PROMPT }] });
        assert_eq!(app.client().post("/v1/chat/completions", &body).status, status);
        line(&app, &format!("status={status}"));
        assert!(!app.log().contains("diary"), "{status}: {}", app.log());
        assert!(!app.status_of("a")["lastError"].to_string().contains("diary"), "{status}");
    }
}

#[test]
fn a_refusal_of_the_pools_own_is_logged_with_its_code_and_its_reason() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["rpm"] = json!(1);
    config["server"]["apiKey"] = json!("sk-client-0123456789");
    let app = App::start(&config);
    let client = app.client().key("sk-client-0123456789");
    let chat = |model: &str| json!({ "model": model, "messages": [] });
    assert_eq!(client.post("/v1/chat/completions", &chat("m")).status, 200);
    assert_eq!(client.post("/v1/chat/completions", &chat("m")).status, 429);
    assert_eq!(client.post("/v1/chat/completions", &chat("none")).status, 404);
    assert_eq!(client.request("POST", "/v1/chat/completions", b"{").status, 400);
    assert_eq!(app.client().key("sk-wrong-0123456789").get("/v1/models").status, 401);
    assert_eq!(Client::new(app.port).get("/v1/models").status, 401);
    assert_eq!(client.get("/v1/nothing").status, 404);
    for (level, wanted) in [
        ("WARN", "(rate_limit_exceeded: a (rpm until "),
        ("INFO", "POST /v1/chat/completions none from 127.0.0.1 attempts=0 status=404"),
        ("INFO", "(invalid_request: the body is not valid: "),
        ("WARN", "(invalid_api_key: "),
        ("WARN", "(missing_api_key: "),
        ("INFO", "(unknown_url: "),
    ] {
        let line = line(&app, wanted);
        assert!(line.contains(level), "{level}: {line}");
    }
    assert!(!app.log().contains("sk-wrong"), "no key is logged");
}

#[test]
fn a_client_that_hangs_up_is_no_warning() {
    let upstream = Upstream::always(Reply::stream(
        vec![Step::event(r#"{"choices":[{"delta":{"content":"a"}}]}"#), Step::Hold],
        true,
    ));
    let app = App::on(&[&upstream]);
    let mut stream = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    assert!(stream.next().expect("an event").is_some());
    drop(stream);
    let line = line(&app, "(the client left)");
    assert!(line.contains("INFO"), "{line}");
}

#[test]
fn a_client_that_hangs_up_behind_the_end_of_a_stream_had_a_good_end() {
    let end = r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#;
    let upstream = Upstream::always(Reply::stream(vec![Step::event(end), Step::event("[DONE]"), Step::Hold], true));
    let app = App::on(&[&upstream]);
    let mut stream = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("[DONE]") {
        seen.extend(stream.next().expect("a piece").expect("not the end"));
    }
    drop(stream);
    let line = line(&app, "m → a from");
    assert!(line.contains("INFO") && line.contains("status=200") && !line.contains("left"), "{line}");
}

#[test]
fn a_stream_that_the_servers_stop_cut_says_so() {
    let upstream = Upstream::always(Reply::stream(
        vec![Step::event(r#"{"choices":[{"delta":{"content":"a"}}]}"#), Step::Hold],
        true,
    ));
    let mut config = config_of(&[&upstream]);
    config["server"]["shutdownTimeoutSec"] = json!(1);
    let mut app = App::start(&config);
    let mut stream = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    assert!(stream.next().expect("an event").is_some());
    app.signal("TERM");
    app.wait();
    let line = line(&app, "m → a from");
    assert!(line.contains("the server stopped") && !line.contains("the client left"), "{line}");
}

#[test]
fn the_log_as_json_has_one_object_a_line() {
    let bad = Upstream::always(Reply::error(500, "the database is \"down\""));
    let good = Upstream::always(Reply::chat("hi"));
    let mut config = config_of(&[&bad, &good]);
    config["apis"][1]["priority"] = json!(1);
    config["apis"][1]["modelMapping"] = json!({ "m": "own" });
    config["apis"][1]["models"] = json!(["own"]);
    let app = Launch::new(&config).env("LOG_FORMAT", "json").start();
    assert_eq!(app.client().post("/v1/chat/completions", &json!({ "model": "m\u{1b}", "messages": [] })).status, 404);
    assert_eq!(app.chat().status, 200);
    app.logged("\"usage\"");
    let lines: Vec<Value> =
        app.log().lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    assert!(
        lines.iter().all(|line| line["time"].is_string() && line["level"].is_string() && line["target"].is_string())
    );
    let served = lines.iter().find(|line| line["target"] == "request" && line["status"] == 200).expect("a request");
    for (field, wanted) in [
        ("method", json!("POST")),
        ("path", json!("/v1/chat/completions")),
        ("model", json!("m")),
        ("upstream", json!("b")),
        ("upstreamModel", json!("own")),
        ("client", json!("127.0.0.1")),
    ] {
        assert_eq!(served[field], wanted, "{served}");
    }
    assert_eq!(served["usage"]["total"], 7);
    let attempts = served["attempts"].as_array().expect("attempts");
    assert_eq!(attempts.len(), 2);
    assert_eq!(
        (&attempts[0]["upstream"], &attempts[0]["class"], &attempts[0]["status"]),
        (&json!("a"), &json!("server_error"), &json!(500))
    );
    assert!(attempts[0]["message"].as_str().expect("words").contains("the database is \"down\""));
    assert_eq!(attempts[1]["class"], Value::Null);
    let refused = lines.iter().find(|line| line["status"] == 404).expect("a refusal");
    assert_eq!(refused["code"], "model_not_found");
}

#[test]
fn the_log_waits_for_the_last_lines_of_a_server_that_stops() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut app = App::on(&[&upstream]);
    for _ in 0..20 {
        assert_eq!(app.chat().status, 200);
    }
    app.signal("TERM");
    app.wait();
    eventually("all are logged", || app.log().matches("m → a from").count() == 20);
}
