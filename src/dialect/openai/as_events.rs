//! A whole answer as a stream, for a client with `stream: true` whose upstream sent one JSON object.

use actix_web::web::Bytes;
use serde_json::{Value, json};

use super::JsonObject;
use super::finish::Finish;
use crate::dialect::first_bytes::without_byte_order_mark;
use crate::dialect::reply_kind::ReplyKind;

/// Returns the events of an answer's stream, the end mark included; `None` if there is no such form. `with_usage`: the
/// client asked for the usage.
pub(crate) fn events_of(kind: ReplyKind, answer: &[u8], with_usage: bool) -> Option<Bytes> {
    let answer = super::object(without_byte_order_mark(answer))?;
    let mut text = String::new();
    match kind {
        ReplyKind::Chat | ReplyKind::Completion => {
            for chunk in chunks(kind, answer, with_usage)? {
                text.push_str(&format!("data: {chunk}\n\n"));
            }
            text.push_str("data: [DONE]\n\n");
        }
        ReplyKind::Responses => {
            for (nth, event) in events_of_response(&answer)?.into_iter().enumerate() {
                push_named(&mut text, &with(event, "sequence_number", json!(nth)));
            }
        }
        ReplyKind::Json => images(&answer)?.iter().for_each(|event| push_named(&mut text, event)),
        ReplyKind::Messages
        | ReplyKind::Generation
        | ReplyKind::Bytes
        | ReplyKind::Transcript
        | ReplyKind::Object
        | ReplyKind::File => {
            return None;
        }
    }
    Some(text.into())
}

/// Returns an object with one member more.
fn with(mut object: Value, member: &str, value: Value) -> Value {
    if let Value::Object(members) = &mut object {
        members.insert(member.to_owned(), value);
    }
    object
}

/// Returns a member of a value, or null.
fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or_default()
}

/// Appends an event with its type as its name.
fn push_named(text: &mut String, event: &Value) {
    let name = member(event, "type").as_str().unwrap_or_default();
    text.push_str(&format!("event: {name}\ndata: {event}\n\n"));
}

/// Returns the chunks of a chat completion or of a legacy one: all of the text, the end, and the usage.
fn chunks(kind: ReplyKind, mut answer: JsonObject, with_usage: bool) -> Option<Vec<Value>> {
    let Some(Value::Array(choices)) = answer.shift_remove("choices") else { return None };
    let usage = answer.shift_remove("usage").filter(|usage| with_usage && !usage.is_null());
    let name = if kind == ReplyKind::Chat { "chat.completion.chunk" } else { "text_completion" };
    answer.insert("object".to_owned(), json!(name));
    let pieces = choices.iter().enumerate().map(|(nth, choice)| piece(kind, nth, choice)).collect::<Vec<_>>();
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

/// Returns a choice of the first chunk, with all of the text.
fn piece(kind: ReplyKind, nth: usize, choice: &Value) -> Value {
    let (name, text) = match kind {
        ReplyKind::Chat => ("delta", delta(member(choice, "message"))),
        ReplyKind::Completion
        | ReplyKind::Responses
        | ReplyKind::Messages
        | ReplyKind::Generation
        | ReplyKind::Json
        | ReplyKind::Bytes
        | ReplyKind::Transcript
        | ReplyKind::Object
        | ReplyKind::File => ("text", choice.get("text").cloned().unwrap_or(json!(""))),
    };
    let index = choice.get("index").cloned().unwrap_or(json!(nth));
    json!({ "index": index, name: text, "logprobs": member(choice, "logprobs"), "finish_reason": null })
}

/// Returns a message as one piece: tool calls get indexes.
fn delta(message: &Value) -> Value {
    let Value::Object(mut delta) = message.clone() else { return json!({}) };
    if let Some(Value::Array(calls)) = delta.get_mut("tool_calls") {
        for (nth, call) in calls.iter_mut().enumerate() {
            *call = with(call.take(), "index", json!(nth));
        }
    }
    Value::Object(delta)
}

/// Returns a choice of the second chunk: its end.
fn end(kind: ReplyKind, nth: usize, choice: &Value) -> Value {
    let index = choice.get("index").cloned().unwrap_or(json!(nth));
    let calls = choice.pointer("/message/tool_calls").and_then(Value::as_array);
    let reason = member(choice, "finish_reason").as_str().filter(|reason| Finish::of_text(reason) != Finish::Open);
    let usual = if calls.is_some_and(|calls| !calls.is_empty()) { "tool_calls" } else { "stop" };
    let (name, nothing) = match kind {
        ReplyKind::Chat => ("delta", json!({})),
        ReplyKind::Completion
        | ReplyKind::Responses
        | ReplyKind::Messages
        | ReplyKind::Generation
        | ReplyKind::Json
        | ReplyKind::Bytes
        | ReplyKind::Transcript
        | ReplyKind::Object
        | ReplyKind::File => ("text", json!("")),
    };
    json!({ "index": index, name: nothing, "logprobs": null, "finish_reason": reason.unwrap_or(usual) })
}

/// Returns the events of a response: the frame, each item with all parts, and the end.
fn events_of_response(response: &JsonObject) -> Option<Vec<Value>> {
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

/// A member of an item with a list of parts.
struct Parts {
    list: &'static str,
    event: &'static str,
    index: &'static str,
}

const PARTS: [Parts; 2] = [
    Parts { list: "summary", event: "response.reasoning_summary_part", index: "summary_index" },
    Parts { list: "content", event: "response.content_part", index: "content_index" },
];

/// A type of part with a text.
struct Texts {
    kind: &'static str,
    event: &'static str,
    member: &'static str,
}

const TEXTS: [Texts; 4] = [
    Texts { kind: "output_text", event: "response.output_text", member: "text" },
    Texts { kind: "refusal", event: "response.refusal", member: "refusal" },
    Texts { kind: "reasoning_text", event: "response.reasoning_text", member: "text" },
    Texts { kind: "summary_text", event: "response.reasoning_summary_text", member: "text" },
];

/// Returns the events between an item's beginning and end.
fn events_of_item(nth: usize, item: &Value) -> Vec<Value> {
    let mut events = Vec::new();
    let place = json!({ "item_id": member(item, "id"), "output_index": nth });
    for parts in PARTS {
        for (nth, part) in member(item, parts.list).as_array().into_iter().flatten().enumerate() {
            let kind = member(part, "type").as_str().unwrap_or_default();
            if let Some(texts) = TEXTS.iter().find(|texts| texts.kind == kind) {
                let at_part = with(place.clone(), parts.index, json!(nth));
                let event = |name: &str, end: &str| with(at_part.clone(), "type", json!(format!("{name}.{end}")));
                let text = member(part, texts.member);
                events.extend([
                    with(event(parts.event, "added"), "part", with(part.clone(), texts.member, json!(""))),
                    with(with(event(texts.event, "delta"), "delta", text.clone()), "logprobs", json!([])),
                    with(event(texts.event, "done"), texts.member, text.clone()),
                    with(event(parts.event, "done"), "part", part.clone()),
                ]);
            }
        }
    }
    if let Some(arguments) = item.get("arguments").filter(|_| member(item, "type") == "function_call") {
        for (name, argument) in [("delta", "delta"), ("done", "arguments")] {
            let event = with(place.clone(), "type", json!(format!("response.function_call_arguments.{name}")));
            events.push(with(event, argument, arguments.clone()));
        }
    }
    events
}

/// Returns the events of images, one for each. Other objects have no stream.
fn images(answer: &JsonObject) -> Option<Vec<Value>> {
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

#[cfg(test)]
mod tests;
