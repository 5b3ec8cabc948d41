//! What an upstream's JSON says: is it an answer at all, and how many tokens did it take? Pure.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::dialect::SentRequest;
use crate::dialect::openai::error_body::ErrorBody;
use crate::dialect::openai::error_in_success;
use crate::types::{Failure, FailureClass, Operation, Phase, Usage, UsageSource};

/// Judges a whole 200 whose answer is to be JSON.
///
/// # Errors
/// With the failure, if it is no answer: then another upstream is to be asked.
pub(super) fn judge(operation: Operation, body: &[u8], sent: SentRequest<'_>) -> Result<Option<Usage>, Failure> {
    let failure = |class, why: &str| Failure::new(class, Phase::Body, why);
    let text = body.trim_ascii();
    if text.is_empty() || text == b"null" || text == b"[]" {
        return Err(failure(FailureClass::Empty, "200 with nothing in it"));
    }
    // A list would be taken for an object by its order.
    let peek: Peek<'_> = match text.starts_with(b"{") {
        true => serde_json::from_slice(text).map_err(|e| e.to_string()),
        false => Err("it begins otherwise".to_owned()),
    }
    .map_err(|why| failure(FailureClass::Protocol, &format!("200 with a body that is no whole JSON object ({why})")))?;
    if let Some(told) = peek.may_tell_an_error().then(|| ErrorBody::from_success(text)).flatten() {
        return Err(error_in_success(&told, sent));
    }
    if text.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii() == b"}") {
        return Err(failure(FailureClass::Empty, "200 with {}"));
    }
    let usage = peek.usage.and_then(|raw| usage_in(raw.get().as_bytes()));
    if operation.must_say_something()
        && peek.usage.is_some_and(|raw| says_nothing(raw.get().as_bytes()))
        && !peek.ends_early()
    {
        return Err(failure(FailureClass::Empty, "200 with no completion tokens"));
    }
    let no_choices = peek.choices.is_some_and(|raw| raw.get() == "null" || is_empty_list(raw.get()));
    if operation.completes_text() && no_choices && usage.is_none_or(|usage| usage.completion == 0) {
        return Err(failure(FailureClass::Empty, "200 without a choice"));
    }
    Ok(usage)
}

/// The fields that are looked at; what stands in the others is passed over.
#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
    #[serde(borrow)]
    success: Option<&'a RawValue>,
    #[serde(borrow)]
    error_msg: Option<&'a RawValue>,
    #[serde(borrow)]
    error_code: Option<&'a RawValue>,
    #[serde(borrow)]
    base_resp: Option<&'a RawValue>,
    #[serde(borrow, rename = "Error")]
    capital_error: Option<&'a RawValue>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    choices: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

/// A field that is there, and be it null.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(field).map(Some)
}

impl Peek<'_> {
    /// Is it worth to read all of it?
    fn may_tell_an_error(&self) -> bool {
        let told = [self.error, self.errors, self.message, self.detail, self.msg, self.success];
        told.iter().chain(&[self.error_code, self.error_msg, self.base_resp, self.capital_error]).any(Option::is_some)
            || self.object.is_some_and(|raw| raw.get() == r#""error""#)
            || self.choices_hold(r#""error""#)
    }

    /// Was it the client's own bound, or a moderator, that ended the answer before its first word? (Thought may take all of a bound.)
    fn ends_early(&self) -> bool {
        [r#""length""#, r#""content_filter""#].iter().any(|reason| self.choices_hold(reason))
    }

    /// Does this text stand in the choices, and be it as a key? (Inside of another text its quotes would be escaped.)
    fn choices_hold(&self, text: &str) -> bool {
        self.choices.is_some_and(|raw| memchr::memmem::find(raw.get().as_bytes(), text.as_bytes()).is_some())
    }
}

/// Is this JSON a list of nothing?
pub(super) fn is_empty_list(raw: &str) -> bool {
    raw.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(|inside| inside.trim().is_empty())
}

#[derive(Deserialize)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    input_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    output_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

/// Does a `usage` object report that nothing was generated? (One that leaves that out does not.)
fn says_nothing(raw: &[u8]) -> bool {
    serde_json::from_slice::<WireUsage>(raw).is_ok_and(|wire| wire.completion_tokens == Some(0))
}

/// The tokens in a `usage` object: chat and completions, embeddings, responses, images, transcriptions.
pub(super) fn usage_in(raw: &[u8]) -> Option<Usage> {
    let wire: WireUsage = serde_json::from_slice(raw).ok()?;
    let (prompt, completion) =
        (wire.prompt_tokens.or(wire.input_tokens), wire.completion_tokens.or(wire.output_tokens));
    // `{}` and a usage in other units (seconds of sound) tell no tokens.
    prompt.or(completion).or(wire.total_tokens)?;
    let (prompt, completion) = (prompt.unwrap_or_default(), completion.unwrap_or_default());
    let total = wire.total_tokens.unwrap_or_else(|| prompt.saturating_add(completion));
    Some(Usage { prompt, completion, total, source: UsageSource::Reported })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(operation: Operation, body: &str) -> Result<Option<u64>, FailureClass> {
        judge(operation, body.as_bytes(), SentRequest { upstream_model: "m", body: b"", key: &crate::config::ApiKey::new("") })
            .map(|usage| usage.map(|u| u.total))
            .map_err(|failure| failure.class)
    }

    #[test]
    fn an_answer_with_nothing_in_it_is_a_failure() {
        use Operation::{ChatCompletions as Chat, Embeddings};
        for (operation, body, wanted) in [
            (Chat, "", Err(FailureClass::Empty)),
            (Chat, " \n", Err(FailureClass::Empty)),
            (Chat, "{ }", Err(FailureClass::Empty)),
            (Chat, "null", Err(FailureClass::Empty)),
            (Chat, "[]", Err(FailureClass::Empty)),
            (Chat, r#"[{"error":null,"usage":null}]"#, Err(FailureClass::Protocol)),
            (Chat, r#"{"choices":[{"mess"#, Err(FailureClass::Protocol)),
            (Chat, r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":0}}"#, Err(FailureClass::Empty)),
            (
                Chat,
                r#"{"choices":[{}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#,
                Ok(Some(7)),
            ),
            (Chat, r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}"#, Ok(Some(7))),
            (Chat, r#"{"choices":[ ]}"#, Err(FailureClass::Empty)),
            (Chat, r#"{"choices":null,"usage":null}"#, Err(FailureClass::Empty)),
            (Operation::Completions, r#"{"choices":[]}"#, Err(FailureClass::Empty)),
            (Embeddings, r#"{"choices":null}"#, Ok(None)),
            (Chat, r#"{"choices":[{}],"usage":null}"#, Ok(None)),
            (Chat, r#"{"error":{"code":429}}"#, Err(FailureClass::RateLimited)),
            (Chat, r#"{"object":"error","message":"x"}"#, Err(FailureClass::ServerError)),
            (Chat, r#"{"code":429,"message":"slow down"}"#, Err(FailureClass::RateLimited)),
            (Embeddings, r#"{"detail":"Not authenticated"}"#, Err(FailureClass::ServerError)),
            (Embeddings, r#"{"data":[{}],"message":"hello"}"#, Ok(None)),
            (Chat, r#"{"message":"hello","choices":[{}]}"#, Ok(None)),
            (Chat, r#"{"a":1}"#, Ok(None)),
            (Chat, r#"{"choices":[{}],"error":null}"#, Ok(None)),
            (Chat, r#"{"choices":[{}],"error":{}}"#, Ok(None)),
            (Chat, r#"{"choices":[{}],"error":false}"#, Ok(None)),
            (Chat, r#"{"choices":[{}],"error":""}"#, Ok(None)),
            (Chat, r#"{"choices":[{}],"usage":{"prompt_tokens":5,"total_tokens":9}}"#, Ok(Some(9))),
            (
                Operation::Completions,
                r#"{"choices":[{}],"usage":{"prompt_tokens":5,"completion_tokens":0}}"#,
                Ok(Some(5)),
            ),
            (Embeddings, r#"{"data":[],"usage":{"prompt_tokens":5,"total_tokens":5}}"#, Ok(Some(5))),
            (Operation::Responses, r#"{"output":[],"usage":{"input_tokens":5,"output_tokens":6}}"#, Ok(Some(11))),
            (Operation::Moderations, r#"{"results":[]}"#, Ok(None)),
        ] {
            assert_eq!(judged(operation, body), wanted, "{operation} {body}");
        }
    }

    #[test]
    fn a_choice_tells_why_it_is_empty() {
        use Operation::ChatCompletions as Chat;
        for (operation, body, wanted) in [
            (
                Chat,
                r#"{"choices":[{"finish_reason":"length","message":{}}],"usage":{"completion_tokens":0}}"#,
                Ok(Some(0)),
            ),
            (
                Chat,
                r#"{"choices":[{"finish_reason":"stop","message":{}}],"usage":{"completion_tokens":0}}"#,
                Err(FailureClass::Empty),
            ),
            (
                Chat,
                r#"{"choices":[{"finish_reason":"error","message":{},"error":{"code":502,"message":"x"}}]}"#,
                Err(FailureClass::ServerError),
            ),
            (Chat, r#"{"choices":[{"message":{"content":"\"error\":"},"error":null}]}"#, Ok(None)),
        ] {
            assert_eq!(judged(operation, body), wanted, "{body}");
        }
    }
}
