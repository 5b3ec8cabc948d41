//! What a whole answer says: a generation, a count of tokens, or embeddings.
//!
//! 1. An error in a success is an error.
//! 2. A generation shows something in a candidate. In place of these, a report of generated tokens, a `finishReason` other than
//!    `STOP`, or a `blockReason` will do.
//! 3. A count of tokens has `totalTokens`, embeddings have `embedding` or `embeddings` with something inside.
//! 4. All else is no answer, whatever its form. The pieces of a stream may come as one list.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::content::ContentFields;
use super::usage;
use crate::dialect::first_bytes::without_byte_order_mark;
use crate::dialect::json_repair::repaired;
use crate::dialect::json_text::is_hollow;
use crate::dialect::openai::error_in;
use crate::dialect::openai::finish::Finish;
use crate::dialect::reply_kind::ReplyKind;
use crate::dialect::usage::{EstimatedUsage, ReportedUsage, count};
use crate::dialect::{SentRequest, WholeAnswer};
use crate::types::{Failure, FailureClass, Phase, Usage, tokens_of_text};

/// The members of an answer without a generation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OtherFields<'a> {
    #[serde(borrow)]
    total_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    embedding: Option<&'a RawValue>,
    #[serde(borrow)]
    embeddings: Option<&'a RawValue>,
    #[serde(borrow)]
    usage_metadata: Option<&'a RawValue>,
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
    if let Some(usage) = understood(WholeAnswer { body, ..answer }, sent)? {
        return Ok(usage);
    }
    let no_json = || failure(FailureClass::Protocol, "200 with a body that is no whole JSON object");
    let json = repaired(body).ok_or_else(|| error_or(body, sent, no_json()))?;
    let answer = WholeAnswer { body: json.as_bytes(), ..answer };
    understood(answer, sent)?.ok_or_else(|| error_or(body, sent, no_json()))
}

/// Returns what an answer took; `None` inside where nothing is told, and around if the body can't be read.
fn understood(answer: WholeAnswer<'_>, sent: SentRequest<'_>) -> Result<Option<Option<Usage>>, Failure> {
    let WholeAnswer { kind, body, prompt_bytes } = answer;
    let nothing = || error_or(body, sent, failure(FailureClass::EmptyResponse, "200 without an answer"));
    if kind != ReplyKind::Generation {
        let Ok(fields) = serde_json::from_slice::<OtherFields<'_>>(body) else { return Ok(None) };
        return other(&fields, prompt_bytes).map(Some).ok_or_else(nothing);
    }
    let pieces = match body.first() {
        Some(b'[') => serde_json::from_slice::<Vec<ContentFields<'_>>>(body).ok(),
        _ => serde_json::from_slice::<ContentFields<'_>>(body).ok().map(|one| vec![one]),
    };
    let Some(pieces) = pieces else { return Ok(None) };
    let mut usage = ReportedUsage::default();
    pieces.iter().for_each(|piece| usage.update(piece.usage()));
    let text: usize = pieces.iter().map(ContentFields::text).sum();
    match pieces.iter().map(ContentFields::finish).max().unwrap_or_default() {
        Finish::Failed => return Err(failure(FailureClass::ServerError, "the answer finished with an error")),
        Finish::Open | Finish::Stopped if text == 0 && !usage.has_completion() => return Err(nothing()),
        Finish::Open | Finish::Stopped | Finish::Limited => {}
    }
    if pieces.iter().any(|piece| piece.error.is_some_and(|error| error.get() != "null")) {
        return Err(nothing());
    }
    Ok(Some(Some(usage.completed(EstimatedUsage::new(prompt_bytes, tokens_of_text(text))))))
}

/// Returns what an answer without a generation took; `None` around if it is no such answer.
fn other(fields: &OtherFields<'_>, prompt_bytes: usize) -> Option<Option<Usage>> {
    if count(fields.total_tokens).is_some() {
        return Some(None);
    }
    let vectors = fields.embedding.or(fields.embeddings)?;
    let usage = usage::read(fields.usage_metadata);
    (!is_hollow(vectors.get())).then(|| Some(usage.completed(EstimatedUsage::new(prompt_bytes, 0))))
}

/// Returns the error in a body, or this failure if there is none.
fn error_or(body: &[u8], sent: SentRequest<'_>, failure: Failure) -> Failure {
    let listed = || serde_json::from_slice::<Vec<&RawValue>>(body).unwrap_or_default();
    let in_list = || listed().into_iter().find_map(|piece| error_in(piece.get().as_bytes(), false, sent));
    error_in(body, false, sent).or_else(in_list).map_or(failure, |found| found.failure)
}

fn failure(class: FailureClass, why: &str) -> Failure {
    Failure::new(class, Phase::Body, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UsageSource;

    fn judged(kind: ReplyKind, body: &str) -> Result<Option<Usage>, Failure> {
        let sent = SentRequest { upstream_model: "m", body: Some(b"{}"), key: None };
        judge(WholeAnswer { kind, body: body.as_bytes(), prompt_bytes: 40 }, sent)
    }

    #[test]
    fn a_generation_is_an_answer_if_it_shows_something_or_says_why_not() {
        use FailureClass::{EmptyResponse, Overloaded, Protocol, RateLimited, Rejected, ServerError, Unauthorized};
        let of = |parts: &str, more: &str| {
            format!(r#"{{"candidates":[{{"content":{{"parts":[{parts}],"role":"model"}}{more}}}]}}"#)
        };
        let error =
            |code: u16, status: &str| format!(r#"{{"error":{{"code":{code},"message":"x","status":"{status}"}}}}"#);
        for (body, wanted) in [
            (of(r#"{"text":"hi"}"#, r#","finishReason":"STOP""#), None),
            (of(r#"{"functionCall":{"name":"f","args":{}}}"#, ""), None),
            (of(r#"{"text":"hm","thought":true}"#, ""), None),
            (of(r#"{"inlineData":{"mimeType":"image/png","data":"QUJD"}}"#, ""), None),
            (of("", r#","finishReason":"MAX_TOKENS""#), None),
            (of("", r#","finishReason":"SAFETY""#), None),
            (of("", r#","finishReason":"MALFORMED_FUNCTION_CALL""#), None),
            (of("", r#","finishReason":"OTHER""#), None),
            (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#.to_owned(), None),
            (r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"thoughtsTokenCount":3}}"#.to_owned(), None),
            (format!("[{},\n{}]", of(r#"{"text":"a"}"#, ""), of("", r#","finishReason":"STOP""#)), None),
            (of("", r#","finishReason":"STOP""#), Some(EmptyResponse)),
            (of(r#"{"text":""}"#, r#","finishReason":"STOP""#), Some(EmptyResponse)),
            (of(r#"{"text":"","thoughtSignature":"QUJD"}"#, ""), Some(EmptyResponse)),
            (of("", r#","finishReason":"FINISH_REASON_UNSPECIFIED""#), Some(EmptyResponse)),
            (r#"{"candidates":[]}"#.to_owned(), Some(EmptyResponse)),
            (r#"{"candidates":null}"#.to_owned(), Some(EmptyResponse)),
            ("{}".to_owned(), Some(EmptyResponse)),
            ("[]".to_owned(), Some(EmptyResponse)),
            (r#"{"choices":[{"message":{"content":"hi"}}]}"#.to_owned(), Some(EmptyResponse)),
            (of("", r#","finishReason":"ERROR""#), Some(ServerError)),
            (error(503, "UNAVAILABLE"), Some(Overloaded)),
            (error(429, "RESOURCE_EXHAUSTED"), Some(RateLimited)),
            (error(400, "INVALID_ARGUMENT"), Some(Rejected)),
            (error(401, "UNAUTHENTICATED"), Some(Unauthorized)),
            (format!("[{}]", error(500, "INTERNAL")), Some(ServerError)),
            (r#"{"candidates":[{"content":{"parts":[{"te"#.to_owned(), Some(Protocol)),
            ("<html>".to_owned(), Some(Protocol)),
            (String::new(), Some(EmptyResponse)),
            ("null".to_owned(), Some(Protocol)),
        ] {
            let class = judged(ReplyKind::Generation, &body).err().map(|failure| failure.class);
            assert_eq!(class, wanted, "{body}");
        }
    }

    #[test]
    fn counts_and_embeddings_are_answers_and_embeddings_cost_what_they_report() {
        assert_eq!(judged(ReplyKind::Json, r#"{"totalTokens":14,"promptTokensDetails":[]}"#), Ok(None));
        let usage = |body: &str| judged(ReplyKind::Json, body).expect("an answer").expect("known");
        let reported = usage(r#"{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":7}}"#);
        assert_eq!((reported.total, reported.source), (7, UsageSource::Reported));
        let estimated = usage(r#"{"embeddings":[{"values":[0.1]},{"values":[0.2]}]}"#);
        assert_eq!((estimated.prompt, estimated.completion, estimated.source), (10, 0, UsageSource::Estimated));
        for odd in [r#"{"embedding":{"values":[]}}"#, r#"{"embeddings":[]}"#, "{}", r#"{"object":"list"}"#, "[]"] {
            assert!(judged(ReplyKind::Json, odd).is_err(), "{odd}");
        }
    }
}
