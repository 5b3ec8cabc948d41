//! A whole message as a stream, for a client with `stream: true` whose upstream sent one JSON object.

use actix_web::web::Bytes;
use serde_json::{Value, json};

use crate::dialect::first_bytes::without_byte_order_mark;
use crate::dialect::openai::object;
use crate::dialect::reply_kind::ReplyKind;

/// Returns the events of a message's stream, the last one included; `None` if there is no such form.
pub(super) fn events_of(kind: ReplyKind, answer: &[u8]) -> Option<Bytes> {
    let mut message = match kind {
        ReplyKind::Messages => object(without_byte_order_mark(answer))?,
        ReplyKind::Chat
        | ReplyKind::Completion
        | ReplyKind::Generation
        | ReplyKind::Responses
        | ReplyKind::Json
        | ReplyKind::Bytes
        | ReplyKind::Transcript
        | ReplyKind::Object
        | ReplyKind::File => {
            return None;
        }
    };
    let Some(Value::Array(blocks)) = message.insert("content".to_owned(), json!([])) else { return None };
    let mut take = |member: &str| message.insert(member.to_owned(), Value::Null).unwrap_or_default();
    let delta = json!({ "stop_reason": take("stop_reason"), "stop_sequence": take("stop_sequence") });
    // Clients read counts from both events without asking whether there are any.
    let mut usage = message.get("usage").and_then(Value::as_object).cloned().unwrap_or_default();
    usage.entry("input_tokens").or_insert(json!(0));
    usage.entry("output_tokens").or_insert(json!(0));
    let mut usage_at_start = usage.clone();
    usage_at_start.insert("output_tokens".to_owned(), json!(0));
    message.insert("usage".to_owned(), usage_at_start.into());
    let mut text = String::new();
    let mut push = |event: Value| {
        let name = event.get("type").and_then(Value::as_str).unwrap_or_default();
        text.push_str(&format!("event: {name}\ndata: {event}\n\n"));
    };
    push(json!({ "type": "message_start", "message": message }));
    for (index, block) in blocks.into_iter().enumerate() {
        let (frame, deltas) = taken_apart(block);
        push(json!({ "type": "content_block_start", "index": index, "content_block": frame }));
        for delta in deltas {
            push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        }
        push(json!({ "type": "content_block_stop", "index": index }));
    }
    push(json!({ "type": "message_delta", "delta": delta, "usage": usage }));
    push(json!({ "type": "message_stop" }));
    Some(text.into())
}

/// Returns a block without its content, and the content as deltas. A block without deltas stays whole.
fn taken_apart(mut block: Value) -> (Value, Vec<Value>) {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut deltas = Vec::new();
    let mut take = |member: &str, empty: Value| match block.get_mut(member) {
        Some(full) => std::mem::replace(full, empty),
        None => Value::Null,
    };
    match kind.as_str() {
        "text" => {
            deltas.push(json!({ "type": "text_delta", "text": take("text", json!("")) }));
            if let Value::Array(citations) = take("citations", json!([])) {
                deltas.extend(citations.into_iter().map(|one| json!({ "type": "citations_delta", "citation": one })));
            }
        }
        "thinking" => {
            deltas.push(json!({ "type": "thinking_delta", "thinking": take("thinking", json!("")) }));
            deltas.push(json!({ "type": "signature_delta", "signature": take("signature", json!("")) }));
        }
        "tool_use" | "server_tool_use" | "mcp_tool_use" => {
            let input = take("input", json!({})).to_string();
            deltas.push(json!({ "type": "input_json_delta", "partial_json": input }));
        }
        _ => {}
    }
    (block, deltas)
}

#[cfg(test)]
mod tests {
    use super::super::as_object::object_of;
    use super::*;

    #[test]
    fn a_message_survives_the_way_to_a_stream_and_back() {
        let message = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
            "content": [
                { "type": "thinking", "thinking": "hm", "signature": "s1" },
                { "type": "redacted_thinking", "data": "xyz" },
                { "type": "text", "text": "two words", "citations": [{ "type": "page_location" }] },
                { "type": "text", "text": "plain" },
                { "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "a": [1, { "b": "c" }] } },
                { "type": "tool_use", "id": "toolu_2", "name": "g", "input": {} },
            ],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": { "input_tokens": 3, "cache_read_input_tokens": 9, "output_tokens": 7 },
        });
        let events = events_of(ReplyKind::Messages, message.to_string().as_bytes()).expect("events");
        let text = std::str::from_utf8(&events).expect("text");
        assert!(text.starts_with("event: message_start\ndata: {") && text.ends_with("{\"type\":\"message_stop\"}\n\n"));
        let back = object_of(ReplyKind::Messages, &events).expect("an object");
        assert_eq!(serde_json::from_slice::<Value>(&back).expect("JSON"), message);
        for usage in ["", r#","usage":null"#, r#","usage":{}"#] {
            let plain = format!(r#"{{"content":[{{"type":"text","text":"hi"}}]{usage}}}"#);
            let events = events_of(ReplyKind::Messages, plain.as_bytes()).expect("events");
            let text = String::from_utf8_lossy(&events);
            assert_eq!(text.matches(r#""usage":{"input_tokens":0,"output_tokens":0}"#).count(), 2, "{text}");
        }
        assert_eq!(events_of(ReplyKind::Json, b"{\"input_tokens\":3}"), None);
        assert_eq!(events_of(ReplyKind::Messages, b"{\"id\":\"x\"}"), None);
    }
}
