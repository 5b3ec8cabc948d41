//! What one event of a message's stream says.
//!
//! 1. The `type` in the data decides, and the name of the event where the data has none.
//! 2. Only a block or a delta with some text, or a bound that ended the message, begins the answer: neither `message_start` nor `ping`.
//! 3. The counts of `message_delta` are cumulative, and replace those of `message_start`.
//! 4. No client can read cut JSON: the stream has failed. An event of an unknown type is nothing.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::usage;
use crate::dialect::event_meaning::{ContentLength, End, EventKind, EventMeaning, InBandError};
use crate::dialect::json_repair::repaired;
use crate::dialect::json_text::{TextLength, plain_text};
use crate::dialect::openai::error_in;
use crate::dialect::openai::finish::Finish;
use crate::dialect::{SentRequest, StreamEvent, sse};
use crate::types::{Failure, FailureClass, Phase};

/// How an event with a piece of text begins, as upstreams write one.
const PIECE: &[u8] = b"event: content_block_delta\n";

/// The members of an event's data with a meaning for the proxy.
#[derive(Deserialize)]
struct EventFields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    error: Option<IgnoredAny>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// The members of the message within `message_start`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct StartedMessage<'a> {
    content: TextLength,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// The members of the delta within `message_delta`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct MessageDelta {
    stop_reason: Option<Finish>,
}

/// Reads one event.
pub(super) fn read(event: StreamEvent<'_>, sent: SentRequest<'_>) -> EventMeaning {
    let StreamEvent { bytes, is_plain, .. } = event;
    if is_plain && bytes.starts_with(PIECE) && bytes.trim_ascii_end().ends_with(b"}") {
        return EventMeaning::of(EventKind::Content(ContentLength::LikeBefore));
    }
    let data = sse::data(bytes).unwrap_or_default();
    let data = data.trim_ascii();
    let is_named_error = sse::is_named(bytes, b"error");
    if is_named_error && let Some(error) = error_event(data, bytes, sent) {
        return error;
    }
    if !data.starts_with(b"{") {
        return EventMeaning::of(EventKind::Preamble);
    }
    match serde_json::from_slice::<EventFields<'_>>(data) {
        Ok(fields) => of_fields(&fields, data, bytes, sent),
        Err(error) if error.is_eof() => broken(),
        Err(_) => match repaired(data) {
            Some(json) => match serde_json::from_str::<EventFields<'_>>(&json) {
                Ok(fields) => of_fields(&fields, json.as_bytes(), bytes, sent),
                // Nested too deep to be read here. Clients may read more.
                Err(_) => EventMeaning::of(EventKind::Content(ContentLength::MayRepeat(0))),
            },
            None => broken(),
        },
    }
}

fn of_fields(fields: &EventFields<'_>, data: &[u8], event: &[u8], sent: SentRequest<'_>) -> EventMeaning {
    let kind = plain_text(fields.kind);
    if (kind == "error" || fields.error.is_some())
        && let Some(error) = error_event(data, event, sent)
    {
        return error;
    }
    let is = |name: &str| if kind.is_empty() { sse::is_named(event, name.as_bytes()) } else { kind == name };
    if is("content_block_delta") {
        return content(fields.delta);
    }
    if is("content_block_start") {
        return content(fields.content_block);
    }
    if is("message_start") {
        let message = fields.message.and_then(|message| serde_json::from_str::<StartedMessage<'_>>(message.get()).ok());
        let StartedMessage { content, usage } = message.unwrap_or_default();
        let kind =
            if content.0 > 0 { EventKind::Content(ContentLength::MayRepeat(content.0)) } else { EventKind::Preamble };
        return EventMeaning { usage: usage::read_at_start(usage), ..EventMeaning::of(kind) };
    }
    if is("message_delta") {
        return EventMeaning { usage: usage::read(fields.usage), ..of_message_delta(fields.delta) };
    }
    if is("message_stop") {
        return EventMeaning { end: End::Closed, ..EventMeaning::of(EventKind::End) };
    }
    EventMeaning::of(EventKind::Preamble)
}

/// Returns the meaning of a block, or of a delta of one.
fn content(part: Option<&RawValue>) -> EventMeaning {
    EventMeaning::of(match part.map_or(0, |part| TextLength::of(part.get())) {
        0 => EventKind::Preamble,
        text => EventKind::Content(ContentLength::Bytes(text)),
    })
}

fn of_message_delta(delta: Option<&RawValue>) -> EventMeaning {
    let delta = delta.and_then(|delta| serde_json::from_str::<MessageDelta>(delta.get()).ok()).unwrap_or_default();
    let finished = |kind| EventMeaning { end: End::Finished, ..EventMeaning::of(kind) };
    match delta.stop_reason.unwrap_or_default() {
        Finish::Open => EventMeaning::of(EventKind::Preamble),
        Finish::Stopped => finished(EventKind::Preamble),
        Finish::Limited => finished(EventKind::Content(ContentLength::Bytes(0))),
        Finish::Failed => {
            let failure = Failure::new(FailureClass::ServerError, Phase::Body, "the answer finished with an error");
            EventMeaning::of_error(InBandError { failure, is_plain: false, is_readable: true })
        }
    }
}

fn broken() -> EventMeaning {
    let failure = Failure::new(FailureClass::Protocol, Phase::Body, "an event of the stream is no whole JSON");
    EventMeaning::of_error(InBandError { failure, is_plain: false, is_readable: false })
}

/// Returns the error in an event's data, if any. Clients look for errors in events of this name alone.
fn error_event(data: &[u8], event: &[u8], sent: SentRequest<'_>) -> Option<EventMeaning> {
    let is_named = sse::is_named(event, b"error");
    let found = error_in(data, is_named, sent)?;
    Some(EventMeaning::of_error(InBandError { failure: found.failure, is_plain: is_named, is_readable: true }))
}

#[cfg(test)]
mod tests;
