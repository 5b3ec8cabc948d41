//! What one event of a stream says in OpenAI's dialect.
//!
//! 1. Once the answer has begun, nearly all events are pieces of text. An error, an end or a usage needs one of
//!    three words. Only an event that holds one of them is parsed.
//! 2. Only an event with some text begins the answer, or one of the Responses API that is called a piece.
//! 3. No client can read cut JSON: the stream has failed. JSON beyond the standard means what clients read in it.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;

use super::error_in;
use super::fields::{Choices, ChoicesForm, FAILED_STATUSES, TopLevel, is_nothing};
use super::finish::Finish;
use super::objects::response_event_name;
use crate::dialect::event_meaning::{ContentLength, End, EventKind, EventMeaning, InBandError};
use crate::dialect::json_repair::repaired;
use crate::dialect::json_text::TextLength;
use crate::dialect::reply_kind::ReplyKind;
use crate::dialect::{SentRequest, sse};
use crate::types::{Failure, FailureClass, Phase};

static ERROR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("error"));
static FINISH_REASON: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"finish_reason\""));
static USAGE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"usage\""));

/// The ends of names that events of the Responses API have if the events hold a piece of the answer.
const PIECES: [&str; 3] = [".delta", ".done", ".partial_image"];

/// The last events of a stream of the Responses API.
const RESPONSE_ENDS: [&str; 4] = ["response.completed", "response.incomplete", "response.failed", "response.cancelled"];

/// Events for nothing but a connection's life, in various dialects.
const KEEP_ALIVES: [&str; 4] = ["ping", "keepalive", "keep-alive", "heartbeat"];

/// Reads one event. `is_plain`: the answer has begun, and enough pieces of text were measured.
pub(in crate::dialect) fn read(kind: ReplyKind, event: &[u8], is_plain: bool, sent: SentRequest<'_>) -> EventMeaning {
    let piece = match kind {
        ReplyKind::Chat | ReplyKind::Completion => is_plain.then(|| piece_of_chunk(event)).flatten(),
        ReplyKind::Responses => is_plain.then(|| piece_of_response(event)).flatten(),
        ReplyKind::Messages
        | ReplyKind::Generation
        | ReplyKind::Json
        | ReplyKind::Bytes
        | ReplyKind::Transcript
        | ReplyKind::Object
        | ReplyKind::File => None,
    };
    piece.unwrap_or_else(|| parse(kind, event, sent))
}

/// Returns the meaning of a chunk with a piece of text and nothing else; `None` if the chunk has to be parsed.
fn piece_of_chunk(event: &[u8]) -> Option<EventMeaning> {
    let json = event.strip_prefix(b"data:")?.trim_ascii_end();
    if !json.ends_with(b"}") || ERROR.find(json).is_some() {
        return None;
    }
    if FINISH_REASON.find_iter(json).any(|at| !value_at(json, at + FINISH_REASON.needle().len()).starts_with(b"null")) {
        return None;
    }
    let usage_at = match USAGE.find(json) {
        Some(at) => Some(last_null_member(event, json, at)?),
        None => None,
    };
    Some(EventMeaning { usage_at, ..EventMeaning::of(EventKind::Content(ContentLength::LikeBefore)) })
}

/// Returns the same for an event of the Responses API.
fn piece_of_response(event: &[u8]) -> Option<EventMeaning> {
    let is_piece = response_event_name(event)?.ends_with(".delta") && event.trim_ascii_end().ends_with(b"}");
    is_piece.then(|| EventMeaning::of(EventKind::Content(ContentLength::LikeBefore)))
}

/// Returns the bytes behind the colon of the member with its name before `at`.
fn value_at(json: &[u8], at: usize) -> &[u8] {
    let behind = json.get(at..).unwrap_or_default().trim_ascii_start();
    behind.strip_prefix(b":").unwrap_or_default().trim_ascii_start()
}

/// Returns where the member with its name at `at` stands in the event. Its value must be null, and its object the
/// outermost one: the next bracket closes the whole JSON.
fn last_null_member(event: &[u8], json: &[u8], at: usize) -> Option<Range<usize>> {
    let value = value_at(json, at + USAGE.needle().len());
    let behind = value.strip_prefix(b"null")?;
    let closes = memchr::memchr3(b'}', b']', b'{', behind)? + 1 == behind.len();
    if !closes {
        return None;
    }
    member_around(event, value.get(..value.len() - behind.len())?)
}

/// The data of an event, and whether the event is called an error: then all of the data is about one.
struct EventData<'a> {
    json: &'a [u8],
    is_named_error: bool,
}

fn parse(kind: ReplyKind, event: &[u8], sent: SentRequest<'_>) -> EventMeaning {
    let data = sse::data(event).unwrap_or_default();
    let data = data.trim_ascii();
    if data.is_empty() {
        return EventMeaning::of(EventKind::Preamble);
    }
    if data == b"[DONE]" {
        return EventMeaning { end: End::Closed, ..EventMeaning::of(EventKind::End) };
    }
    let is_named_error = sse::is_named(event, b"error");
    let data = EventData { json: data, is_named_error };
    if !data.json.starts_with(b"{") {
        return unknown(kind, &data, sent, !kind.generates_text());
    }
    let is_cut = match std::str::from_utf8(data.json).map(serde_json::from_str::<TopLevel<'_>>) {
        Ok(Ok(fields)) => return of_object(kind, &ParsedEvent { event, data, fields }, sent),
        Ok(Err(error)) => error.is_eof(),
        Err(_) => false,
    };
    let repaired = if is_cut { None } else { repaired(data.json) };
    let Some(json) = &repaired else {
        return if is_named_error { unknown(kind, &data, sent, true) } else { broken() };
    };
    match serde_json::from_str::<TopLevel<'_>>(json) {
        Ok(fields) => {
            let data = EventData { json: json.as_bytes(), is_named_error };
            of_object(kind, &ParsedEvent { event, data, fields }, sent)
        }
        // Nested too deep to be read here. Clients may read more.
        Err(_) => unknown(kind, &data, sent, true),
    }
}

/// An event that was parsed.
struct ParsedEvent<'a> {
    event: &'a [u8],
    data: EventData<'a>,
    fields: TopLevel<'a>,
}

/// Returns the meaning of an object.
fn of_object(kind: ReplyKind, parsed: &ParsedEvent<'_>, sent: SentRequest<'_>) -> EventMeaning {
    let ParsedEvent { event, data, fields } = parsed;
    if (data.is_named_error || fields.may_tell_an_error())
        && let Some(error) = error_event(kind, data, sent)
    {
        return error;
    }
    let usage_at = fields.usage.and_then(|usage| member_around(event, usage.get().as_bytes()));
    let mut usage = fields.choices.usage;
    usage.update(fields.usage_of_event());
    let has_usage = fields.usage.is_some_and(|usage| usage.get() != "null");
    let meaning = match fields.choices.form {
        ChoicesForm::Empty | ChoicesForm::Bare | ChoicesForm::List | ChoicesForm::Unknown => {
            of_choices(kind, &fields.choices)
        }
        ChoicesForm::Missing if kind.generates_text() => of_typed(fields),
        ChoicesForm::Missing if has_usage && fields.kind().is_empty() || is_idle(data.json, fields) => {
            EventMeaning::of(EventKind::Preamble)
        }
        ChoicesForm::Missing => EventMeaning::of(EventKind::Content(ContentLength::MayRepeat(0))),
    };
    // Without the usage nothing would be left of the event.
    let has_no_choices = matches!(fields.choices.form, ChoicesForm::Missing | ChoicesForm::Empty);
    let is_for_usage = matches!(meaning.kind, EventKind::Preamble) && has_no_choices && has_usage;
    let kind = if is_for_usage { EventKind::Usage } else { meaning.kind };
    EventMeaning { kind, usage, usage_at, ..meaning }
}

/// Returns whether an object stands there for nothing but a connection's life.
fn is_idle(json: &[u8], fields: &TopLevel<'_>) -> bool {
    is_nothing(json) || KEEP_ALIVES.contains(&fields.kind())
}

/// Returns the meaning of a chunk with these choices.
fn of_choices(kind: ReplyKind, choices: &Choices) -> EventMeaning {
    let is_end = match choices.finish {
        Finish::Open => false,
        Finish::Stopped | Finish::Limited => true,
        Finish::Failed => return failed(),
    };
    // A legacy completion may be empty: there was nothing to insert.
    let is_answer = choices.finish == Finish::Limited || is_end && kind == ReplyKind::Completion;
    let kind = match choices.text > 0 || is_answer {
        true => EventKind::Content(ContentLength::Bytes(choices.text)),
        false => EventKind::Preamble,
    };
    let end = if is_end { End::Finished } else { End::Open };
    EventMeaning { end, ..EventMeaning::of(kind) }
}

/// Returns the meaning of an object without choices, by its type, as the events of the Responses API have one.
fn of_typed(fields: &TopLevel<'_>) -> EventMeaning {
    let name = fields.kind();
    if RESPONSE_ENDS.contains(&name) {
        let response = fields.response.and_then(|response| serde_json::from_str::<TopLevel<'_>>(response.get()).ok());
        if name == "response.cancelled"
            || response.as_ref().is_some_and(|response| FAILED_STATUSES.contains(&response.status()))
        {
            return failed();
        }
        let text = response.and_then(|response| response.output).map_or(0, |output| TextLength::of(output.get()));
        // A bound or a filter ended an incomplete one: an answer even without a text.
        let is_answer = text > 0 || name == "response.incomplete";
        let kind = if is_answer { EventKind::Content(ContentLength::MayRepeat(text)) } else { EventKind::End };
        return EventMeaning { end: End::Closed, ..EventMeaning::of(kind) };
    }
    let is_piece = PIECES.iter().any(|end| name.ends_with(end));
    let delta = fields.delta.map(|delta| TextLength::of(delta.get()));
    EventMeaning::of(match delta.or_else(|| text_of_frame(fields)) {
        // The text stands in another member.
        None if is_piece => EventKind::Content(ContentLength::MayRepeat(0)),
        None | Some(0) => EventKind::Preamble,
        Some(text) if delta.is_some() => EventKind::Content(ContentLength::Bytes(text)),
        Some(text) => EventKind::Content(ContentLength::MayRepeat(text)),
    })
}

/// The members of an item, or of a part, with room for a piece of the answer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct FrameParts {
    content: TextLength,
    summary: TextLength,
    name: TextLength,
    arguments: TextLength,
    encrypted_content: TextLength,
    text: TextLength,
    refusal: TextLength,
}

/// Returns how much text a frame holds; `None` if the frame has no such members.
fn text_of_frame(fields: &TopLevel<'_>) -> Option<usize> {
    let frame = fields.item.or(fields.part);
    if frame.is_none() {
        return fields.text.map(|text| TextLength::of(text.get()));
    }
    let parts: FrameParts = frame.and_then(|frame| serde_json::from_str(frame.get()).ok()).unwrap_or_default();
    let FrameParts { content, summary, name, arguments, encrypted_content, text, refusal } = parts;
    Some([content, summary, name, arguments, encrypted_content, text, refusal].iter().map(|text| text.0).sum())
}

fn failed() -> EventMeaning {
    let failure = Failure::new(FailureClass::ServerError, Phase::Body, "the answer finished with an error");
    EventMeaning::of_error(InBandError { failure, is_plain: false, is_readable: true })
}

fn broken() -> EventMeaning {
    let failure = Failure::new(FailureClass::Protocol, Phase::Body, "an event of the stream is no whole JSON");
    EventMeaning::of_error(InBandError { failure, is_plain: false, is_readable: false })
}

/// Returns the meaning of data of unknown form: an error if there is one, else content or a preamble.
fn unknown(kind: ReplyKind, data: &EventData<'_>, sent: SentRequest<'_>, may_be_content: bool) -> EventMeaning {
    error_event(kind, data, sent).unwrap_or_else(|| {
        EventMeaning::of(if may_be_content {
            EventKind::Content(ContentLength::MayRepeat(0))
        } else {
            EventKind::Preamble
        })
    })
}

/// Returns the error in an event's data, if any.
fn error_event(kind: ReplyKind, data: &EventData<'_>, sent: SentRequest<'_>) -> Option<EventMeaning> {
    let found = error_in(data.json, data.is_named_error, sent)?;
    // The Responses API has its own form.
    let is_plain = found.is_openai_shaped || kind == ReplyKind::Responses;
    Some(EventMeaning::of_error(InBandError { failure: found.failure, is_plain, is_readable: true }))
}

/// Returns where the member `"usage": VALUE` and one comma stand in `event`, given the value as a part of the event;
/// `None` if the value is no such part, or the name is written with escapes.
fn member_around(event: &[u8], value: &[u8]) -> Option<Range<usize>> {
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

#[cfg(test)]
mod tests;
