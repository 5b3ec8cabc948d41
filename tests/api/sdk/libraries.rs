//! Libraries around the official APIs: litellm for Python, and Vercel's AI SDK. What reaches an upstream through the
//! pool, and what the library makes of the answer, is what it is without the pool. The calls are in `tests/sdk/`.

use serde_json::{Value, json};

use super::resources::{Calls, answer, is_not_seen};
use crate::helpers::{Received, Reply};

#[test]
fn the_pool_is_not_seen_by_litellm() {
    is_not_seen(&Calls {
        interpreter: "clients-venv/bin/python",
        program: "litellm_calls.py",
        client: "",
        answer: said,
    });
}

#[test]
fn the_pool_is_not_seen_by_the_ai_sdk() {
    is_not_seen(&Calls { interpreter: "node", program: "ai_sdk.mjs", client: "", answer: said });
}

/// Answers as the providers do: these libraries check what they are told.
fn said(request: &Received) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    let body = String::from_utf8_lossy(&request.body);
    if body.contains("\"stream\":true") || body.contains("\"stream\": true") {
        return streamed(path);
    }
    let whole = |value: Value| Reply::json(200, &value);
    let text = if body.contains("an object") { "{\"a\":1}" } else { "Grüße 🎉" };
    let tokens = json!({ "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 });
    let read = json!({ "input_tokens": 3, "output_tokens": 4, "total_tokens": 7 });
    match path.rsplit('/').next().unwrap_or_default() {
        "completions" if path.ends_with("/chat/completions") => whole(json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "usage": tokens,
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        })),
        "completions" => whole(json!({
            "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "usage": tokens,
            "choices": [{ "index": 0, "text": text, "finish_reason": "stop", "logprobs": null }],
        })),
        "responses" => whole(response(text)),
        "messages" => {
            let content = if body.contains("\"name\":\"json\"") {
                json!([{ "type": "tool_use", "id": "toolu_1", "name": "json", "input": { "a": 1 } }])
            } else {
                json!([{ "type": "text", "text": text }])
            };
            whole(json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
                "stop_reason": "end_turn", "stop_sequence": null, "usage": read,
            }))
        }
        "embeddings" => whole(json!({
            "object": "list", "model": "m", "usage": { "prompt_tokens": 3, "total_tokens": 3 },
            "data": [
                { "object": "embedding", "index": 0, "embedding": [0.5, 1.5] },
                { "object": "embedding", "index": 1, "embedding": [0.25, 0.0] },
            ],
        })),
        "generations" | "edits" | "variations" => {
            whole(json!({ "created": 1, "data": [{ "b64_json": "iVBORw0KGgo=" }] }))
        }
        "transcriptions" => whole(json!({ "text": "hi", "language": "english", "duration": 1.5 })),
        "moderations" => whole(json!({
            "id": "modr-1", "model": "m",
            "results": [{
                "flagged": false, "categories": {}, "category_scores": {}, "category_applied_input_types": {},
            }],
        })),
        "rerank" => whole(json!({
            "id": "rr-1", "model": "m", "usage": { "total_tokens": 3 },
            "results": [{ "index": 0, "relevance_score": 0.5, "document": { "text": "a cat" } }],
        })),
        id if id.starts_with("resp_") && request.method == "DELETE" => {
            whole(json!({ "id": id, "object": "response", "deleted": true }))
        }
        "cancel" if path.contains("/responses/") => whole(response(text)),
        id if id.starts_with("resp_") && request.method == "GET" => whole(response(text)),
        _ if path.contains("/files") || path.contains("/batches") || path.contains("fine_tuning") => object(request),
        _ if path.contains("/vector_stores") => object(request),
        _ => answer(request),
    }
}

fn response(text: &str) -> Value {
    let content = json!([{ "type": "output_text", "text": text, "annotations": [] }]);
    let usage = json!({
        "input_tokens": 3, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 4, "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 7,
    });
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "usage": usage,
        "output": [{
            "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content,
        }],
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {}, "parallel_tool_calls": true,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
    })
}

/// A file, a batch, a job and a vector store at once; or a list of one.
fn object(request: &Received) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    if path.ends_with("/content") {
        return answer(request);
    }
    let (object, status) = match path.split('/').find(|part| ["files", "batches", "fine_tuning"].contains(part)) {
        Some("files") => ("file", "processed"),
        Some("batches") => ("batch", "completed"),
        Some(_) => ("fine_tuning.job", "queued"),
        None => ("vector_store", "completed"),
    };
    let one = json!({
        "id": "made-1", "object": object, "bytes": 1, "created_at": 1, "filename": "a", "purpose": "batch",
        "status": status, "endpoint": "/v1/chat/completions", "input_file_id": "file-1", "completion_window": "24h",
        "fine_tuned_model": null, "finished_at": null, "hyperparameters": {}, "model": "m", "organization_id": "o",
        "result_files": [], "trained_tokens": null, "training_file": "file-1", "validation_file": null, "seed": 1,
        "error": null, "name": "docs", "usage_bytes": 0, "last_active_at": 1, "metadata": {}, "deleted": true,
        "file_counts": { "in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0 },
    });
    let is_list = request.method == "GET" && !path.contains("-1") && !path.contains("_1");
    let listed =
        json!({ "object": "list", "data": [one], "first_id": "made-1", "last_id": "made-1", "has_more": false });
    let page = "vector_store.search_results.page";
    let found = json!({ "object": page, "search_query": "how", "data": [], "has_more": false });
    Reply::json(
        200,
        if path.ends_with("/search") {
            &found
        } else if is_list {
            &listed
        } else {
            &one
        },
    )
}

/// A stream as the provider of the path writes it.
fn streamed(path: &str) -> Reply {
    let events: Vec<String> = match path.rsplit('/').next().unwrap_or_default() {
        "completions" if path.ends_with("/chat/completions") => chunks(&[
            json!({ "delta": { "role": "assistant", "content": "Grüße" }, "finish_reason": null }),
            json!({ "delta": { "content": " 🎉" }, "finish_reason": null }),
            json!({ "delta": {}, "finish_reason": "stop" }),
        ]),
        "completions" => chunks(&[
            json!({ "text": "Grüße 🎉", "finish_reason": null }),
            json!({ "text": "", "finish_reason": "stop" }),
        ]),
        "messages" => message_events().iter().map(named).collect(),
        _ => response_events().iter().map(named).collect(),
    };
    Reply::events(&events.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Chunks with a choice each, and one with the usage.
fn chunks(choices: &[Value]) -> Vec<String> {
    let chunk = |choices: Value, usage: Value| {
        let mut chunk = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m" });
        (chunk["choices"], chunk["usage"]) = (choices, usage);
        format!("data: {chunk}\n\n")
    };
    let with_choice = |choice: &Value| {
        let mut choice = choice.clone();
        choice["index"] = json!(0);
        chunk(json!([choice]), Value::Null)
    };
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 });
    let last = [chunk(json!([]), usage), "data: [DONE]\n\n".to_owned()];
    choices.iter().map(with_choice).chain(last).collect()
}

fn message_events() -> [Value; 6] {
    let start = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": null,
        "stop_sequence": null, "usage": { "input_tokens": 3, "output_tokens": 1 },
    });
    let (text, end) = (json!({ "type": "text_delta", "text": "Grüße 🎉" }), json!({ "stop_reason": "end_turn" }));
    [
        json!({ "type": "message_start", "message": start }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": text }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": end, "usage": { "output_tokens": 4 } }),
        json!({ "type": "message_stop" }),
    ]
}

fn response_events() -> [Value; 5] {
    let whole = response("Grüße 🎉");
    let item = &whole["output"][0];
    let mut begun = whole.clone();
    (begun["status"], begun["output"]) = (json!("in_progress"), json!([]));
    [
        json!({ "type": "response.created", "sequence_number": 0, "response": begun }),
        json!({ "type": "response.output_item.added", "sequence_number": 1, "output_index": 0, "item": item }),
        json!({
            "type": "response.output_text.delta", "sequence_number": 2, "item_id": "msg_1", "output_index": 0,
            "content_index": 0, "delta": "Grüße 🎉", "logprobs": [],
        }),
        json!({ "type": "response.output_item.done", "sequence_number": 3, "output_index": 0, "item": item }),
        json!({ "type": "response.completed", "sequence_number": 4, "response": whole }),
    ]
}

/// An event with the name that its data have.
fn named(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap_or_default())
}
