//! Like OpenRouter: errors in a 200, the limits of providers behind it, its own in the body, comments while a stream waits.

use serde_json::{Value, json};

use super::{another, ask, asked_for, chat_with, list, model_of, pool, preset, usage};
use crate::helpers::{App, Received, Reply, Upstream, eventually};

const FREE: &str = "deepseek/deepseek-chat-v3.1:free";
const OTHER_FREE: &str = "openai/gpt-oss-20b:free";
const PAID: &str = "openai/gpt-oss-20b";

/// The limit of a provider behind OpenRouter.
fn behind() -> Value {
    let raw = format!("{FREE} is temporarily rate-limited upstream. Please retry shortly, or add your own key");
    json!({ "error": { "message": "Provider returned error", "code": 429, "metadata": { "raw": raw, "provider_name": "Chutes" } }, "user_id": "user_1" })
}

/// OpenRouter's own limit. The headers stand in the body, too.
fn own() -> Value {
    let reset = jiff::Timestamp::now().as_millisecond() + 50_000;
    let headers =
        json!({ "X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset.to_string() });
    let message = "Rate limit exceeded: free-models-per-min. ";
    json!({ "error": { "message": message, "code": 429, "metadata": { "headers": headers, "provider_name": null } }, "user_id": "user_1" })
}

fn stream() -> Reply {
    Reply::events(&[
        ": OPENROUTER PROCESSING\n\n",
        ": OPENROUTER PROCESSING\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":7,\"total_tokens\":77}}\n\n",
        "data: [DONE]\n\n",
    ])
}

/// A pool of OpenRouter, which answers so for the free model, and of another account.
fn openrouter(free: impl Fn() -> Reply + Send + Sync + 'static) -> (Upstream, Upstream, App) {
    let upstream = Upstream::start(move |request: &Received| {
        if request.method == "GET" {
            return list(&[FREE, OTHER_FREE, PAID]);
        }
        match model_of(request) == FREE {
            true => free(),
            false if request.json()["stream"] == true => stream(),
            false => chat_with(&usage(3, 4), &[]),
        }
    });
    let other = Upstream::always(Reply::chat("other"));
    let app = pool(&[&preset("openrouter", &upstream, &json!({})), &another(&other, &json!([FREE, OTHER_FREE, PAID]))]);
    (upstream, other, app)
}

#[test]
fn a_limit_behind_openrouter_or_of_its_free_models_is_not_the_accounts() {
    type Says = fn() -> Reply;
    let cases: [(&str, Says); 3] = [
        ("a 429 of a provider", || Reply::json(429, &behind())),
        ("a 200 with one inside", || Reply::json(200, &behind())),
        ("a 429 of OpenRouter", || Reply::json(429, &own())),
    ];
    for (what, says) in cases {
        let (upstream, _other, app) = openrouter(says);
        assert!(ask(&app, FREE, &json!({})).text().contains("other"), "{what} is not seen");
        eventually("it is taken in", || app.status_of("openrouter")["errorCount"] == 1);
        for model in [OTHER_FREE, PAID] {
            assert!(!ask(&app, model, &json!({})).text().contains("other"), "{what}: {model} goes on");
        }
        assert_eq!(asked_for(&upstream, FREE), 1, "{what}");
    }
}

#[test]
fn openrouters_own_limit_is_waited_for_as_its_body_says() {
    let (upstream, _other, app) = openrouter(|| Reply::json(429, &own()));
    assert!(ask(&app, FREE, &json!({})).text().contains("other"));
    eventually("it rests", || app.status_of("openrouter")["absentModels"][0]["model"] == FREE);
    let until: jiff::Timestamp =
        app.status_of("openrouter")["absentModels"][0]["until"].as_str().expect("told").parse().expect("a time");
    let wait = until.as_second() - jiff::Timestamp::now().as_second();
    assert!((40..=50).contains(&wait), "{wait} s");
    assert!(ask(&app, FREE, &json!({})).text().contains("other"));
    assert_eq!(asked_for(&upstream, FREE), 1);
}

#[test]
fn comments_before_a_stream_are_no_content_and_its_usage_is_counted() {
    let (_upstream, _other, app) = openrouter(|| Reply::chat("x"));
    let answer = ask(&app, PAID, &json!({ "stream": true }));
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(text.contains("[DONE]") && !text.contains("\"usage\""), "{text}");
    eventually("it is counted", || app.status_of("openrouter")["usage"]["tpm"] == 77);
}
