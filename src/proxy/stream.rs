//! What the events of one stream mean: which may be held back, what they cost, and how the stream ends. Pure.

use actix_web::web::Bytes;
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::{class_of_error, usage_in};
use super::sse::{self, Piece, SseReader};
use crate::types::{FailureClass, Operation, Usage};

/// What an event is, to one who decides whether the client may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meaning {
    /// Nothing of the answer yet: a comment, a role, "in progress".
    Preamble,
    /// A part of the answer.
    Content,
    /// The upstream failed.
    Error(FailureClass),
    /// `[DONE]`.
    Done,
}

/// One stream of events, from its bytes to what the client sees of it.
#[derive(Debug)]
pub(super) struct EventStream {
    reader: SseReader,
    /// What the events meant so far.
    pub(super) meter: Meter,
}

impl EventStream {
    /// At the beginning of a stream.
    pub(super) fn new(operation: Operation, strip_usage: bool) -> Self {
        EventStream { reader: SseReader::new(), meter: Meter::new(operation, strip_usage) }
    }

    /// Takes in what arrived; appends what the client is to see of it.
    pub(super) fn feed(&mut self, chunk: &[u8], shown: &mut impl Extend<Bytes>) {
        self.reader.push(chunk);
        while let Some(piece) = self.reader.next() {
            shown.extend(match piece {
                Piece::Event(event) => self.meter.event(event),
                Piece::LateLf(lf) => self.meter.late_lf(lf),
                Piece::Oversize(part) => {
                    self.meter.began = true;
                    Some(part)
                }
            });
        }
    }

    /// The bytes behind the last whole event, when the stream has ended. A `[DONE]` without its blank line counts.
    pub(super) fn finish(&mut self) -> Option<Bytes> {
        let rest = self.reader.rest();
        if rest.is_empty() { None } else { self.meter.event(rest) }
    }
}

/// Follows the meaning of one stream.
#[derive(Debug)]
pub(super) struct Meter {
    operation: Operation,
    /// The proxy asked for the usage and the client did not: take it out again.
    strip: bool,
    /// The last usage that was reported.
    usage: Option<Usage>,
    /// Events that carried content: about as many tokens.
    content_events: u64,
    began: bool,
    ended: bool,
    failed: Option<FailureClass>,
    dropped_last: bool,
}

impl Meter {
    /// At the beginning of a stream.
    fn new(operation: Operation, strip: bool) -> Self {
        Meter {
            operation,
            strip,
            usage: None,
            content_events: 0,
            began: false,
            ended: false,
            failed: None,
            dropped_last: false,
        }
    }

    /// Takes in one event. Returns what the client is to see of it, if anything.
    fn event(&mut self, event: Bytes) -> Option<Bytes> {
        match self.meaning(&event) {
            Meaning::Content => {
                self.began = true;
                self.content_events += 1;
            }
            Meaning::Error(class) => self.failed = Some(class),
            Meaning::Done => self.ended = true,
            Meaning::Preamble => {}
        }
        let shown = self.usage_taken_out(event);
        self.dropped_last = shown.is_none();
        shown
    }

    /// A line's end that came late: belongs to the event before.
    fn late_lf(&self, lf: Bytes) -> Option<Bytes> {
        (!self.dropped_last).then_some(lf)
    }

    /// Has a part of the answer come?
    pub(super) fn began(&self) -> bool {
        self.began
    }

    /// Is the stream whole, now that it has ended without an error? Upstreams end with `[DONE]`, or at least with a
    /// reason to finish.
    pub(super) fn is_whole(&self) -> bool {
        self.ended || (!self.ends_with_mark() && self.began)
    }

    /// The failure that the stream itself told.
    pub(super) fn failed(&self) -> Option<FailureClass> {
        self.failed
    }

    /// What it cost: as reported, or as guessed from its events and the length of the request.
    pub(super) fn usage(&self, prompt_bytes: usize) -> Option<Usage> {
        let guess = || Usage::estimate(prompt_bytes, self.content_events);
        self.usage.or_else(|| self.began.then(guess))
    }

    fn ends_with_mark(&self) -> bool {
        match self.operation {
            Operation::ChatCompletions | Operation::Completions | Operation::Responses => true,
            Operation::Embeddings
            | Operation::Moderations
            | Operation::ImagesGenerations
            | Operation::AudioSpeech => false,
        }
    }

    fn meaning(&mut self, event: &[u8]) -> Meaning {
        let Some(data) = sse::data(event) else { return Meaning::Preamble };
        let data = data.trim_ascii();
        if data.is_empty() {
            return Meaning::Preamble;
        }
        if data == b"[DONE]" {
            return Meaning::Done;
        }
        self.note_end(data);
        let may_be_error = memmem::find(event, b"error").is_some();
        if self.began && !may_be_error {
            return Meaning::Content;
        }
        let Ok(value) = serde_json::from_slice::<Value>(data) else { return Meaning::Content };
        match error_of(&value) {
            Some(class) => Meaning::Error(class),
            None if self.began || carries_content(&value) => Meaning::Content,
            None => Meaning::Preamble,
        }
    }

    /// Notes a reason to finish: some upstreams send no `[DONE]`.
    fn note_end(&mut self, data: &[u8]) {
        self.ended |= match self.operation {
            Operation::Responses => [&b"response.completed"[..], b"response.incomplete", b"response.failed"]
                .iter()
                .any(|mark| has_type(data, mark)),
            Operation::ChatCompletions | Operation::Completions => has_finish_reason(data),
            Operation::Embeddings
            | Operation::Moderations
            | Operation::ImagesGenerations
            | Operation::AudioSpeech => false,
        };
    }

    /// Reads the usage out of an event, and takes it out of what the client sees if it did not ask for it.
    fn usage_taken_out(&mut self, event: Bytes) -> Option<Bytes> {
        if memmem::find(&event, b"usage").is_none() {
            return Some(event);
        }
        let (usage, cut) = {
            let data = sse::data(&event).unwrap_or_default();
            let Ok(peek) = serde_json::from_slice::<Peek<'_>>(&data) else { return Some(event) };
            let in_response =
                peek.response.and_then(|response| serde_json::from_str::<Peek<'_>>(response.get()).ok());
            let usage = in_response.map_or(peek.usage, |response| response.usage).get();
            let is_extra =
                peek.choices.is_some_and(|choices| choices.get().trim_matches(['[', ']']).trim().is_empty());
            let cut = match (self.strip, peek.usage.get()) {
                (true, "null") => Cut::Member(member_around(&event, peek.usage.get())),
                (true, _) if is_extra => Cut::Event,
                (true | false, _) => Cut::Member(None),
            };
            (usage_in(usage.as_bytes()), cut)
        };
        self.usage = usage.or(self.usage);
        match cut {
            Cut::Event => None,
            Cut::Member(None) => Some(event),
            Cut::Member(Some(member)) => {
                let (before, after) = (event.get(..member.start), event.get(member.end..));
                Some([before.unwrap_or_default(), after.unwrap_or_default()].concat().into())
            }
        }
    }
}

/// What is to be cut out of an event.
enum Cut {
    Event,
    Member(Option<std::ops::Range<usize>>),
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

/// The class of the error that an event tells, if it is one.
fn error_of(value: &Value) -> Option<FailureClass> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind == "response.failed" {
        return Some(value.pointer("/response/error").map_or(FailureClass::ServerError, class_of_error));
    }
    match value.get("error").filter(|error| !error.is_null()) {
        Some(error) => Some(class_of_error(error)),
        None => (kind == "error").then(|| class_of_error(value)),
    }
}

/// Does an event carry a part of the answer? What is not known is taken for one.
fn carries_content(value: &Value) -> bool {
    if let Some(kind) = value.get("type").and_then(Value::as_str) {
        return !matches!(kind, "response.created" | "response.in_progress" | "response.queued");
    }
    let Some(choices) = value.get("choices").and_then(Value::as_array) else { return true };
    choices.iter().any(|choice| {
        let parts = choice.get("delta").and_then(Value::as_object);
        let text = choice.get("text").is_some_and(is_something);
        // A filter's verdict, a length of 0: an answer of a kind. A mere "stop" after nothing is none.
        let reason =
            choice.get("finish_reason").and_then(Value::as_str).is_some_and(|reason| reason != "stop");
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

    fn event(meter: &mut Meter, json: &str) -> (Option<String>, Meaning) {
        let bytes = Bytes::from(format!("data: {json}\n\n"));
        let meaning = meter.meaning(&bytes);
        let shown = meter.event(bytes);
        (shown.map(|bytes| String::from_utf8(bytes.to_vec()).expect("UTF-8")), meaning)
    }

    #[test]
    fn usage_that_only_the_proxy_asked_for_is_taken_out_to_the_byte() {
        let mut meter = Meter::new(Operation::ChatCompletions, true);
        for (sent, seen) in [
            (
                r#"{"choices":[{"delta":{"content":"a"}}],"usage":null}"#,
                r#"{"choices":[{"delta":{"content":"a"}}]}"#,
            ),
            (
                r#"{ "usage" : null , "choices":[{"delta":{"content":"b"}}]}"#,
                r#"{  "choices":[{"delta":{"content":"b"}}]}"#,
            ),
            (r#"{"id":1, "usage": null, "choices":[{}]}"#, r#"{"id":1, "choices":[{}]}"#),
            (
                r#"{"choices":[{"delta":{"content":"usage: \"usage\":null"}}]}"#,
                r#"{"choices":[{"delta":{"content":"usage: \"usage\":null"}}]}"#,
            ),
            (r#"{"usage":null}"#, "{}"),
        ] {
            assert_eq!(event(&mut meter, sent).0, Some(format!("data: {seen}\n\n")));
        }
        let extra = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#;
        assert_eq!(event(&mut meter, extra).0, None);
        assert_eq!(meter.usage(0).map(|u| u.total), Some(7));
        assert_eq!(meter.late_lf(Bytes::from_static(b"\n")), None, "it belongs to what was taken out");
    }

    #[test]
    fn usage_that_the_client_asked_for_stays() {
        let mut meter = Meter::new(Operation::ChatCompletions, false);
        let extra = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
        assert_eq!(event(&mut meter, extra).0, Some(format!("data: {extra}\n\n")));
        assert_eq!(meter.usage(0).map(|u| u.total), Some(7));
    }

    #[test]
    fn the_last_usage_wins_and_a_responses_stream_tells_it_inside() {
        let mut meter = Meter::new(Operation::ChatCompletions, true);
        event(
            &mut meter,
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
        );
        event(
            &mut meter,
            r#"{"choices":[{"delta":{"content":"b"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
        );
        assert_eq!(meter.usage(0).map(|u| u.total), Some(3));
        let mut meter = Meter::new(Operation::Responses, false);
        let done = r#"{"type":"response.completed","response":{"usage":{"input_tokens":5,"output_tokens":6,"total_tokens":11}}}"#;
        event(&mut meter, done);
        assert_eq!(meter.usage(0).map(|u| u.total), Some(11));
        assert!(meter.is_whole());
    }

    #[test]
    fn what_carries_no_content_may_be_held_back() {
        for (json, meaning) in [
            (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, Meaning::Preamble),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[]}}]}"#,
                Meaning::Preamble,
            ),
            (r#"{"choices":[],"prompt_filter_results":[{}]}"#, Meaning::Preamble),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, Meaning::Preamble),
            (r#"{"type":"response.created","response":{"error":null}}"#, Meaning::Preamble),
            (r#"{"choices":[{"delta":{"content":"a"}}]}"#, Meaning::Content),
            (r#"{"choices":[{"delta":{"reasoning_content":"a"}}]}"#, Meaning::Content),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, Meaning::Content),
            (r#"{"choices":[{"delta":{},"finish_reason":"content_filter"}]}"#, Meaning::Content),
            (r#"{"choices":[{"text":"a"}]}"#, Meaning::Content),
            (r#"{"type":"response.output_text.delta","delta":"a"}"#, Meaning::Content),
            (r#"{"unknown":1}"#, Meaning::Content),
            ("no JSON", Meaning::Content),
            ("[DONE]", Meaning::Done),
            (r#"{"error":{"code":429}}"#, Meaning::Error(FailureClass::RateLimited)),
            (
                r#"{"type":"response.failed","response":{"error":{"code":"server_error"}}}"#,
                Meaning::Error(FailureClass::ServerError),
            ),
        ] {
            let operation =
                if json.contains("response.") { Operation::Responses } else { Operation::ChatCompletions };
            assert_eq!(event(&mut Meter::new(operation, false), json).1, meaning, "{json}");
        }
        assert_eq!(Meter::new(Operation::ChatCompletions, false).meaning(b": ping\n\n"), Meaning::Preamble);
    }

    #[test]
    fn a_stream_is_whole_with_an_end_mark_only() {
        let mut meter = Meter::new(Operation::ChatCompletions, false);
        event(
            &mut meter,
            r#"{"choices":[{"delta":{"content":"say \"finish_reason\":\"stop\""},"finish_reason":null}]}"#,
        );
        assert!(!meter.is_whole(), "words in the text end nothing");
        event(&mut meter, r#"{"choices":[{"delta":{},"finish_reason": "stop"}]}"#);
        assert!(meter.is_whole(), "some upstreams send no [DONE]");
        let mut meter = Meter::new(Operation::ChatCompletions, false);
        event(&mut meter, r#"{"choices":[{"delta":{"content":"a"}}]}"#);
        event(&mut meter, "[DONE]");
        assert!(meter.is_whole());
    }
}
