//! Streams put together.

use super::*;

fn object(kind: ReplyKind, events: &[Value]) -> Value {
    let stream: String = events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect();
    let object = object_of(kind, format!("\u{feff}: ping\n\n{stream}data: [DONE]\n\n").as_bytes()).expect("an object");
    serde_json::from_slice(&object).expect("JSON")
}

#[test]
fn chunks_of_a_chat_are_put_together() {
    let chunk = |index: u32, delta: Value, reason: Value| {
        json!({ "id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "usage": null,
            "choices": [{ "index": index, "delta": delta, "logprobs": null, "finish_reason": reason }] })
    };
    let call = |nth: u32, id: Value, name: Value, arguments: &str| json!({ "tool_calls": [{ "index": nth, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } }] });
    let answer = object(
        ReplyKind::Chat,
        &[
            chunk(0, json!({ "role": "assistant", "content": "" }), json!("")),
            chunk(0, json!({ "reasoning_content": "hm" }), Value::Null),
            chunk(0, json!({ "role": "assistant", "content": "Hel" }), Value::Null),
            chunk(0, json!({ "content": "lo", "tool_calls": null }), Value::Null),
            chunk(1, json!({ "refusal": "no" }), json!("content_filter")),
            chunk(0, call(0, json!("t1"), json!("f"), "{\"a\""), Value::Null),
            chunk(0, call(0, json!(""), json!("f"), ":1}"), Value::Null),
            chunk(0, call(1, json!("t2"), json!("g"), "{}"), Value::Null),
            chunk(0, json!({}), json!("tool_calls")),
            chunk(0, json!({}), json!("null")),
            json!({ "choices": [], "usage": { "total_tokens": 9 } }),
        ],
    );
    let function = |name: &str, arguments: &str| json!({ "name": name, "arguments": arguments });
    assert_eq!(
        answer,
        json!({ "id": "c1", "object": "chat.completion", "created": 1, "model": "m", "usage": { "total_tokens": 9 }, "choices": [
            { "index": 0, "logprobs": null, "finish_reason": "tool_calls", "message": {
                "role": "assistant", "content": "Hello", "reasoning_content": "hm", "tool_calls": [
                    { "id": "t1", "type": "function", "function": function("f", "{\"a\":1}") },
                    { "id": "t2", "type": "function", "function": function("g", "{}") },
                ] } },
            { "index": 1, "logprobs": null, "finish_reason": "content_filter",
                "message": { "role": "assistant", "content": null, "refusal": "no" } },
        ] })
    );
}

#[test]
fn chunks_of_a_legacy_completion_are_put_together() {
    let chunk = |text: &str, reason: Value| json!({ "id": "c1", "object": "text_completion", "choices": [{ "index": 0, "text": text, "finish_reason": reason }] });
    let answer = object(ReplyKind::Completion, &[chunk("a", Value::Null), chunk("b", json!("stop"))]);
    let wanted = json!({ "id": "c1", "object": "text_completion", "choices": [{ "index": 0, "text": "ab", "finish_reason": "stop" }] });
    assert_eq!(answer, wanted);
}

#[test]
fn a_response_is_what_its_last_event_holds() {
    let item = json!({ "id": "msg_1", "type": "message" });
    let done = json!({ "type": "response.output_item.done", "output_index": 0, "item": item });
    for output in [json!([item]), json!([]), Value::Null] {
        let end = json!({ "type": "response.completed", "response": { "id": "resp_1", "output": output } });
        assert_eq!(object(ReplyKind::Responses, &[done.clone(), end]), json!({ "id": "resp_1", "output": [item] }));
    }
    assert_eq!(object_of(ReplyKind::Responses, b"data: {}\n\n"), None);
    assert_eq!(object_of(ReplyKind::Json, b"data: {}\n\n"), None);
}
