//! A stream as one JSON object, for a client of one object whose upstream sent events: the parts of each candidate one after the
//! other, and of all else the last.

use actix_web::web::Bytes;
use serde_json::{Value, json};

use crate::dialect::openai::{JsonObject, events};
use crate::dialect::reply_kind::ReplyKind;

/// Returns the answer that a stream tells, if there is one.
pub(super) fn object_of(kind: ReplyKind, stream: &[u8]) -> Option<Bytes> {
    if kind != ReplyKind::Generation {
        return None;
    }
    let mut whole: Option<JsonObject> = None;
    for event in events(stream) {
        let whole = whole.get_or_insert_default();
        for (member, value) in event {
            match whole.get_mut(&member) {
                Some(before) if member == "candidates" => add_candidates(before, value),
                Some(before) => *before = value,
                None => drop(whole.insert(member, value)),
            }
        }
    }
    whole.map(|whole| Value::Object(whole).to_string().into())
}

/// Adds the candidates of a piece to those so far.
fn add_candidates(before: &mut Value, more: Value) {
    let (Some(before), Value::Array(more)) = (before.as_array_mut(), more) else { return };
    for candidate in more {
        let index = |candidate: &Value| candidate.get("index").and_then(Value::as_u64).unwrap_or_default();
        match before.iter_mut().find(|known| index(known) == index(&candidate)) {
            Some(known) => add(known, candidate),
            None => before.push(candidate),
        }
    }
}

/// Adds a piece of one candidate.
fn add(known: &mut Value, piece: Value) {
    let (Some(known), Value::Object(piece)) = (known.as_object_mut(), piece) else { return };
    for (member, value) in piece {
        match known.get_mut(&member) {
            Some(content) if member == "content" => add_parts(content, value),
            Some(_) | None => drop(known.insert(member, value)),
        }
    }
}

/// Adds the parts of a piece's content.
fn add_parts(content: &mut Value, mut piece: Value) {
    let Some(parts) = piece.pointer_mut("/parts").map(Value::take) else { return };
    match (content.pointer_mut("/parts").and_then(Value::as_array_mut), parts) {
        (Some(before), Value::Array(parts)) => before.extend(parts),
        (None, parts) => *content = json!({ "parts": parts, "role": "model" }),
        (Some(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_stream_are_one_answer() {
        let stream = br#"data: {"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0}],"usageMetadata":{"totalTokenCount":1},"responseId":"r"}

data: {"candidates":[{"content":{"parts":[{"text":"b"}],"role":"model"},"index":0},{"content":{"parts":[{"text":"x"}]},"index":1}]}

data: {"candidates":[{"content":{"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"totalTokenCount":9}}

"#;
        let whole = object_of(ReplyKind::Generation, stream).expect("an object");
        let whole: Value = serde_json::from_slice(&whole).expect("JSON");
        assert_eq!(
            whole,
            json!({
                "candidates": [
                    { "content": { "parts": [{ "text": "a" }, { "text": "b" }], "role": "model" }, "index": 0, "finishReason": "STOP" },
                    { "content": { "parts": [{ "text": "x" }] }, "index": 1 },
                ],
                "usageMetadata": { "totalTokenCount": 9 }, "responseId": "r",
            })
        );
        assert_eq!(object_of(ReplyKind::Generation, b": ping\n\n"), None);
    }
}
