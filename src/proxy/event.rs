//! What one event of a stream says, by its data: an error, a part of the answer, its end, its usage. Pure.

use std::ops::Range;

use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{is_empty_list, usage_in};
use super::sse;
use crate::dialect::openai::error_body::ErrorBody;
use crate::types::{Operation, Usage, tokens_of_text};

/// What an event is, to one who decides whether the client may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing of the answer yet: a comment, a role, "in progress".
    Preamble,
    /// A part of the answer.
    Content,
    /// The upstream failed.
    Error(ErrorBody),
    /// `[DONE]`.
    Done,
}

/// What an event means. Once the answer has begun, only what may be an error is looked into.
pub(super) fn meaning(event: &[u8], begun: bool) -> Meaning {
    let data = sse::data(event).unwrap_or_default();
    let data = data.trim_ascii();
    if data.is_empty() {
        return Meaning::Preamble;
    }
    if data == b"[DONE]" {
        return Meaning::Done;
    }
    if begun && memmem::find(event, b"error").is_none() {
        return Meaning::Content;
    }
    if let Some(told) = error_in(event, data) {
        return Meaning::Error(told);
    }
    match serde_json::from_slice::<Value>(data) {
        Ok(value) if !begun && !carries_content(&value) => Meaning::Preamble,
        Ok(_) | Err(_) => Meaning::Content,
    }
}

/// Does an event tell that the answer is complete? Some upstreams send no `[DONE]`.
pub(super) fn completes(operation: Operation, event: &[u8]) -> bool {
    const RESPONSE_ENDS: [&[u8]; 3] = [b"response.completed", b"response.incomplete", b"response.failed"];
    match operation {
        Operation::Responses => RESPONSE_ENDS.iter().any(|kind| has_type(event, kind)),
        Operation::ChatCompletions | Operation::Completions => has_finish_reason(event),
        Operation::Embeddings | Operation::Moderations | Operation::ImagesGenerations | Operation::AudioSpeech => false,
    }
}

/// The usage that an event tells, and where that stands in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct UsageTold {
    /// The tokens.
    pub(super) usage: Option<Usage>,
    /// The event is there for the usage alone: it has no choices.
    pub(super) is_extra: bool,
    /// Where the member `"usage": null` and one comma beside it stand, if it has that.
    pub(super) null_at: Option<Range<usize>>,
}

/// Tokens of an event with content, guessed: one, as most upstreams send them; more if its text is long.
pub(super) fn guessed_tokens(event: &[u8]) -> u64 {
    /// What an event takes besides its text, at most; a text that fits in besides is of a word or two.
    const FRAME: usize = 400;
    /// Where the text stands, in chat, in its older form, and in responses.
    const KEYS: [&[u8]; 3] = [b"\"content\":", b"\"text\":", b"\"delta\":"];
    // Of its end, a part may come late.
    let event = event.trim_ascii_end();
    if event.len() < FRAME {
        return 1;
    }
    let texts = KEYS.iter().filter_map(|key| {
        let value = memmem::find(event, key).and_then(|at| event.get(at + key.len()..))?;
        let text = value.trim_ascii_start().strip_prefix(b"\"")?;
        let ends = memchr::memchr_iter(b'"', text).find(|end| !text.get(..*end).unwrap_or_default().ends_with(b"\\"));
        Some(tokens_of_text(ends.unwrap_or(text.len())))
    });
    texts.max().unwrap_or(1).max(1)
}

/// Reads the usage out of an event.
pub(super) fn usage(event: &[u8]) -> UsageTold {
    if memmem::find(event, b"usage").is_none() {
        return UsageTold::default();
    }
    let data = sse::data(event).unwrap_or_default();
    // What is no text may be an error that nobody could read: it is not to be taken out for the usage beside it.
    let Some(peek) = std::str::from_utf8(&data).ok().and_then(|text| serde_json::from_str::<Peek<'_>>(text).ok())
    else {
        return UsageTold::default();
    };
    // The Responses API tells it inside.
    let inner = peek.response.and_then(|response| serde_json::from_str::<Peek<'_>>(response.get()).ok());
    let told = inner.map_or(peek.usage, |response| response.usage).get();
    let no_choices = peek.choices.is_none_or(|choices| is_empty_list(choices.get()));
    let is_null = peek.usage.get() == "null";
    UsageTold {
        usage: usage_in(told.as_bytes()),
        is_extra: no_choices && !is_null,
        null_at: if is_null { member_around(event, peek.usage.get()) } else { None },
    }
}

#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow, default = "absent")]
    usage: &'a RawValue,
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
}

fn absent() -> &'static RawValue {
    RawValue::NULL
}

/// Where the member `"usage": VALUE` and one comma beside it stand in `event`, given the value as a part of it; `None` if
/// it is no part of it, or its key is written in an unusual way.
fn member_around(event: &[u8], value: &str) -> Option<std::ops::Range<usize>> {
    let start = (value.as_ptr() as usize).checked_sub(event.as_ptr() as usize)?;
    let (before, after) = (event.get(..start)?, event.get(start + value.len()..)?);
    let key = before.trim_ascii_end().strip_suffix(b":")?.trim_ascii_end().strip_suffix(b"\"usage\"")?;
    match key.trim_ascii_end().strip_suffix(b",") {
        Some(kept) => Some(kept.len()..start + value.len()),
        None => {
            let comma = after.len() - after.trim_ascii_start().len();
            let comma = usize::from(after.get(comma) == Some(&b',')) * (comma + 1);
            Some(key.len()..start + value.len() + comma)
        }
    }
}

/// Does it tell an error, once all of it is looked at?
pub(super) fn is_error(event: &[u8]) -> bool {
    let data = sse::data(event).unwrap_or_default();
    error_in(event, data.trim_ascii()).is_some()
}

/// The error that an event tells, if it is one: by its data, or by its name.
fn error_in(event: &[u8], data: &[u8]) -> Option<ErrorBody> {
    ErrorBody::from_success(data).or_else(|| sse::is_named(event, b"error").then(|| ErrorBody::from_error_response(data)))
}

/// Events of the Responses API that are but the frame of what is to come, and where in them a part of the answer may stand all the
/// same.
const FRAMES: [(&str, &[&str]); 6] = [
    ("response.created", &[]),
    ("response.in_progress", &[]),
    ("response.queued", &[]),
    ("response.output_item.added", &["/item/content", "/item/summary", "/item/name", "/item/encrypted_content"]),
    ("response.content_part.added", &["/part/text", "/part/refusal"]),
    ("response.reasoning_summary_part.added", &["/part/text"]),
];

/// Does an event carry a part of the answer? What is not known is taken for one.
fn carries_content(value: &Value) -> bool {
    if let Some(kind) = value.get("type").and_then(Value::as_str) {
        let frame = FRAMES.iter().find(|(name, _)| *name == kind);
        return frame.is_none_or(|(_, parts)| parts.iter().any(|part| value.pointer(part).is_some_and(is_something)));
    }
    let Some(choices) = value.get("choices").filter(|choices| !choices.is_null()) else {
        return value.get("choices").is_none();
    };
    let Some(choices) = choices.as_array() else { return true };
    choices.iter().any(|choice| {
        let parts = choice.get("delta").and_then(Value::as_object);
        let text = choice.get("text").is_some_and(is_something);
        // A filter's verdict, a length of 0: an answer of a kind. A mere "stop" after nothing is none.
        let reason = choice.get("finish_reason").and_then(Value::as_str).is_some_and(|reason| reason != "stop");
        text || reason || parts.is_some_and(|parts| parts.iter().any(|(k, v)| k != "role" && is_something(v)))
    })
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// `"finish_reason": "…"`. Inside a text its quotes would be escaped, so the words alone are proof.
fn has_finish_reason(data: &[u8]) -> bool {
    memmem::find_iter(data, br#""finish_reason""#).any(|at| follows(data, at + 15, b"\""))
}

/// `"type": "KIND"`.
fn has_type(data: &[u8], kind: &[u8]) -> bool {
    memmem::find_iter(data, br#""type""#).any(|at| follows(data, at + 6, &[b"\"", kind, b"\""].concat()))
}

/// After `at`, is there a colon and then `wanted`?
fn follows(data: &[u8], at: usize, wanted: &[u8]) -> bool {
    let rest = data.get(at..).unwrap_or_default().trim_ascii_start();
    rest.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(number: Option<u16>, code: &str) -> Meaning {
        Meaning::Error(ErrorBody { status_code: number, code: code.to_owned(), is_openai_shaped: true, ..ErrorBody::default() })
    }

    #[test]
    fn a_long_text_is_more_than_a_token() {
        let event = |text: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\": \"{text}\"}}}}]}}\n\n");
        assert_eq!(guessed_tokens(event("word").as_bytes()), 1);
        assert_eq!(guessed_tokens(event(&"word".repeat(1_000)).as_bytes()), 1_000);
        let quoting = event(&format!("{}\\\"{}", "word".repeat(500), "word".repeat(500)));
        assert!((1_000..=1_001).contains(&guessed_tokens(quoting.as_bytes())), "an escaped quote is no end");
        assert_eq!(guessed_tokens(&b"x".repeat(1_000)), 1);
    }

    #[test]
    fn what_carries_no_content_may_be_held_back() {
        for (json, wanted) in [
            (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, Meaning::Preamble),
            (r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[]}}]}"#, Meaning::Preamble),
            (r#"{"choices":[],"prompt_filter_results":[{}]}"#, Meaning::Preamble),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, Meaning::Preamble),
            (r#"{"type":"response.created","response":{"error":null}}"#, Meaning::Preamble),
            (r#"{"choices":[{"delta":{"content":"a"}}]}"#, Meaning::Content),
            (r#"{"choices":[{"delta":{"reasoning_content":"a"}}]}"#, Meaning::Content),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, Meaning::Content),
            (r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#, Meaning::Content),
            (r#"{"choices":[{"text":"a"}]}"#, Meaning::Content),
            (r#"{"type":"response.output_text.delta","delta":"a"}"#, Meaning::Content),
            (r#"{"type":"response.output_item.added","item":{"type":"message","content":[]}}"#, Meaning::Preamble),
            (r#"{"type":"response.output_item.added","item":{"type":"reasoning","summary":[]}}"#, Meaning::Preamble),
            (r#"{"type":"response.output_item.added","item":{"type":"function_call","name":"f"}}"#, Meaning::Content),
            (r#"{"type":"response.content_part.added","part":{"type":"output_text","text":""}}"#, Meaning::Preamble),
            (r#"{"type":"response.content_part.added","part":{"type":"output_text","text":"a"}}"#, Meaning::Content),
            (r#"{"unknown":1}"#, Meaning::Content),
            ("no JSON", Meaning::Content),
            ("[DONE]", Meaning::Done),
            (r#"{"error":{"code":429}}"#, error(Some(429), "")),
            (r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#, error(None, "server_error")),
        ] {
            assert_eq!(meaning(format!("data: {json}\n\n").as_bytes(), false), wanted, "{json}");
        }
        assert_eq!(meaning(b": ping\n\n", false), Meaning::Preamble);
        let named = ErrorBody { status_code: Some(500), ..ErrorBody::default() };
        for begun in [false, true] {
            let event = b"event: error\ndata: {\"code\":500}\n\n";
            assert_eq!(meaning(event, begun), Meaning::Error(named.clone()), "by its name alone");
        }
    }
}
