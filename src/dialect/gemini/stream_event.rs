//! What one piece of a stream says: an event, or an element of the list that a stream without `alt=sse` is.
//!
//! 1. Content begins the answer, and so does a reason why there is none.
//! 2. A `finishReason` or a `blockReason` ends the answer. A stream without either was cut.
//! 3. The counts of each piece are cumulative: the last ones hold.
//! 4. No client can read cut JSON: the stream has failed.

use super::content::ContentFields;
use crate::dialect::event_meaning::{ContentLength, End, EventKind, EventMeaning, InBandError};
use crate::dialect::json_repair::repaired;
use crate::dialect::openai::error_in;
use crate::dialect::openai::finish::Finish;
use crate::dialect::{SentRequest, sse};
use crate::types::{Failure, FailureClass, Phase};

/// Reads one piece.
pub(super) fn read(piece: &[u8], sent: SentRequest<'_>) -> EventMeaning {
    let data = sse::payload(piece);
    let data = data.trim_ascii();
    if !data.starts_with(b"{") {
        return EventMeaning::of(EventKind::Preamble);
    }
    match serde_json::from_slice::<ContentFields<'_>>(data) {
        Ok(fields) => of_fields(&fields, data, sent),
        Err(error) if error.is_eof() => broken(),
        Err(_) => match repaired(data) {
            Some(json) => match serde_json::from_str::<ContentFields<'_>>(&json) {
                Ok(fields) => of_fields(&fields, json.as_bytes(), sent),
                // Nested too deep to be read here. Clients may read more.
                Err(_) => EventMeaning::of(EventKind::Content(ContentLength::MayRepeat(0))),
            },
            None => broken(),
        },
    }
}

fn of_fields(fields: &ContentFields<'_>, data: &[u8], sent: SentRequest<'_>) -> EventMeaning {
    if fields.error.is_some()
        && let Some(found) = error_in(data, false, sent)
    {
        let is_plain = found.is_openai_shaped;
        return EventMeaning::of_error(InBandError { failure: found.failure, is_plain, is_readable: true });
    }
    let text = fields.text();
    let content = EventKind::Content(ContentLength::Bytes(text));
    let usage = fields.usage();
    match fields.finish() {
        Finish::Open => {
            let kind = if text > 0 { content } else { EventKind::Preamble };
            EventMeaning { usage, ..EventMeaning::of(kind) }
        }
        Finish::Stopped => {
            let kind = if text > 0 { content } else { EventKind::End };
            EventMeaning { usage, end: End::Finished, ..EventMeaning::of(kind) }
        }
        Finish::Limited => EventMeaning { usage, end: End::Finished, ..EventMeaning::of(content) },
        Finish::Failed => {
            let failure = Failure::new(FailureClass::ServerError, Phase::Body, "the answer finished with an error");
            EventMeaning::of_error(InBandError { failure, is_plain: false, is_readable: true })
        }
    }
}

fn broken() -> EventMeaning {
    let failure = Failure::new(FailureClass::Protocol, Phase::Body, "a piece of the stream is no whole JSON");
    EventMeaning::of_error(InBandError { failure, is_plain: false, is_readable: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(piece: &str) -> (String, End, Option<u64>) {
        let sent = SentRequest { upstream_model: "m", body: Some(b"{}"), key: None };
        let EventMeaning { kind, end, usage, .. } = read(piece.as_bytes(), sent);
        let kind = match kind {
            EventKind::Preamble => "preamble".to_owned(),
            EventKind::Content(ContentLength::Bytes(text)) => format!("content {text}"),
            EventKind::Content(_) => "content".to_owned(),
            EventKind::Usage => "usage".to_owned(),
            EventKind::Error(error) => format!("error {} {}", error.failure.class.as_str(), error.is_plain),
            EventKind::End => "end".to_owned(),
        };
        (kind, end, usage.completion)
    }

    #[test]
    fn a_piece_says_the_same_as_an_event_and_in_a_list() {
        let text = r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],"usageMetadata":{"candidatesTokenCount":4,"thoughtsTokenCount":2}}"#;
        let last = r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}]}"#;
        let more = r#"{"candidates":[{"content":{"parts":[{"text":"!"}]},"finishReason":"STOP"}]}"#;
        let bound = r#"{"candidates":[{"finishReason":"MAX_TOKENS"}]}"#;
        let block = r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#;
        let error = r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#;
        for (json, kind, end, completion) in [
            (text, "content 2", End::Open, Some(6)),
            (last, "end", End::Finished, None),
            (more, "content 1", End::Finished, None),
            (bound, "content 0", End::Finished, None),
            (block, "content 0", End::Finished, None),
            (error, "error overloaded true", End::Open, None),
            (r#"{"candidates":[{"content":{"par"#, "error protocol false", End::Open, None),
            ("{}", "preamble", End::Open, None),
            (r#"{"usageMetadata":{"promptTokenCount":9}}"#, "preamble", End::Open, None),
        ] {
            for piece in [
                format!("data: {json}\n\n"),
                format!("data:{json}\r\n\r\n"),
                format!("[{json}"),
                format!("\n,\r\n{json}"),
            ] {
                assert_eq!(meaning(&piece), (kind.to_owned(), end, completion), "{piece}");
            }
        }
        for nothing in [": ping\n\n", "]", "\n]\n", "", "data: [DONE]\n\n"] {
            assert_eq!(meaning(nothing), ("preamble".to_owned(), End::Open, None), "{nothing}");
        }
    }
}
