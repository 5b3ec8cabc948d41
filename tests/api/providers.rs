//! What the providers do differently: their limits, their headers, their refusals. A scripted upstream for each.

mod fields;

use serde_json::{Value, json};

use crate::helpers::{App, Reply, Response, Upstream};

/// Asks for a model, with these fields besides.
fn ask(app: &App, model: &str, more: &Value) -> Response {
    let mut body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] });
    body.as_object_mut().expect("an object").extend(more.as_object().expect("fields").clone());
    app.client().post("/v1/chat/completions", &body)
}

/// A chat completion with this usage, and with these headers.
fn chat_with(usage: &Value, headers: &[(&str, &str)]) -> Reply {
    let choices = json!([{ "index": 0, "message": { "role": "assistant", "content": "x" }, "finish_reason": "stop" }]);
    let body = json!({ "id": "c", "object": "chat.completion", "choices": choices, "usage": usage });
    let headers: Vec<(&str, &str)> =
        [("content-type", "application/json")].into_iter().chain(headers.iter().copied()).collect();
    Reply::text(200, &headers, &body.to_string())
}

/// How often an upstream was asked for a model.
fn asked_for(upstream: &Upstream, model: &str) -> usize {
    upstream.received().iter().filter(|request| request.method == "POST" && request.json()["model"] == model).count()
}
