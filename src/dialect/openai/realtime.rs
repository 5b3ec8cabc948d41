//! The messages of the Realtime API, as far as their meaning counts.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error_in;
use crate::dialect::SentRequest;
use crate::dialect::billed::billed_in;
use crate::dialect::json_text::plain_text;
use crate::dialect::usage::{EstimatedUsage, ReportedUsage};
use crate::types::{BilledUnit, BilledUnits, Failure, FailureClass, Phase, Usage};

/// The longest name of a model in a session, in bytes. A longer one is none.
const LONGEST_MODEL: usize = 256;

/// What a client's message asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RealtimeQuestion {
    /// A response, with the client's own name for the message.
    Response(Option<String>),
    /// A session in which this model writes down what is said.
    Transcriber(String),
    /// Anything else.
    Other,
}

/// What an upstream's message tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RealtimeEvent {
    /// A response begins.
    Created(String),
    /// A response has content.
    Content(String),
    /// A response has ended.
    Done(RealtimeEnd),
    /// What somebody said was written down.
    Transcribed(Option<Usage>),
    /// In the session this model writes down what is said.
    Transcriber(String),
    /// A message of the client was refused, maybe this one.
    Refused(Option<String>),
    /// Anything else.
    Other,
}

/// The end of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RealtimeEnd {
    /// Missing in a malformed event.
    pub(crate) id: Option<String>,
    /// As far as reported.
    pub(crate) usage: Option<Usage>,
    pub(crate) failure: Option<Failure>,
}

/// The members of a message, each read by itself: a strange one hides no other.
#[derive(Deserialize)]
struct RealtimeFields<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    session: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct RealtimeResponse<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status_details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct FailedDetails<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct RefusedMessage<'a> {
    #[serde(borrow, default)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    param: Option<&'a RawValue>,
}

/// The begins of codes and parameters of errors that are about no `response.create`.
const ABOUT_OTHERS: [&str; 6] =
    ["session", "item", "conversation.item", "input_audio_buffer", "output_audio_buffer", "response_cancel"];

impl RefusedMessage<'_> {
    /// Returns whether the refusal may be of a `response.create`.
    fn may_be_of_a_response(&self) -> bool {
        let is_of = |value: Option<&RawValue>| {
            text(value).is_some_and(|text| ABOUT_OTHERS.iter().any(|begin| text.starts_with(begin)))
        };
        self.event_id.is_some_and(|id| id.get() != "null") || !is_of(self.code) && !is_of(self.param)
    }
}

/// Reads a client's message. What can't be read asks for nothing that the pool knows: a response of the upstream is seen as it begins.
pub(crate) fn read_question(message: &[u8]) -> RealtimeQuestion {
    let Ok(fields) = serde_json::from_slice::<RealtimeFields<'_>>(message) else { return RealtimeQuestion::Other };
    match text(fields.kind).as_deref() {
        Some("response.create") => RealtimeQuestion::Response(text(fields.event_id).map(Cow::into_owned)),
        Some("session.update" | "transcription_session.update") => {
            transcriber(fields.session).map_or(RealtimeQuestion::Other, RealtimeQuestion::Transcriber)
        }
        Some(_) | None => RealtimeQuestion::Other,
    }
}

/// Reads an upstream's message.
pub(crate) fn read_event(message: &[u8], sent: SentRequest<'_>) -> RealtimeEvent {
    read(message, sent).unwrap_or(RealtimeEvent::Other)
}

fn read(message: &[u8], sent: SentRequest<'_>) -> Option<RealtimeEvent> {
    let fields: RealtimeFields<'_> = serde_json::from_slice(message).ok()?;
    Some(match &*text(fields.kind)? {
        "response.created" => RealtimeEvent::Created(text(response(fields.response).id)?.into_owned()),
        "response.done" => RealtimeEvent::Done(end(&response(fields.response), sent)),
        "conversation.item.input_audio_transcription.completed" => {
            let seconds = BilledUnits::of(BilledUnit::AudioSecond, billed_in(BilledUnit::AudioSecond, message));
            RealtimeEvent::Transcribed(Usage::and_billed(usage(fields.usage), seconds))
        }
        "session.created" | "session.updated" | "transcription_session.created" | "transcription_session.updated" => {
            RealtimeEvent::Transcriber(transcriber(fields.session)?)
        }
        "error" => {
            let refused = fields.error.and_then(|error| serde_json::from_str(error.get()).ok());
            let refused: RefusedMessage<'_> = refused.unwrap_or_default();
            if !refused.may_be_of_a_response() {
                return None;
            }
            RealtimeEvent::Refused(text(refused.event_id).map(Cow::into_owned))
        }
        kind if kind.starts_with("response.") && kind.ends_with(".delta") => {
            RealtimeEvent::Content(text(fields.response_id)?.into_owned())
        }
        _ => RealtimeEvent::Other,
    })
}

/// Returns a string. Anything else is none.
fn text(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    let json = value?.get();
    let plain = json.strip_prefix('"')?.strip_suffix('"')?;
    if plain.contains('\\') { serde_json::from_str(json).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(plain)) }
}

/// Reads a response. What can't be read tells nothing.
fn response(json: Option<&RawValue>) -> RealtimeResponse<'_> {
    json.and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default()
}

/// Returns the model that writes down what is said in a session: in the present form, or in that of the beta.
fn transcriber(session: Option<&RawValue>) -> Option<String> {
    const PLACES: [&str; 2] = ["/audio/input/transcription/model", "/input_audio_transcription/model"];
    let session: Value = serde_json::from_str(session?.get()).ok()?;
    let name = PLACES.iter().find_map(|place| session.pointer(place)?.as_str())?;
    (!name.is_empty() && name.len() <= LONGEST_MODEL).then(|| name.to_owned())
}

fn end(response: &RealtimeResponse<'_>, sent: SentRequest<'_>) -> RealtimeEnd {
    let failed = || {
        let details = response.status_details.and_then(|details| serde_json::from_str(details.get()).ok());
        let error = details.and_then(|details: FailedDetails<'_>| details.error).map_or("{}", RawValue::get);
        let found = error_in(format!(r#"{{"error":{error}}}"#).as_bytes(), true, sent).map(|found| found.failure);
        found.unwrap_or_else(|| Failure::new(FailureClass::ServerError, Phase::Body, "a response that has failed"))
    };
    let has_failed = plain_text(response.status) == "failed";
    let id = text(response.id).map(Cow::into_owned);
    RealtimeEnd { id, usage: usage(response.usage), failure: has_failed.then(failed) }
}

/// Returns what an exchange took, if anything is reported.
fn usage(reported: Option<&RawValue>) -> Option<Usage> {
    let usage = ReportedUsage::read(reported?.get());
    (!usage.is_empty()).then(|| usage.completed(EstimatedUsage::new(0, 0)))
}

#[cfg(test)]
mod tests;
