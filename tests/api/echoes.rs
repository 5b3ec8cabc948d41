//! Upstreams, and gateways in front of them, that tell what headers came.

use serde_json::json;

use crate::helpers::{Launch, Reply, Step, Upstream, config_of};

const SECRET: &str = "gateway-secret-0123";

/// Quotes both secrets of the request.
fn error() -> String {
    let message = format!("refused: x-gateway {SECRET}, key sk-upstream-a-0123456789");
    json!({ "type": "error", "error": { "type": "api_error", "message": message } }).to_string()
}

fn late() -> Reply {
    let content = Step::event(r#"{"choices":[{"delta":{"content":"a"}}]}"#);
    Reply::stream(vec![content, Step::chunk(format!("event: error\ndata: {}\n\n", error()).as_bytes())], true)
}

#[test]
fn a_fixed_header_that_an_upstream_quotes_in_an_error_is_told_to_nobody() {
    let headers = [("content-type", "application/json"), ("x-echo", SECRET)];
    let statuses = [400, 401, 403, 404, 429, 500, 503];
    let replies = statuses.into_iter().map(|status| Reply::text(status, &headers, &error()));
    for (nth, reply) in replies.chain([late(), Reply::text(200, &headers, &error())]).enumerate() {
        let upstream = Upstream::always(reply);
        let mut config = config_of(&[&upstream]);
        config["apis"][0]["headers"] = json!({ "X-Gateway": SECRET, "Accept": "application/json" });
        let app = Launch::new(&config).env("RUST_LOG", "debug,sled=info").start();
        let body = json!({ "model": "m", "messages": [], "stream": nth == statuses.len() });
        let mut answer = app.client().post("/v1/chat/completions", &body);
        assert_eq!(upstream.received()[0].header("x-gateway"), Some(SECRET));
        assert!(answer.header("content-type").is_some());
        let body = answer.try_bytes().unwrap_or_default();
        let told = format!("{:?}{}", answer.headers, String::from_utf8_lossy(&body));
        let told = told + &app.client().get("/v1/status").text() + &app.log();
        assert!(!told.contains(SECRET) && !told.contains("sk-upstream-a-0"), "{nth}: {told}");
    }
}

#[test]
fn an_answer_with_the_word_of_a_fixed_header_stays() {
    let upstream = Upstream::always(Reply::chat("the version is 2023-06-01"));
    let mut config = config_of(&[&upstream]);
    config["apis"][0]["headers"] = json!({ "X-Version": "2023-06-01" });
    let app = Launch::new(&config).start();
    assert!(app.chat().text().contains("the version is 2023-06-01"));
}
