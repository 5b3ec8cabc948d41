//! What the error of a 429 says of the upstream's limit. Pure.

use std::time::Duration;

use serde_json::Value;

use super::error_body::ErrorBody;
use crate::dialect::SentRequest;
use crate::dialect::rate_limit_headers::{duration, is_sensible};
use crate::dialect::redact::contains_ignore_case;
use crate::types::LimitSpan;

/// Words for a day's limit, in codes and texts.
const DAY_WORDS: [&str; 7] = ["perday", "per day", "per-day", "per_day", "(rpd)", "(tpd)", "daily"];

/// Words for an account without money: OpenAI answers 429.
const EMPTY_WORDS: [&str; 2] =
    ["insufficient_quota", "exceeded your current quota, please check your plan and billing"];

/// What an error of class `rate_limited` says of the limit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LimitInError {
    /// Which of the upstream's limits was reached.
    pub(super) span: Option<LimitSpan>,
    /// How long to wait (Gemini's `retryDelay`).
    pub(super) wait: Option<Duration>,
}

/// Reads the body of a 429. Words of the client's request may be quoted, and do not count unless they are the error's code.
pub(super) fn limit_from_error(body: &[u8], error: &ErrorBody, sent: SentRequest<'_>) -> LimitInError {
    const MINUTE_WORDS: [&str; 5] = ["perminute", "per minute", "per-minute", "(rpm)", "(tpm)"];
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    let says = |words: &[&str]| {
        words.iter().any(|word| {
            error.code_contains(word)
                || text.contains(word) && sent.body.is_some_and(|body| !contains_ignore_case(body, word))
        })
    };
    let span = if says(&DAY_WORDS) || says(&EMPTY_WORDS) {
        Some(LimitSpan::Day)
    } else {
        says(&MINUTE_WORDS).then_some(LimitSpan::Minute)
    };
    let wait = serde_json::from_slice::<Value>(body).ok().and_then(|value| retry_delay(&value));
    LimitInError { span, wait: wait.filter(is_sensible) }
}

/// Returns the field `retryDelay`, at any depth.
fn retry_delay(value: &Value) -> Option<Duration> {
    match value {
        Value::Object(fields) => match fields.get("retryDelay").and_then(Value::as_str) {
            Some(text) => duration(text),
            None => fields.values().find_map(retry_delay),
        },
        Value::Array(items) => items.iter().find_map(retry_delay),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read in the error of a client that wrote this.
    fn limit(body: &[u8], client: &[u8]) -> (Option<LimitSpan>, Option<Duration>) {
        let sent = SentRequest { upstream_model: "m", body: Some(client), key: None };
        let limit = limit_from_error(body, &ErrorBody::from_error_response(body), sent);
        (limit.span, limit.wait)
    }

    #[test]
    fn a_limit_is_not_told_in_words_of_the_clients() {
        let told = br#"{"error":{"message":"too much: per day","code":"rate_limit_exceeded"}}"#;
        assert_eq!(limit(told, br#"{"user":"x"}"#).0, Some(LimitSpan::Day));
        assert_eq!(limit(told, br#"{"user":"Per Day"}"#).0, None);
        assert_eq!(limit(br#"{"retryDelay":"0s"}"#, b"").1, None, "that is no time");
        let coded = br#"{"error":{"message":"no","code":"insufficient_quota"}}"#;
        assert_eq!(limit(coded, b"insufficient_quota").0, Some(LimitSpan::Day), "a code is the upstream's own");
    }

    #[test]
    fn a_days_limit_is_told_from_a_minutes() {
        let gemini = |id: &str| {
            format!(
                r#"[{{"error":{{"code":429,"details":[{{"violations":[{{"quotaId":"{id}"}}]}},{{"retryDelay":"34s"}}]}}}}]"#
            )
        };
        let wait = Some(Duration::from_secs(34));
        for (body, told) in [
            (gemini("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), (Some(LimitSpan::Day), wait)),
            (gemini("GenerateRequestsPerMinutePerProjectPerModel"), (Some(LimitSpan::Minute), wait)),
            (
                r#"{"error":{"message":"Rate limit reached for gpt-4 on requests per day (RPD): Limit 200"}}"#
                    .to_owned(),
                (Some(LimitSpan::Day), None),
            ),
            (
                r#"{"error":{"message":"Rate limit exceeded: free-models-per-day"}}"#.to_owned(),
                (Some(LimitSpan::Day), None),
            ),
            (r#"{"error":{"code":"insufficient_quota"}}"#.to_owned(), (Some(LimitSpan::Day), None)),
            (r#"{"error":{"message":"slow down"}}"#.to_owned(), (None, None)),
            ("<html>".to_owned(), (None, None)),
        ] {
            assert_eq!(limit(body.as_bytes(), b"{}"), told, "{body}");
        }
    }
}
