//! What an upstream's JSON says: is it an answer at all, and how many tokens did it take? Pure.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::learn::LONGEST_WAIT;
use crate::types::{Failure, FailureClass, Operation, Phase, Usage, UsageSource};

/// Judges a whole 200 whose answer is to be JSON.
///
/// # Errors
/// With the failure, if it is no answer: then another upstream is to be asked.
pub(super) fn judge(operation: Operation, body: &[u8]) -> Result<Option<Usage>, Failure> {
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
    if let Some(error) = peek.error.map(|raw| parse(raw.get())).filter(is_error) {
        return Err(error_in_200(&error));
    }
    if text.strip_prefix(b"{").is_some_and(|rest| rest.trim_ascii() == b"}") {
        return Err(failure(FailureClass::Empty, "200 with {}"));
    }
    let usage = peek.usage.and_then(|raw| usage_in(raw.get().as_bytes()));
    if operation.must_say_something() && peek.usage.is_some_and(|raw| says_nothing(raw.get().as_bytes())) {
        return Err(failure(FailureClass::Empty, "200 with no completion tokens"));
    }
    Ok(usage)
}

#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow)]
    error: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    usage: Option<&'a serde_json::value::RawValue>,
}

fn parse(raw: &str) -> Value {
    serde_json::from_str(raw).unwrap_or_default()
}

/// Does a value of the field `error` tell one? Some APIs always have the field, with nothing in it.
pub(super) fn is_error(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => false,
    }
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

/// The failure that an OpenAI-format error object tells, which came without a telling status.
pub(super) fn error_in_200(error: &Value) -> Failure {
    let (class, status) = class_of_error(error);
    Failure { status, ..Failure::new(class, Phase::Body, "an error in a 200") }
}

/// The class and the status of an error object: by its `code`, which may be a number.
fn class_of_error(error: &Value) -> (FailureClass, Option<u16>) {
    let code = error.get("code").or_else(|| error.get("status"));
    let number = code.and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
    let words = [code.and_then(Value::as_str), error.get("type").and_then(Value::as_str)];
    let says = |word: &str| words.iter().flatten().any(|w| w.contains(word));
    match number.and_then(|n| u16::try_from(n).ok()) {
        Some(status @ 400..=599) => (class_of_status(status), Some(status)),
        Some(_) | None if says("model_not_found") => (FailureClass::ModelNotFound, Some(404)),
        Some(_) | None if says("rate_limit") || says("quota") => (FailureClass::RateLimited, None),
        Some(_) | None if says("overloaded") => (FailureClass::Overloaded, None),
        Some(_) | None if says("invalid_request") => (FailureClass::Rejected, Some(400)),
        Some(_) | None => (FailureClass::ServerError, None),
    }
}

/// The class of a status that is no success.
pub(super) fn class_of_status(status: u16) -> FailureClass {
    match status {
        401 | 403 => FailureClass::Unauthorized,
        402 => FailureClass::PaymentRequired,
        408 => FailureClass::Timeout,
        429 => FailureClass::RateLimited,
        400..=499 => FailureClass::Rejected,
        503 | 529 => FailureClass::Overloaded,
        500..=599 => FailureClass::ServerError,
        // A redirect is not followed, and anything else is no answer.
        _ => FailureClass::Protocol,
    }
}

/// How long an upstream asks us to stay away: `retry-after-ms`, or `retry-after` in seconds or as an HTTP date.
pub(super) fn retry_after(millis: Option<&str>, after: Option<&str>, now_ms: i64) -> Option<Duration> {
    let longest = LONGEST_WAIT.as_secs_f64();
    let seconds = |text: &str| text.trim().parse::<f64>().ok().filter(|s| (0.0..=longest).contains(s));
    if let Some(millis) = millis.and_then(seconds) {
        return Some(Duration::from_secs_f64(millis / 1_000.0));
    }
    let after = after?;
    if let Some(seconds) = seconds(after) {
        return Some(Duration::from_secs_f64(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(after.trim()).ok()?.timestamp().as_millisecond();
    u64::try_from(date - now_ms).ok().map(Duration::from_millis).filter(|wait| *wait <= LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(operation: Operation, body: &str) -> Result<Option<u64>, FailureClass> {
        judge(operation, body.as_bytes()).map(|usage| usage.map(|u| u.total)).map_err(|failure| failure.class)
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
            (Chat, r#"{"choices":[{}],"usage":null}"#, Ok(None)),
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
    fn an_error_in_a_200_has_the_class_of_its_code() {
        for (error, class) in [
            (r#"{"error":{"code":429,"message":"slow down"}}"#, FailureClass::RateLimited),
            (r#"{"error":{"code":"502"}}"#, FailureClass::ServerError),
            (r#"{"error":{"type":"rate_limit_exceeded"}}"#, FailureClass::RateLimited),
            (r#"{"error":{"type":"overloaded_error"}}"#, FailureClass::Overloaded),
            (r#"{"error":"broken"}"#, FailureClass::ServerError),
            (r#"{"error":{"code":400}}"#, FailureClass::Rejected),
            (r#"{"error":{"type":"invalid_request_error","code":null}}"#, FailureClass::Rejected),
        ] {
            assert_eq!(judged(Operation::ChatCompletions, error), Err(class), "{error}");
        }
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        let secs = |text| retry_after(None, Some(text), 1_445_412_470_000).map(|d| d.as_millis());
        assert_eq!(secs("20"), Some(20_000));
        assert_eq!(secs("0.5"), Some(500));
        assert_eq!(secs("Wed, 21 Oct 2015 07:28:00 GMT"), Some(10_000));
        assert_eq!(secs("Wed, 21 Oct 2015 07:27:00 GMT"), None, "it has passed");
        assert_eq!(secs("Tue, 31 Dec 2999 23:59:59 GMT"), None, "nobody means that");
        assert_eq!((secs("soon"), secs("-1"), secs("NaN"), secs("1e300")), (None, None, None, None));
        assert_eq!(retry_after(Some("1500"), Some("9"), 0).map(|d| d.as_millis()), Some(1_500));
    }
}
