//! Providers with one quirk each.

use serde_json::{Value, json};

use super::{another, ask, asked_for, chat_with, list, model_of, pool, preset, usage};
use crate::helpers::{Received, Reply, Upstream, eventually};

/// A provider that refuses one form of requests, in its own words.
struct Refuses {
    provider: &'static str,
    /// What is refused.
    request: Value,
    status: u16,
    error: Value,
    refuses: fn(&Received) -> bool,
}

fn has_text(request: &Received, text: &str) -> bool {
    String::from_utf8_lossy(&request.body).contains(text)
}

fn refusals() -> Vec<Refuses> {
    let schema = json!({ "type": "object", "properties": {}, "additionalProperties": false, "$schema": "x" });
    let tools = json!([{ "type": "function", "function": { "name": "f", "parameters": schema } }]);
    let called =
        json!([{ "role": "user", "content": "hi" }, { "role": "assistant", "content": null, "tool_calls": [] }]);
    let parts = json!([{ "role": "user", "content": [{ "type": "text", "text": "hi" }] }]);
    vec![
        Refuses {
            provider: "cohere",
            request: json!({ "tools": tools }),
            status: 400,
            error: json!({ "id": "1", "message": "invalid tool parameters: additionalProperties is not supported" }),
            refuses: |request| has_text(request, "additionalProperties"),
        },
        Refuses {
            provider: "cohere",
            request: json!({ "messages": parts }),
            status: 422,
            error: json!({ "id": "1", "message": "invalid type: content must be a string" }),
            refuses: |request| request.json()["messages"][0]["content"].is_array(),
        },
        Refuses {
            provider: "cloudflare",
            request: json!({ "messages": called }),
            status: 400,
            error: json!({ "errors": [{ "message": "AiError: Bad input: Type mismatch of '/messages/1/content', 'string' not in 'null'", "code": 5006 }], "success": false, "result": {}, "messages": [] }),
            refuses: |request| {
                request.json()["messages"][1]["content"].is_null() && request.json()["messages"][1].is_object()
            },
        },
        Refuses {
            provider: "nvidia",
            request: json!({ "parallel_tool_calls": true }),
            status: 400,
            error: json!({ "object": "error", "message": "This is limited to single tool-calls at once!", "type": "BadRequestError", "code": 400 }),
            refuses: |request| has_text(request, "parallel_tool_calls"),
        },
        Refuses {
            provider: "huggingface",
            request: json!({ "top_k": 5 }),
            status: 400,
            error: json!({ "error": { "message": "unknown field `top_k`", "type": "invalid_request_error", "param": "top_k" } }),
            refuses: |request| has_text(request, "top_k"),
        },
    ]
}

#[test]
fn what_one_provider_refuses_and_others_take_is_served_by_another_and_held_against_nobody() {
    for case in refusals() {
        let Refuses { provider, request: asked, status, error, refuses } = case;
        let upstream =
            Upstream::start(
                move |request: &Received| {
                    if refuses(request) { Reply::json(status, &error) } else { chat_with(&usage(1, 1), &[]) }
                },
            );
        let other = Upstream::always(Reply::chat("other"));
        let entry = preset(provider, &upstream, &json!({ "models": ["m"] }));
        let app = pool(&[&entry, &another(&other, &json!(["m"]))]);
        for _ in 0..4 {
            let answer = ask(&app, "m", &asked);
            assert!(answer.status == 200 && answer.text().contains("other"), "{provider}: {asked}");
        }
        assert!(!ask(&app, "m", &json!({})).text().contains("other"), "{provider} goes on");
        assert_eq!(app.status_of(provider)["errorCount"], 0, "{provider}");
    }
}

#[test]
fn a_refusal_of_one_model_in_words_of_money_is_not_the_accounts() {
    let modelscope = json!({ "error": { "message": "insufficient balance (1008)", "type": "rate_limit" } });
    let zhipu = json!({ "error": { "code": "1113", "message": "余额不足或无可用资源包,请充值。" } });
    for (provider, error) in [("modelscope", modelscope), ("zhipu", zhipu)] {
        let upstream = Upstream::start(move |request: &Received| {
            match (request.method.as_str(), model_of_any(request).as_str()) {
                ("GET", _) => list(&["retired", "fine"]),
                (_, "retired") => Reply::json(429, &error),
                _ => chat_with(&usage(1, 1), &[]),
            }
        });
        let other = Upstream::always(Reply::chat("other"));
        let app = pool(&[&preset(provider, &upstream, &json!({})), &another(&other, &json!(["retired", "fine"]))]);
        assert!(ask(&app, "retired", &json!({})).text().contains("other"), "{provider}");
        eventually("it is taken in", || app.status_of(provider)["errorCount"] == 1);
        assert!(!ask(&app, "fine", &json!({})).text().contains("other"), "{provider} goes on");
        assert_eq!(asked_for(&upstream, "retired"), 1, "{provider}");
    }
}

/// The model of a request with a body.
fn model_of_any(request: &Received) -> String {
    if request.body.is_empty() { String::new() } else { model_of(request) }
}

#[test]
fn comments_and_blank_lines_keep_a_connection_open_and_are_nothing_else() {
    let text = json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": "late" }, "finish_reason": "stop" }], "usage": usage(3, 4) });
    let upstream = Upstream::start(move |request: &Received| match request.json()["stream"] == true {
        true => Reply::events(&[
            ": keep-alive\n\n",
            "\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"late\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: [DONE]\n\n",
        ]),
        false => Reply::text(200, &[("content-type", "application/json")], &format!("\n\n\n{text}")),
    });
    let app = pool(&[&preset("deepseek", &upstream, &json!({ "models": ["m"] }))]);
    for stream in [false, true] {
        let answer = ask(&app, "m", &json!({ "stream": stream }));
        assert!(answer.status == 200 && answer.text().contains("late"), "stream: {stream}");
    }
}

#[test]
fn slow_providers_have_time_for_the_first_token() {
    let upstream = Upstream::always(Reply::chat("x"));
    for provider in ["nvidia", "zhipu", "zai", "ollama-cloud"] {
        let config = json!({ "apis": [preset(provider, &upstream, &json!({ "models": ["m"] }))] });
        let output = crate::helpers::Launch::new(&config).command().args(["check", "--config", "apis.json"]).output();
        let told = String::from_utf8_lossy(&output.expect("runs").stdout).into_owned();
        assert!(
            ["first token 180s", "first token 300s"].iter().any(|words| told.contains(words)),
            "{provider}: {told}"
        );
    }
}

#[test]
fn names_with_an_organization_and_a_provider_are_sent_as_they_are() {
    let upstream = Upstream::always(Reply::chat("x"));
    let models = json!({ "models": ["openai/gpt-oss-120b*"], "modelMapping": { "oss": "openai/gpt-oss-120b:groq" } });
    let app = pool(&[&preset("huggingface", &upstream, &models)]);
    for (asked, sent) in [
        ("openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("openai/gpt-oss-120b:cerebras", "openai/gpt-oss-120b:cerebras"),
        ("oss", "openai/gpt-oss-120b:groq"),
    ] {
        assert_eq!(ask(&app, asked, &json!({})).status, 200, "{asked}");
        assert!(asked_for(&upstream, sent) >= 1, "{sent}");
    }
}
