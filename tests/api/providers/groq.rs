//! Like Groq: limits of each model, refused parameters, prompts beyond the minute, tokens of a cache.

use serde_json::{Value, json};

use super::{another, ask, asked_for, chat_with, has_any, list, model_of, pool, preset, usage};
use crate::helpers::{Received, Reply, Upstream, eventually};

const LARGE: &str = "llama-3.3-70b-versatile";
const SMALL: &str = "llama-3.1-8b-instant";

fn error(status: u16, message: &str, kind: &str, code: &Value) -> Reply {
    let body = json!({ "error": { "message": message, "type": kind, "code": code } });
    Reply::text(status, &[("content-type", "application/json"), ("retry-after", "40")], &body.to_string())
}

/// Answers as Groq does. The large model is over its tokens of the minute after the first answer.
fn groq(request: &Received) -> Reply {
    if request.method == "GET" {
        return list(&[LARGE, SMALL]);
    }
    if has_any(request, &["logprobs", "top_logprobs", "logit_bias"]) {
        return error(400, "`logprobs` is not supported with this model", "invalid_request_error", &Value::Null);
    }
    let model = model_of(request);
    if request.body.len() > 10_000 {
        let message = format!(
            "Request too large for model `{model}` in organization `org_01` service tier `on_demand` on tokens per minute (TPM): \
             Limit 6000, Requested 7012, please reduce your message size and try again."
        );
        return error(413, &message, "tokens", &json!("rate_limit_exceeded"));
    }
    let cached = json!({ "prompt_tokens": 1_000, "completion_tokens": 10, "total_tokens": 1_010,
        "prompt_tokens_details": { "cached_tokens": 900 } });
    let left = if model == LARGE { "0" } else { "5000" };
    chat_with(
        &cached,
        &[
            ("x-ratelimit-limit-requests", "1000"),
            ("x-ratelimit-remaining-requests", "999"),
            ("x-ratelimit-reset-requests", "1m26.4s"),
            ("x-ratelimit-remaining-tokens", left),
            ("x-ratelimit-reset-tokens", "39.5s"),
        ],
    )
}

#[test]
fn the_quirks_of_groq_are_handled_by_its_preset() {
    let (upstream, other) = (Upstream::start(groq), Upstream::always(Reply::chat("other")));
    let app = pool(&[&preset("groq", &upstream, &json!({})), &another(&other, &json!([LARGE, SMALL]))]);
    assert_eq!(ask(&app, LARGE, &json!({})).status, 200);
    eventually("what it said of its limit is taken in", || app.status_of("groq")["absentModels"][0]["model"] == LARGE);
    for _ in 0..3 {
        assert!(ask(&app, LARGE, &json!({})).text().contains("other"), "the large model rests");
        assert!(!ask(&app, SMALL, &json!({})).text().contains("other"), "the small one goes on");
    }
    for parameter in ["logprobs", "top_logprobs", "logit_bias"] {
        let before = upstream.calls();
        assert!(ask(&app, SMALL, &json!({ parameter: 1 })).text().contains("other"), "{parameter}");
        assert_eq!(upstream.calls(), before, "{parameter} costs no attempt");
    }
    let long = json!({ "messages": [{ "role": "user", "content": "x".repeat(12_000) }] });
    assert!(ask(&app, SMALL, &long).text().contains("other"), "a 413 of the minute's tokens moves on");
    assert!(!ask(&app, SMALL, &json!({})).text().contains("other"), "and rests nobody");
    // Five answers, of 110 tokens each.
    eventually("cached tokens are not counted", || app.status_of("groq")["usage"]["tpm"] == 550);
    assert_eq!(asked_for(&upstream, LARGE), 1);
}

#[test]
fn a_limit_of_one_model_in_the_file_is_never_passed_and_the_others_go_on() {
    let upstream = Upstream::start(|request| match request.method == "GET" {
        true => list(&[LARGE, SMALL]),
        false => chat_with(&usage(1, 1), &[]),
    });
    let limits = json!({ "modelLimits": { LARGE: { "rpm": 3 } } });
    let app = pool(&[&preset("groq", &upstream, &limits)]);
    let statuses: Vec<u16> = (0..6).map(|_| ask(&app, LARGE, &json!({})).status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429, 429]);
    assert_eq!((asked_for(&upstream, LARGE), ask(&app, SMALL, &json!({})).status), (3, 200));
}
