//! Like Gemini: a list with `models/`, limits of each model of a project, told in the body alone, and tokens of prompts alone.

use serde_json::{Value, json};

use super::{another, ask, asked_for, chat_with, has_any, model_of, pool, preset};
use crate::helpers::{Received, Reply, Upstream, eventually};

const FLASH: &str = "gemini-2.5-flash";
const LITE: &str = "gemini-2.5-flash-lite";

/// The error of a reached limit, in Google's own words, which are the same for each limit.
fn limited(quota: &str, model: &str) -> Reply {
    let message = format!(
        "You exceeded your current quota, please check your plan and billing details.\n* Quota exceeded for metric: \
         generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 5, model: {model}\nPlease retry in 31.5s."
    );
    let violation =
        json!({ "quotaId": quota, "quotaDimensions": { "location": "global", "model": model }, "quotaValue": "5" });
    let details = json!([
        { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation] },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31s" },
    ]);
    let error = json!({ "code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details });
    Reply::json(429, &json!([{ "error": error }]))
}

fn list() -> Reply {
    let entry = |name: &str| json!({ "id": format!("models/{name}"), "object": "model", "owned_by": "google" });
    Reply::json(200, &json!({ "object": "list", "data": [entry(FLASH), entry(LITE)] }))
}

/// Answers as Gemini does. The flash model has reached this limit.
fn gemini(request: &Received, quota: &str) -> Reply {
    if request.method == "GET" {
        return list();
    }
    if has_any(request, &["logprobs", "logit_bias", "min_p", "store"]) {
        let message = "Invalid JSON payload received. Unknown name \"store\": Cannot find field.";
        let error = json!({ "code": 400, "message": message, "status": "INVALID_ARGUMENT" });
        return Reply::json(400, &json!([{ "error": error }]));
    }
    if model_of(request) == FLASH {
        return limited(quota, FLASH);
    }
    // Thoughts are in the total alone.
    chat_with(&json!({ "prompt_tokens": 40, "completion_tokens": 10, "total_tokens": 950 }), &[])
}

/// How long a model rests, in seconds.
fn rests(status: &Value) -> i64 {
    let until: jiff::Timestamp =
        status["absentModels"][0]["until"].as_str().expect("it rests").parse().expect("a timestamp");
    until.as_second() - jiff::Timestamp::now().as_second()
}

#[test]
fn the_quirks_of_gemini_are_handled_by_its_preset() {
    for (quota, wait) in [
        ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", 25..=32),
        ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", 0..=3_601),
    ] {
        let upstream = Upstream::start(move |request| gemini(request, quota));
        let other = Upstream::always(Reply::chat("other"));
        let app = pool(&[&preset("gemini", &upstream, &json!({})), &another(&other, &json!([FLASH, LITE]))]);
        assert!(ask(&app, FLASH, &json!({})).text().contains("other"), "by the name without models/");
        eventually("it is taken in", || app.status_of("gemini")["absentModels"][0]["model"] == FLASH);
        assert!(wait.contains(&rests(&app.status_of("gemini"))), "{quota}");
        assert!(ask(&app, FLASH, &json!({})).text().contains("other"));
        assert_eq!(asked_for(&upstream, FLASH), 1, "it was asked to wait");
        assert!(!ask(&app, LITE, &json!({})).text().contains("other"), "the other model goes on");
        eventually("prompts alone are counted", || app.status_of("gemini")["usage"]["tpm"] == 40);
        let before = upstream.calls();
        assert!(ask(&app, LITE, &json!({ "min_p": 0.1 })).text().contains("other"));
        assert_eq!(upstream.calls(), before, "a known parameter costs no attempt");
        assert!(ask(&app, LITE, &json!({ "store": true })).text().contains("other"), "an unknown one moves on");
        assert_eq!(upstream.calls(), before + 1);
    }
}
