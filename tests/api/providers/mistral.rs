//! Like Mistral: unknown fields are refused, usage comes unasked, and the headers about limits have names of their own.

use serde_json::json;

use super::{another, ask, asked_for, chat_with, list, model_of, pool, preset, usage};
use crate::helpers::{Received, Reply, Upstream, eventually};

const SMALL: &str = "mistral-small-latest";
const LARGE: &str = "mistral-large-latest";
const BUSY: &str = "mistral-medium-latest";

/// All that the API takes.
const KNOWN: [&str; 12] = [
    "model",
    "messages",
    "stream",
    "temperature",
    "top_p",
    "max_tokens",
    "stop",
    "random_seed",
    "tools",
    "tool_choice",
    "response_format",
    "n",
];

fn mistral(request: &Received) -> Reply {
    if request.method == "GET" {
        return list(&[SMALL, LARGE, BUSY]);
    }
    let body = request.json();
    let unknown = body.as_object().expect("an object").keys().find(|key| !KNOWN.contains(&key.as_str()));
    if let Some(field) = unknown {
        let mistake = json!({ "type": "extra_forbidden", "loc": ["body", field], "msg": "Extra inputs are not permitted", "input": 7 });
        return Reply::json(
            422,
            &json!({ "object": "error", "message": { "detail": [mistake] }, "type": "invalid_request_error" }),
        );
    }
    if model_of(request) == BUSY {
        let message = "Service tier capacity exceeded for this model.";
        return Reply::json(
            429,
            &json!({ "object": "error", "message": message, "type": "service_tier_capacity_exceeded", "code": "3505" }),
        );
    }
    if body["stream"] == true {
        return Reply::events(&[
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":null}]}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":70,\"completion_tokens\":7,\"total_tokens\":77}}\n\n",
            "data: [DONE]\n\n",
        ]);
    }
    let left = if model_of(request) == LARGE { "0" } else { "499000" };
    chat_with(
        &usage(3, 4),
        &[
            ("x-ratelimitbysize-limit-minute", "500000"),
            ("x-ratelimitbysize-remaining-minute", left),
            ("x-ratelimitbysize-remaining-month", "999999000"),
            ("ratelimitbysize-reset", "31"),
        ],
    )
}

#[test]
fn the_quirks_of_mistral_are_handled_by_its_preset() {
    let (upstream, other) = (Upstream::start(mistral), Upstream::always(Reply::chat("other")));
    let app = pool(&[&preset("mistral", &upstream, &json!({})), &another(&other, &json!([SMALL, LARGE, BUSY]))]);
    // A stream whose client asks for usage as agents do: the field is not sent, and the usage comes.
    let answer = ask(&app, SMALL, &json!({ "stream": true, "stream_options": { "include_usage": true } }));
    assert!(answer.text().contains("\"total_tokens\":77"));
    assert_eq!(ask(&app, SMALL, &json!({ "stream": true })).status, 200);
    assert_eq!(other.calls(), 0, "no stream was refused");
    eventually("both are counted", || app.status_of("mistral")["usage"]["tpm"] == 154);
    let before = upstream.calls();
    for parameter in ["seed", "top_k", "logprobs", "min_p", "logit_bias"] {
        assert!(ask(&app, SMALL, &json!({ parameter: 1 })).text().contains("other"), "{parameter}");
    }
    assert_eq!(upstream.calls(), before, "known parameters cost no attempt");
    assert!(ask(&app, SMALL, &json!({ "made_up": 1 })).text().contains("other"), "an unknown one moves on");
    assert!(!ask(&app, SMALL, &json!({ "random_seed": 1 })).text().contains("other"));
    assert!(ask(&app, BUSY, &json!({})).text().contains("other"), "a model without capacity");
    assert!(!ask(&app, LARGE, &json!({})).text().contains("other"), "its last answer of the minute");
    eventually("it is taken in", || {
        app.status_of("mistral")["absentModels"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["model"] == LARGE))
    });
    assert!(ask(&app, LARGE, &json!({})).text().contains("other"));
    assert!(!ask(&app, SMALL, &json!({})).text().contains("other"), "the small one goes on");
    assert_eq!(asked_for(&upstream, LARGE), 1);
}

#[test]
fn alone_a_refusal_of_mistrals_passes_as_it_is() {
    let upstream = Upstream::start(mistral);
    let app = pool(&[&preset("mistral", &upstream, &json!({}))]);
    let answer = ask(&app, SMALL, &json!({ "seed": 1 }));
    assert_eq!(answer.status, 422);
    assert!(answer.text().contains("extra_forbidden"));
}
