//! A stream put together to one JSON object, for a client without `stream: true` whose upstream sent events.

use actix_web::web::Bytes;
use serde_json::{Value, json};

use super::JsonObject;
use super::finish::Finish;
use crate::dialect::first_bytes::without_byte_order_mark;
use crate::dialect::reply_kind::ReplyKind;
use crate::dialect::sse::{self, EventCutter};
use crate::types::sorted;

/// Members with one whole text in any chunk; the texts of all other members are pieces.
const LABELS: [&str; 4] = ["role", "id", "type", "object"];

/// Returns the object of a whole stream; `None` if this kind of answer has no such form.
pub(crate) fn object_of(kind: ReplyKind, stream: &[u8]) -> Option<Bytes> {
    let events = events(without_byte_order_mark(stream));
    let object = match kind {
        ReplyKind::Chat => {
            completion(&events, ChunkForm { object: "chat.completion", piece: "delta", whole: Some("message") })
        }
        ReplyKind::Completion => {
            completion(&events, ChunkForm { object: "text_completion", piece: "text", whole: None })
        }
        ReplyKind::Responses => response(&events),
        ReplyKind::Messages
        | ReplyKind::Generation
        | ReplyKind::Json
        | ReplyKind::Bytes
        | ReplyKind::Transcript
        | ReplyKind::Object
        | ReplyKind::File => None,
    };
    object.map(|object| Value::Object(object).to_string().into())
}

/// Reads all JSON objects in the data of events.
pub(in crate::dialect) fn events(mut stream: &[u8]) -> Vec<JsonObject> {
    let mut events = Vec::new();
    let mut cutter = EventCutter::new();
    while !stream.is_empty() {
        let (event, rest) = stream.split_at(cutter.next_end(stream).unwrap_or(stream.len()));
        let data = sse::data(event).unwrap_or_default();
        events.extend(super::object(&data));
        stream = rest;
    }
    events
}

/// How chunks and the whole differ.
struct ChunkForm {
    object: &'static str,
    /// The member of a chunk's choice with a piece.
    piece: &'static str,
    /// The member of the whole choice with all pieces, if pieces are objects.
    whole: Option<&'static str>,
}

fn completion(chunks: &[JsonObject], form: ChunkForm) -> Option<JsonObject> {
    let mut answer = chunks.iter().find(|chunk| chunk.contains_key("choices"))?.clone();
    let mut choices: Vec<JsonObject> = Vec::new();
    for chunk in chunks {
        let pieces = chunk.get("choices").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for piece in pieces.iter().filter_map(Value::as_object) {
            add_to_choice(&mut choices, piece, &form);
        }
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            answer.insert("usage".to_owned(), usage.clone());
        }
    }
    if answer.get("usage").is_some_and(Value::is_null) {
        answer.shift_remove("usage");
    }
    sorted::sort_by_key(&mut choices, |choice| choice.get("index").and_then(Value::as_u64));
    answer.insert("object".to_owned(), json!(form.object));
    answer.insert("choices".to_owned(), choices.into());
    Some(answer)
}

/// Adds a piece to the choice of the same index.
fn add_to_choice(choices: &mut Vec<JsonObject>, piece: &JsonObject, form: &ChunkForm) {
    let index = piece.get("index").and_then(Value::as_u64).unwrap_or_default();
    let is_of_index = |choice: &JsonObject| choice.get("index").and_then(Value::as_u64) == Some(index);
    if !choices.iter().any(is_of_index) {
        let empty = match form.whole {
            Some(whole) => json!({ "index": index, whole: { "role": "assistant", "content": null } }),
            None => json!({ "index": index, form.piece: "" }),
        };
        choices.extend(empty.as_object().cloned());
    }
    let Some(choice) = choices.iter_mut().find(|choice| is_of_index(choice)) else { return };
    for (member, value) in piece {
        match member.as_str() {
            "index" => {}
            "finish_reason" => {
                let is_end = value.as_str().is_some_and(|reason| Finish::of_text(reason) != Finish::Open);
                if is_end || !choice.contains_key(member) {
                    choice.insert(member.clone(), if is_end { value.clone() } else { Value::Null });
                }
            }
            _ if member == form.piece => add(choice, form.whole.unwrap_or(form.piece), value),
            _ => add(choice, member, value),
        }
    }
}

/// Adds a piece to a member: texts and lists grow, objects are merged.
fn add(object: &mut JsonObject, member: &str, piece: &Value) {
    let held = object.entry(member).or_insert(Value::Null);
    match (held, piece) {
        (_, Value::Null) => {}
        (held @ (Value::Null | Value::Array(_)), Value::Array(pieces)) if member == "tool_calls" => {
            add_tool_calls(held, pieces);
        }
        (Value::String(text), Value::String(piece)) => {
            let is_label = LABELS.contains(&member) || member == "name" && text == piece;
            if text.is_empty() || !is_label {
                text.push_str(piece);
            }
        }
        (Value::Array(items), Value::Array(more)) => items.extend(more.iter().cloned()),
        (Value::Object(fields), Value::Object(more)) => {
            more.iter().for_each(|(member, piece)| add(fields, member, piece));
        }
        (held, piece) => *held = piece.clone(),
    }
}

/// Adds pieces of tool calls to the calls of the same indexes. A whole answer has no indexes.
fn add_tool_calls(held: &mut Value, pieces: &[Value]) {
    if held.is_null() {
        *held = json!([]);
    }
    let Value::Array(calls) = held else { return };
    for (nth, piece) in pieces.iter().filter_map(Value::as_object).enumerate() {
        let index = piece.get("index").and_then(Value::as_u64).map_or(nth, |index| index as usize);
        // A call whose index leaves a gap is the next one.
        let at = index.min(calls.len());
        if at == calls.len() {
            calls.push(json!({}));
        }
        if let Some(Value::Object(call)) = calls.get_mut(at) {
            piece.iter().filter(|(member, _)| *member != "index").for_each(|(member, piece)| add(call, member, piece));
        }
    }
}

/// Returns the response within the last event, with the items of earlier events if the response has none.
fn response(events: &[JsonObject]) -> Option<JsonObject> {
    let ends = ["response.completed", "response.incomplete"];
    let is_end =
        |event: &&JsonObject| event.get("type").and_then(Value::as_str).is_some_and(|kind| ends.contains(&kind));
    let mut response = events.iter().rev().find(is_end)?.get("response")?.as_object()?.clone();
    if response.get("output").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let done = events.iter().filter(|event| event.get("type") == Some(&json!("response.output_item.done")));
        let items: Vec<Value> = done.filter_map(|event| event.get("item").cloned()).collect();
        response.insert("output".to_owned(), items.into());
    }
    Some(response)
}

#[cfg(test)]
mod tests;
