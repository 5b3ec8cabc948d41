//! What a failure of an account means in Gemini's format: for the client, and for the account.

use serde_json::{Value, json};

use super::{UPSTREAM_KEY, api, config, error, generate, generation};
use crate::helpers::{App, KEY, Reply, Upstream};

/// An error as Google writes one, with these details.
fn googles(code: u16, status: &str, message: &str, details: &Value) -> Value {
    json!({ "error": { "code": code, "message": message, "status": status, "details": details } })
}

fn key_invalid() -> Value {
    let reason = json!([{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID" }]);
    googles(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", &reason)
}

fn limit(quota: &str) -> Value {
    let details = json!([
        { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{ "quotaId": quota }] },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31s" },
    ]);
    googles(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", &details)
}

/// Returns what became of an account with this error for a first answer, with another account beside.
fn beside_a_good_one(status: u16, body: &Value) -> (u16, Value) {
    let bad = Upstream::always(Reply::json(status, body));
    let good = Upstream::always(Reply::json(200, &generation("good")));
    let apis = json!([api("a", &bad, &json!({})), api("b", &good, &json!({ "priority": 1 }))]);
    let app = App::start(&json!({ "server": { "apiKey": KEY }, "apis": apis }));
    let answer = generate(&app);
    assert_eq!(bad.calls(), 1, "{body}");
    (answer.status, app.status_of("a"))
}

#[test]
fn another_account_serves_where_one_is_refused_is_full_or_fails() {
    for (status, body, class) in [
        (400, key_invalid(), "unauthorized"),
        (403, googles(403, "PERMISSION_DENIED", "Permission denied on resource project.", &json!([])), "forbidden"),
        (429, limit("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"), "rate_limited"),
        (429, limit("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), "rate_limited"),
        (
            404,
            googles(404, "NOT_FOUND", "models/gemini-x is not found for API version v1beta", &json!([])),
            "model_not_found",
        ),
        (500, googles(500, "INTERNAL", "An internal error has occurred.", &json!([])), "server_error"),
        (503, googles(503, "UNAVAILABLE", "The model is overloaded.", &json!([])), "overloaded"),
        (504, googles(504, "DEADLINE_EXCEEDED", "Deadline expired.", &json!([])), "server_error"),
        (200, googles(503, "UNAVAILABLE", "The model is overloaded.", &json!([])), "overloaded"),
        (200, json!({ "candidates": [{ "content": { "parts": [] }, "finishReason": "STOP" }] }), "empty_answer"),
        (200, json!({}), "empty_answer"),
    ] {
        let (served, state) = beside_a_good_one(status, &body);
        assert_eq!((served, &state["lastError"]["class"]), (200, &json!(class)), "{body}\n{state}");
    }
}

#[test]
fn the_callers_own_mistake_passes_unchanged_and_a_refused_prompt_is_an_answer() {
    let mistake =
        googles(400, "INVALID_ARGUMENT", "* GenerateContentRequest.contents: contents is not specified", &json!([]));
    let blocked = json!({ "promptFeedback": { "blockReason": "PROHIBITED_CONTENT" }, "usageMetadata": { "promptTokenCount": 9 } });
    let bound = json!({ "candidates": [{ "finishReason": "MAX_TOKENS", "index": 0 }], "usageMetadata": { "promptTokenCount": 9 } });
    for (status, body) in [(400, &mistake), (200, &blocked), (200, &bound)] {
        let first = Upstream::always(Reply::json(status, body));
        let other = Upstream::always(Reply::json(200, &generation("other")));
        let apis = json!([api("a", &first, &json!({})), api("b", &other, &json!({ "priority": 1 }))]);
        let app = App::start(&json!({ "server": { "apiKey": KEY }, "apis": apis }));
        let answer = generate(&app);
        assert_eq!((answer.status, other.calls()), (status, 0), "{body}");
        assert_eq!(answer.json(), *body);
    }
}

#[test]
fn a_dead_key_is_the_pools_matter_and_never_shown() {
    let quoting = key_invalid().to_string().replace("API key not valid", &format!("bad {UPSTREAM_KEY}"));
    let upstream = Upstream::always(Reply::text(400, &[("content-type", "application/json")], &quoting));
    let app = App::start(&config(&upstream, &json!({})));
    let (status, word, message) = error(generate(&app));
    assert_eq!((status, word.as_str()), (502, "UNAVAILABLE"));
    assert!(!message.contains(UPSTREAM_KEY), "{message}");
    let (status, word, message) = error(generate(&app));
    assert_eq!((status, word.as_str()), (503, "UNAVAILABLE"), "{message}");
    assert_eq!(upstream.calls(), 1, "the key rests");
}

#[test]
fn a_limit_of_the_upstreams_passes_with_its_own_body_and_rests_the_model_until_then() {
    let body = limit("GenerateRequestsPerMinutePerProjectPerModel-FreeTier");
    let upstream = Upstream::always(Reply::json(429, &body));
    let app = App::start(&config(&upstream, &json!({ "models": ["gemini-x", "gemini-y"] })));
    let answer = generate(&app);
    assert_eq!(answer.status, 429);
    assert_eq!(answer.json(), body);
    let (status, word, _) = error(generate(&app));
    assert_eq!((status, word.as_str(), upstream.calls()), (429, "RESOURCE_EXHAUSTED", 1));
}

#[test]
fn a_list_that_does_not_come_is_told_with_the_address_that_was_asked() {
    let upstream = Upstream::always(Reply::json(401, &key_invalid()));
    let app = App::start(&config(&upstream, &json!({ "models": ["*"] })));
    app.logged(&format!("(GET {}/v1beta/models: ", upstream.url()));
}
