//! Like Cerebras: limits of the day and of the minute by name, and a busy queue told with a 429.

use serde_json::json;

use super::{another, ask, asked_for, chat_with, list, model_of, pool, preset, usage};
use crate::helpers::{Received, Reply, Upstream, eventually};

const SPENT: &str = "gpt-oss-120b";
const FULL: &str = "zai-glm-4.6";
const FINE: &str = "llama3.1-8b";

fn cerebras(request: &Received) -> Reply {
    if request.method == "GET" {
        return list(&[SPENT, FULL, FINE]);
    }
    let model = model_of(request);
    let headers = |tokens: &'static str| {
        [
            ("x-ratelimit-limit-requests-day", "14400"),
            ("x-ratelimit-remaining-requests-day", "14399"),
            ("x-ratelimit-reset-requests-day", "33011.382867"),
            ("x-ratelimit-remaining-tokens-minute", tokens),
            ("x-ratelimit-reset-tokens-minute", "41.382867"),
        ]
    };
    if model == FULL {
        let body = json!({ "message": "Tokens per minute limit exceeded - too many tokens processed.", "type": "too_many_tokens_error", "param": "quota", "code": "token_quota_exceeded" });
        let headers: Vec<_> = headers("0").into_iter().chain([("content-type", "application/json")]).collect();
        return Reply::text(429, &headers, &body.to_string());
    }
    chat_with(&usage(3, 4), &headers(if model == SPENT { "0" } else { "59000" }))
}

#[test]
fn the_quirks_of_cerebras_are_handled_by_its_preset() {
    let (upstream, other) = (Upstream::start(cerebras), Upstream::always(Reply::chat("other")));
    let app = pool(&[&preset("cerebras", &upstream, &json!({})), &another(&other, &json!([SPENT, FULL, FINE]))]);
    assert!(!ask(&app, SPENT, &json!({})).text().contains("other"), "its last answer of the minute");
    assert!(ask(&app, FULL, &json!({})).text().contains("other"), "a 429 is not seen");
    eventually("both are taken in", || {
        app.status_of("cerebras")["absentModels"].as_array().is_some_and(|all| all.len() == 2)
    });
    for model in app.status_of("cerebras")["absentModels"].as_array().expect("a list") {
        let until: jiff::Timestamp = model["until"].as_str().expect("told").parse().expect("a time");
        let wait = until.as_second() - jiff::Timestamp::now().as_second();
        assert!((30..=42).contains(&wait), "the minute's time, not the day's: {wait} s");
    }
    for _ in 0..3 {
        assert!(ask(&app, SPENT, &json!({})).text().contains("other"));
        assert!(ask(&app, FULL, &json!({})).text().contains("other"));
        assert!(!ask(&app, FINE, &json!({})).text().contains("other"), "the third one goes on");
    }
    assert_eq!((asked_for(&upstream, SPENT), asked_for(&upstream, FULL)), (1, 1));
}
