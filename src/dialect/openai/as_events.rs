//! A whole answer told as a stream, for a client that asked for one and whose upstream answered with one JSON object.

use actix_web::web::Bytes;
use serde_json::{Map, Value, json};

use super::finish::Finish;
use crate::dialect::first_bytes::without_byte_order_mark;
use crate::dialect::routes::ReplyKind;

type Object = Map<String, Value>;

/// Returns the events of an answer's stream, its end mark included; `None` if the answer has no such form. `with_usage`: the
/// client asked for the usage.
pub(crate) fn events_of(kind: ReplyKind, answer: &[u8], with_usage: bool) -> Option<Bytes> {
    let answer: Object = serde_json::from_slice(without_byte_order_mark(answer)).ok()?;
    let mut text = String::new();
    match kind {
        ReplyKind::Chat | ReplyKind::Completion => {
            for chunk in chunks(kind, answer, with_usage)? {
                text.push_str(&format!("data: {chunk}\n\n"));
            }
            text.push_str("data: [DONE]\n\n");
        }
        ReplyKind::Responses => {
            for (nth, mut event) in events_of_response(&answer)?.into_iter().enumerate() {
                event["sequence_number"] = json!(nth);
                push_named(&mut text, &event);
            }
        }
        ReplyKind::Json => images(&answer)?.iter().for_each(|event| push_named(&mut text, event)),
        ReplyKind::Bytes => return None,
    }
    Some(text.into())
}

/// Appends an event that is called by its type.
fn push_named(text: &mut String, event: &Value) {
    let name = event["type"].as_str().unwrap_or_default();
    text.push_str(&format!("event: {name}\ndata: {event}\n\n"));
}

/// Returns the chunks of a chat completion or of a legacy one: all of the text, the end, and the usage.
fn chunks(kind: ReplyKind, mut answer: Object, with_usage: bool) -> Option<Vec<Value>> {
    let Some(Value::Array(choices)) = answer.shift_remove("choices") else { return None };
    let usage = answer.shift_remove("usage").filter(|usage| with_usage && !usage.is_null());
    let name = if kind == ReplyKind::Chat { "chat.completion.chunk" } else { "text_completion" };
    answer.insert("object".to_owned(), json!(name));
    let pieces =
        choices.iter().enumerate().map(|(nth, choice)| piece(kind, nth, choice)).collect::<Option<Vec<_>>>()?;
    let ends = choices.iter().enumerate().map(|(nth, choice)| end(kind, nth, choice)).collect::<Vec<_>>();
    let chunk = |choices: Vec<Value>| {
        let mut chunk = answer.clone();
        chunk.insert("choices".to_owned(), Value::Array(choices));
        chunk
    };
    let mut chunks = vec![Value::Object(chunk(pieces)), Value::Object(chunk(ends))];
    if let Some(usage) = usage {
        let mut last = chunk(Vec::new());
        last.insert("usage".to_owned(), usage);
        chunks.push(Value::Object(last));
    }
    Some(chunks)
}

/// Returns a choice of the first chunk: all that the choice says.
fn piece(kind: ReplyKind, nth: usize, choice: &Value) -> Option<Value> {
    let mut piece = json!({ "index": choice.get("index").cloned().unwrap_or(json!(nth)), "finish_reason": null });
    match kind {
        ReplyKind::Chat => {
            let mut delta = choice.get("message")?.as_object()?.clone();
            if let Some(Value::Array(calls)) = delta.get_mut("tool_calls") {
                for (nth, call) in calls.iter_mut().enumerate() {
                    if let Value::Object(call) = call {
                        call.entry("index").or_insert(json!(nth));
                    }
                }
            }
            piece["delta"] = Value::Object(delta);
        }
        ReplyKind::Completion | ReplyKind::Responses | ReplyKind::Json | ReplyKind::Bytes => {
            piece["text"] = choice.get("text")?.clone();
        }
    }
    piece["logprobs"] = choice.get("logprobs").cloned().unwrap_or_default();
    Some(piece)
}

/// Returns a choice of the second chunk: its end.
fn end(kind: ReplyKind, nth: usize, choice: &Value) -> Value {
    let index = choice.get("index").cloned().unwrap_or(json!(nth));
    let calls_tools =
        choice.pointer("/message/tool_calls").and_then(Value::as_array).is_some_and(|calls| !calls.is_empty());
    let told =
        choice.get("finish_reason").and_then(Value::as_str).filter(|reason| Finish::of_text(reason) != Finish::Open);
    let reason = told.unwrap_or(if calls_tools { "tool_calls" } else { "stop" });
    match kind {
        ReplyKind::Chat => json!({ "index": index, "delta": {}, "logprobs": null, "finish_reason": reason }),
        ReplyKind::Completion | ReplyKind::Responses | ReplyKind::Json | ReplyKind::Bytes => {
            json!({ "index": index, "text": "", "logprobs": null, "finish_reason": reason })
        }
    }
}

/// Returns the events of a response: its frame, each item with its parts, and its end.
fn events_of_response(response: &Object) -> Option<Vec<Value>> {
    let items = response.get("output")?.as_array()?;
    let mut begun = response.clone();
    begun.insert("status".to_owned(), json!("in_progress"));
    begun.insert("output".to_owned(), json!([]));
    begun.insert("usage".to_owned(), Value::Null);
    let mut events = vec![
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.in_progress", "response": begun }),
    ];
    for (nth, item) in items.iter().enumerate() {
        let mut frame = item.clone();
        for (member, empty) in [("content", json!([])), ("summary", json!([])), ("arguments", json!(""))] {
            if let Some(full) = frame.get_mut(member) {
                *full = empty;
            }
        }
        events.push(json!({ "type": "response.output_item.added", "output_index": nth, "item": frame }));
        events.extend(events_of_item(nth, item));
        events.push(json!({ "type": "response.output_item.done", "output_index": nth, "item": item }));
    }
    let end = match response.get("status").and_then(Value::as_str) {
        Some("incomplete") => "response.incomplete",
        Some(_) | None => "response.completed",
    };
    events.push(json!({ "type": end, "response": response }));
    Some(events)
}

/// The texts of an item: where they stand, what their parts are called, and what their events are.
struct Texts {
    member: &'static str,
    kind: &'static str,
    text: &'static str,
    part_event: &'static str,
    text_event: &'static str,
    index: &'static str,
}

const TEXTS: [Texts; 4] = [
    Texts {
        member: "content",
        kind: "output_text",
        text: "text",
        part_event: "response.content_part",
        text_event: "response.output_text",
        index: "content_index",
    },
    Texts {
        member: "content",
        kind: "refusal",
        text: "refusal",
        part_event: "response.content_part",
        text_event: "response.refusal",
        index: "content_index",
    },
    Texts {
        member: "content",
        kind: "reasoning_text",
        text: "text",
        part_event: "response.content_part",
        text_event: "response.reasoning_text",
        index: "content_index",
    },
    Texts {
        member: "summary",
        kind: "summary_text",
        text: "text",
        part_event: "response.reasoning_summary_part",
        text_event: "response.reasoning_summary_text",
        index: "summary_index",
    },
];

/// Returns what happens between an item's beginning and its end.
fn events_of_item(nth: usize, item: &Value) -> Vec<Value> {
    let id = item.get("id").cloned().unwrap_or_default();
    let mut events = Vec::new();
    for member in ["summary", "content"] {
        let parts = item.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (index, part) in parts.iter().enumerate() {
            let row = TEXTS.iter().find(|row| row.member == member && part["type"] == row.kind);
            let Some(row) = row else { continue };
            let event = |name: String, rest: Value| {
                let mut event = json!({ "type": name, "item_id": id, "output_index": nth });
                event[row.index] = json!(index);
                if let (Value::Object(event), Value::Object(rest)) = (&mut event, rest) {
                    event.extend(rest);
                }
                event
            };
            let text = part.get(row.text).cloned().unwrap_or(json!(""));
            let mut empty = part.clone();
            empty[row.text] = json!("");
            let mut done = Object::new();
            done.insert(row.text.to_owned(), text.clone());
            events.push(event(format!("{}.added", row.part_event), json!({ "part": empty })));
            events.push(event(format!("{}.delta", row.text_event), json!({ "delta": text, "logprobs": [] })));
            events.push(event(format!("{}.done", row.text_event), Value::Object(done)));
            events.push(event(format!("{}.done", row.part_event), json!({ "part": part })));
        }
    }
    if let Some(arguments) = item.get("arguments").filter(|_| item["type"] == "function_call") {
        let frame = json!({ "item_id": id, "output_index": nth });
        for (name, member) in [("delta", "delta"), ("done", "arguments")] {
            let mut event = frame.clone();
            event["type"] = json!(format!("response.function_call_arguments.{name}"));
            event[member] = arguments.clone();
            events.push(event);
        }
    }
    events
}

/// Returns the events of images, one for each. Other objects have no stream.
fn images(answer: &Object) -> Option<Vec<Value>> {
    let images = answer.get("data")?.as_array()?.iter();
    let events = images.map(|image| {
        let mut event = answer.clone();
        event.shift_remove("data");
        event.insert("type".to_owned(), json!("image_generation.completed"));
        event.insert("created_at".to_owned(), event.get("created").cloned().unwrap_or_default());
        event.insert("b64_json".to_owned(), image.get("b64_json").filter(|data| data.is_string())?.clone());
        Some(Value::Object(event))
    });
    events.collect::<Option<Vec<_>>>().filter(|events| !events.is_empty())
}
