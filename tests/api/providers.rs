//! What the providers do differently: their limits, their headers, their refusals. A scripted upstream for each.

mod cerebras;
mod fields;
mod gemini;
mod groq;
mod mistral;
mod openrouter;
mod siblings;

use serde_json::{Value, json};

use crate::helpers::{App, KEY, Received, Reply, Response, Upstream};

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

/// An entry of a provider's preset at a scripted upstream, with these fields besides.
fn preset(provider: &str, upstream: &Upstream, more: &Value) -> Value {
    let key = format!("sk-of-{provider}-0123456789");
    let mut entry = json!({ "id": provider, "provider": provider, "baseUrl": upstream.url(), "apiKey": key });
    entry.as_object_mut().expect("an object").extend(more.as_object().expect("fields").clone());
    entry
}

/// Another account of these models, which is asked last and takes everything.
fn another(upstream: &Upstream, models: &Value) -> Value {
    json!({ "id": "other", "baseUrl": upstream.url(), "apiKey": "sk-of-another-0123456789", "models": models, "priority": 1 })
}

fn pool(apis: &[&Value]) -> App {
    App::start(&json!({ "server": { "apiKey": KEY }, "apis": apis }))
}

fn list(names: &[&str]) -> Reply {
    let models: Vec<Value> = names.iter().map(|name| json!({ "id": name, "object": "model" })).collect();
    Reply::json(200, &json!({ "object": "list", "data": models }))
}

fn usage(prompt: u64, completion: u64) -> Value {
    json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
}

/// The model that a request asks for.
fn model_of(request: &Received) -> String {
    request.json()["model"].as_str().unwrap_or_default().to_owned()
}

/// Whether a request has one of these members, not null.
fn has_any(request: &Received, names: &[&str]) -> bool {
    names.iter().any(|name| request.json().get(name).is_some_and(|value| !value.is_null()))
}
