//! A message's stream as one JSON object, for a client without `stream` whose upstream sent events.

use std::collections::BTreeMap;

use actix_web::web::Bytes;
use serde_json::{Value, json};

use crate::dialect::openai::{JsonObject, events};
use crate::dialect::reply_kind::ReplyKind;

/// Returns the message that a stream tells, if there is one.
pub(super) fn object_of(kind: ReplyKind, stream: &[u8]) -> Option<Bytes> {
    if kind != ReplyKind::Messages {
        return None;
    }
    let mut message: Option<JsonObject> = None;
    let mut blocks: BTreeMap<u64, Block> = BTreeMap::new();
    for event in events(stream) {
        let index = event.get("index").and_then(Value::as_u64).unwrap_or_default();
        match event.get("type").and_then(Value::as_str).unwrap_or_default() {
            "message_start" => message = event.get("message").and_then(Value::as_object).cloned(),
            "content_block_start" => {
                let frame = event.get("content_block").and_then(Value::as_object).cloned().unwrap_or_default();
                blocks.insert(index, Block { frame, input: String::new() });
            }
            "content_block_delta" => {
                if let Some(delta) = event.get("delta") {
                    blocks.entry(index).or_default().add(delta);
                }
            }
            "message_delta" => add_message_delta(message.as_mut()?, &event),
            _ => {}
        }
    }
    let mut message = message?;
    let content: Vec<Value> = blocks.into_values().map(Block::whole).collect();
    message.insert("content".to_owned(), content.into());
    Some(Value::Object(message).to_string().into())
}

/// Puts the end of a message into the message.
fn add_message_delta(message: &mut JsonObject, event: &JsonObject) {
    for (member, value) in event.get("delta").and_then(Value::as_object).into_iter().flatten() {
        message.insert(member.clone(), value.clone());
    }
    let Some(later) = event.get("usage").and_then(Value::as_object) else { return };
    let usage = message.entry("usage").or_insert(Value::Null);
    if !usage.is_object() {
        *usage = json!({});
    }
    for (count, value) in later.iter().filter(|(_, value)| !value.is_null()) {
        if let Some(usage) = usage.as_object_mut() {
            usage.insert(count.clone(), value.clone());
        }
    }
}

/// A block of a message on its way.
#[derive(Default)]
struct Block {
    frame: JsonObject,
    /// The input of a tool call so far, as text.
    input: String,
}

impl Block {
    fn add(&mut self, delta: &Value) {
        let text = |member: &str| delta.get(member).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "text_delta" => self.append("text", text("text")),
            "thinking_delta" => self.append("thinking", text("thinking")),
            "signature_delta" => self.append("signature", text("signature")),
            "input_json_delta" => self.input.push_str(text("partial_json")),
            "citations_delta" => {
                let citation = delta.get("citation").cloned().unwrap_or_default();
                match self.frame.get_mut("citations").and_then(Value::as_array_mut) {
                    Some(citations) => citations.push(citation),
                    None => drop(self.frame.insert("citations".to_owned(), json!([citation]))),
                }
            }
            _ => {}
        }
    }

    fn append(&mut self, member: &str, piece: &str) {
        match self.frame.get_mut(member) {
            Some(Value::String(text)) => text.push_str(piece),
            _ => drop(self.frame.insert(member.to_owned(), json!(piece))),
        }
        if !self.frame.contains_key("type") {
            self.frame.insert("type".to_owned(), json!(if member == "text" { "text" } else { "thinking" }));
        }
    }

    fn whole(mut self) -> Value {
        if let Ok(input) = serde_json::from_str::<Value>(&self.input) {
            self.frame.insert("input".to_owned(), input);
        }
        Value::Object(self.frame)
    }
}
