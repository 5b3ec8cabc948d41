//! What a whole answer says: a message, or a count of tokens.
//!
//! 1. An error in a success is an error.
//! 2. A message shows something in `content`: a text, thoughts, a tool call. In place of these, a report of generated tokens, or a
//!    `stop_reason` such as `max_tokens` or `refusal`, will do.
//! 3. A count of tokens has `input_tokens`.
//! 4. All else is no answer, whatever its form.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::usage;
use crate::dialect::first_bytes::without_byte_order_mark;
use crate::dialect::json_repair::repaired;
use crate::dialect::json_text::TextLength;
use crate::dialect::openai::error_in;
use crate::dialect::openai::finish::Finish;
use crate::dialect::reply_kind::ReplyKind;
use crate::dialect::usage::{EstimatedUsage, count};
use crate::dialect::{SentRequest, WholeAnswer};
use crate::types::{Failure, FailureClass, Phase, Usage, tokens_of_text};

/// The members of an answer with a meaning for the proxy.
#[derive(Deserialize)]
struct AnswerFields<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    stop_reason: Option<Finish>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
}

/// Judges the JSON body of a success.
///
/// # Errors
/// With the failure, if the body is no answer: then another upstream is to be asked.
pub(super) fn judge(answer: WholeAnswer<'_>, sent: SentRequest<'_>) -> Result<Option<Usage>, Failure> {
    let body = without_byte_order_mark(answer.body).trim_ascii();
    if body.is_empty() {
        return Err(failure(FailureClass::EmptyResponse, "200 with nothing in it"));
    }
    let no_json = || failure(FailureClass::Protocol, "200 with a body that is no whole JSON object");
    if !body.starts_with(b"{") {
        return Err(error_in(body, false, sent).map_or_else(no_json, |found| found.failure));
    }
    match serde_json::from_slice::<AnswerFields<'_>>(body) {
        Ok(fields) => judge_object(WholeAnswer { body, ..answer }, &fields, sent),
        Err(error) if error.is_eof() => Err(no_json()),
        Err(_) => {
            let json = repaired(body).ok_or_else(no_json)?;
            let fields = serde_json::from_str::<AnswerFields<'_>>(&json).map_err(|_| no_json())?;
            judge_object(WholeAnswer { body: json.as_bytes(), ..answer }, &fields, sent)
        }
    }
}

/// Judges an object by its members.
fn judge_object(
    answer: WholeAnswer<'_>,
    fields: &AnswerFields<'_>,
    sent: SentRequest<'_>,
) -> Result<Option<Usage>, Failure> {
    let nothing = || {
        let found = error_in(answer.body, false, sent).map(|found| found.failure);
        found.unwrap_or_else(|| failure(FailureClass::EmptyResponse, "200 without an answer"))
    };
    if answer.kind == ReplyKind::Json {
        return if count(fields.input_tokens).is_some() { Ok(None) } else { Err(nothing()) };
    }
    let Some(content) = fields.content.filter(|content| content.get().starts_with('[')) else { return Err(nothing()) };
    let usage = usage::read(fields.usage);
    let text = TextLength::of(content.get());
    match fields.stop_reason.unwrap_or_default() {
        Finish::Failed => return Err(failure(FailureClass::ServerError, "the answer finished with an error")),
        Finish::Open | Finish::Stopped if text == 0 && !usage.has_completion() => return Err(nothing()),
        Finish::Open | Finish::Stopped | Finish::Limited => {}
    }
    Ok(Some(usage.completed(EstimatedUsage::new(answer.prompt_bytes, tokens_of_text(text)))))
}

fn failure(class: FailureClass, why: &str) -> Failure {
    Failure::new(class, Phase::Body, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{CountedTokens, UsageSource};

    fn judged(kind: ReplyKind, body: &str) -> Result<Option<Usage>, Failure> {
        let sent = SentRequest { upstream_model: "m", body: Some(b"{}"), key: None };
        judge(WholeAnswer { kind, body: body.as_bytes(), prompt_bytes: 40 }, sent)
    }

    #[test]
    fn a_message_is_an_answer_if_it_shows_something() {
        for (body, wanted) in [
            (r#"{"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn"}"#, None),
            (r#"{"content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}"#, None),
            (r#"{"content":[{"type":"thinking","thinking":"hm","signature":"s"}]}"#, None),
            (r#"{"content":[],"stop_reason":"max_tokens"}"#, None),
            (r#"{"content":[],"stop_reason":"refusal"}"#, None),
            (r#"{"content":[],"stop_reason":"end_turn","usage":{"output_tokens":2}}"#, None),
            ("\u{feff}{\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}", None),
            (
                r#"{"content":[],"stop_reason":"end_turn","usage":{"output_tokens":0}}"#,
                Some(FailureClass::EmptyResponse),
            ),
            (r#"{"content":[{"type":"text","text":""}]}"#, Some(FailureClass::EmptyResponse)),
            (r#"{"content":null}"#, Some(FailureClass::EmptyResponse)),
            (r#"{"choices":[{"message":{"content":"hi"}}]}"#, Some(FailureClass::EmptyResponse)),
            (r#"{"content":[],"stop_reason":"error"}"#, Some(FailureClass::ServerError)),
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#, Some(FailureClass::Overloaded)),
            (r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"}}"#, Some(FailureClass::RateLimited)),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"x"}}"#,
                Some(FailureClass::Rejected),
            ),
            (r#"{"content":[{"type":"text","te"#, Some(FailureClass::Protocol)),
            ("<html>", Some(FailureClass::Protocol)),
            ("", Some(FailureClass::EmptyResponse)),
            ("{}", Some(FailureClass::EmptyResponse)),
            ("null", Some(FailureClass::Protocol)),
        ] {
            assert_eq!(judged(ReplyKind::Messages, body).err().map(|failure| failure.class), wanted, "{body}");
        }
        assert_eq!(judged(ReplyKind::Json, r#"{"input_tokens":14}"#), Ok(None));
        assert!(judged(ReplyKind::Json, r#"{"object":"list"}"#).is_err());
    }

    #[test]
    fn cache_reads_and_writes_are_tokens_of_the_prompt_and_reads_count_against_no_limit() {
        let usage = |usage: &str| {
            let body = format!(r#"{{"content":[{{"type":"text","text":"{}"}}],"usage":{usage}}}"#, "x".repeat(80));
            judged(ReplyKind::Messages, &body).expect("an answer").expect("known")
        };
        let all =
            r#"{"input_tokens":3,"cache_creation_input_tokens":50,"cache_read_input_tokens":900,"output_tokens":7}"#;
        let found = usage(all);
        assert_eq!((found.prompt, found.completion, found.total), (953, 7, 960));
        assert_eq!((found.kinds.cached, found.kinds.cache_write_5m), (900, 50));
        assert_eq!(found.counted(CountedTokens::ALL), Some(60));
        assert_eq!(found.source, UsageSource::Reported);
        for (odd, wanted, source) in [
            (r#"{"input_tokens":0,"output_tokens":0}"#, (10, 20), UsageSource::Estimated),
            (r#"{"input_tokens":5}"#, (5, 20), UsageSource::Estimated),
            (r#"{"input_tokens":"5","output_tokens":6.5}"#, (5, 7), UsageSource::Reported),
            (r#"{"input_tokens":-1,"output_tokens":6}"#, (10, 6), UsageSource::Estimated),
            (r#"{"input_tokens":0,"cache_read_input_tokens":5,"output_tokens":6}"#, (5, 6), UsageSource::Reported),
            ("null", (10, 20), UsageSource::Estimated),
        ] {
            let found = usage(odd);
            assert_eq!(((found.prompt, found.completion), found.source), (wanted, source), "{odd}");
        }
    }
}
