//! The messages of the Realtime API, as far as their meaning counts.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error_in;
use crate::dialect::SentRequest;
use crate::dialect::usage::{EstimatedUsage, ReportedUsage};
use crate::types::{Failure, FailureClass, Phase, Usage};

/// What a client's message asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RealtimeQuestion {
    /// A response, with the client's own name for the message.
    Response(Option<String>),
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
    /// A message of the client was refused, maybe this one.
    Refused(Option<String>),
    /// Anything else.
    Other,
}

/// The end of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RealtimeEnd {
    pub(crate) id: String,
    /// As far as reported.
    pub(crate) usage: Option<Usage>,
    pub(crate) failure: Option<Failure>,
}

#[derive(Deserialize)]
struct RealtimeFields<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    event_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    response_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RealtimeResponse<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
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

#[derive(Deserialize)]
struct RefusedMessage<'a> {
    #[serde(borrow, default)]
    event_id: Option<Cow<'a, str>>,
}

/// Reads a client's message. What can't be read asks for nothing that the pool knows: a response of the upstream is seen as it begins.
pub(crate) fn read_question(message: &[u8]) -> RealtimeQuestion {
    let Ok(fields) = serde_json::from_slice::<RealtimeFields<'_>>(message) else { return RealtimeQuestion::Other };
    match fields.kind.as_deref() {
        Some("response.create") => RealtimeQuestion::Response(fields.event_id.map(Cow::into_owned)),
        Some(_) | None => RealtimeQuestion::Other,
    }
}

/// Reads an upstream's message.
pub(crate) fn read_event(message: &[u8], sent: SentRequest<'_>) -> RealtimeEvent {
    read(message, sent).unwrap_or(RealtimeEvent::Other)
}

fn read(message: &[u8], sent: SentRequest<'_>) -> Option<RealtimeEvent> {
    let fields: RealtimeFields<'_> = serde_json::from_slice(message).ok()?;
    Some(match &*fields.kind? {
        "response.created" => RealtimeEvent::Created(response(fields.response?)?.id.into_owned()),
        "response.done" => RealtimeEvent::Done(end(&response(fields.response?)?, sent)),
        "conversation.item.input_audio_transcription.completed" => RealtimeEvent::Transcribed(usage(fields.usage)),
        "error" => {
            let error = fields.error.and_then(|error| serde_json::from_str::<RefusedMessage<'_>>(error.get()).ok());
            RealtimeEvent::Refused(error.and_then(|error| error.event_id).map(Cow::into_owned))
        }
        kind if kind.starts_with("response.") && kind.ends_with(".delta") => {
            RealtimeEvent::Content(fields.response_id?.into_owned())
        }
        _ => RealtimeEvent::Other,
    })
}

fn response(json: &RawValue) -> Option<RealtimeResponse<'_>> {
    serde_json::from_str(json.get()).ok()
}

fn end(response: &RealtimeResponse<'_>, sent: SentRequest<'_>) -> RealtimeEnd {
    let failed = || {
        let details = response.status_details.and_then(|details| serde_json::from_str(details.get()).ok());
        let error = details.and_then(|details: FailedDetails<'_>| details.error).map_or("{}", RawValue::get);
        let found = error_in(format!(r#"{{"error":{error}}}"#).as_bytes(), true, sent).map(|found| found.failure);
        found.unwrap_or_else(|| Failure::new(FailureClass::ServerError, Phase::Body, "a response that has failed"))
    };
    let has_failed = response.status.as_deref() == Some("failed");
    RealtimeEnd { id: response.id.clone().into_owned(), usage: usage(response.usage), failure: has_failed.then(failed) }
}

/// Returns what an exchange took, if anything is reported.
fn usage(reported: Option<&RawValue>) -> Option<Usage> {
    let usage = ReportedUsage::read(reported?.get());
    (!usage.is_empty()).then(|| usage.completed(EstimatedUsage::new(0, 0)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SENT: SentRequest<'static> = SentRequest { upstream_model: "m", body: None, key: None };

    #[test]
    fn only_a_create_asks_for_a_response() {
        for (message, asked) in [
            (r#"{"type":"response.create"}"#, RealtimeQuestion::Response(None)),
            (r#"{"event_id":"e1","type":"response\u002ecreate"}"#, RealtimeQuestion::Response(Some("e1".to_owned()))),
            (r#"{"type":"response.cancel"}"#, RealtimeQuestion::Other),
            (r#"{"item":{"type":"response.create"}}"#, RealtimeQuestion::Other),
            ("[]", RealtimeQuestion::Other),
            ("", RealtimeQuestion::Other),
        ] {
            assert_eq!(read_question(message.as_bytes()), asked, "{message}");
        }
    }

    #[test]
    fn the_begin_and_the_end_of_a_response_are_seen_with_its_usage() {
        let read = |message: serde_json::Value| read_event(message.to_string().as_bytes(), SENT);
        assert_eq!(
            read(json!({ "type": "response.created", "event_id": "e", "response": { "id": "r", "usage": null } })),
            RealtimeEvent::Created("r".to_owned())
        );
        assert_eq!(
            read(json!({ "type": "response.output_audio.delta", "response_id": "r", "delta": "AAAA" })),
            RealtimeEvent::Content("r".to_owned())
        );
        let usage = json!({ "total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
            "input_token_details": { "text_tokens": 119, "audio_tokens": 13, "cached_tokens": 64,
                "cached_tokens_details": { "text_tokens": 64, "audio_tokens": 0 } },
            "output_token_details": { "text_tokens": 30, "audio_tokens": 91 } });
        let done = json!({ "type": "response.done", "response": { "id": "r", "status": "completed", "usage": usage } });
        let RealtimeEvent::Done(end) = read(done) else { panic!("an end") };
        let usage = end.usage.expect("reported");
        assert_eq!((usage.prompt, usage.completion, usage.total, usage.kinds.cached), (132, 121, 253, 64));
        assert_eq!(end.failure, None);
    }

    #[test]
    fn a_failed_response_tells_why() {
        for (error, class) in [
            (json!({ "type": "server_error", "code": "rate_limit_exceeded" }), FailureClass::RateLimited),
            (json!({ "type": "insufficient_quota", "code": "insufficient_quota" }), FailureClass::RateLimited),
            (json!(null), FailureClass::ServerError),
        ] {
            let response = json!({ "id": "r", "status": "failed", "status_details": { "error": error } });
            let done = json!({ "type": "response.done", "response": response }).to_string();
            let RealtimeEvent::Done(end) = read_event(done.as_bytes(), SENT) else { panic!("an end") };
            assert_eq!((end.usage, end.failure.map(|failure| failure.class)), (None, Some(class)), "{error}");
        }
    }

    #[test]
    fn a_refusal_names_the_message() {
        let refused = json!({ "type": "error", "event_id": "e", "error": { "event_id": "mine", "code": "x" } });
        let read = read_event(refused.to_string().as_bytes(), SENT);
        assert_eq!(read, RealtimeEvent::Refused(Some("mine".to_owned())));
        assert_eq!(read_event(br#"{"type":"error"}"#, SENT), RealtimeEvent::Refused(None));
        assert_eq!(read_event(br#"{"type":"session.created"}"#, SENT), RealtimeEvent::Other);
        assert_eq!(read_event(b"\xff", SENT), RealtimeEvent::Other);
    }
}
