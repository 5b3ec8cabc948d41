//! What the error of a reached limit says of the limit. Pure.
//!
//! 1. Google's ids of quotas decide before any words.
//! 2. Words that the client wrote, too, do not count, unless they are the error's code.
//! 3. A limit is the model's if an id or the words say so, if the error names the model, or if a provider behind the upstream refused
//!    (OpenRouter). An account without money, and an id of a quota without a model, are the account's. Otherwise the entry says.

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::error_body::ErrorBody;
use super::errors::names;
use crate::dialect::SentRequest;
use crate::dialect::rate_limit_headers::{duration, exhausted_for, is_sensible};
use crate::dialect::redact::contains_ignore_case;
use crate::types::{Failure, FailureClass, LimitSpan};

/// Words for a day's limit, in codes and texts.
const DAY_WORDS: [&str; 7] = ["perday", "per day", "per-day", "per_day", "(rpd)", "(tpd)", "daily"];

/// Words for a minute's limit.
const MINUTE_WORDS: [&str; 5] = ["perminute", "per minute", "per-minute", "(rpm)", "(tpm)"];

/// Words for an account without money: OpenAI answers 429. Google has the same words for each limit, and says which.
const EMPTY_WORDS: [&str; 2] =
    ["insufficient_quota", "exceeded your current quota, please check your plan and billing"];

/// Words for a limit of some models, and not of the whole account: Google's, Mistral's and OpenRouter's.
const MODEL_WORDS: [&str; 4] = ["permodel", "per model", "for this model", "free-models"];

/// What an error of class `rate_limited` says of the limit.
#[derive(Debug, Default, PartialEq, Eq)]
struct LimitInError {
    /// Which of the upstream's limits was reached.
    span: Option<LimitSpan>,
    /// How long to wait.
    wait: Option<Duration>,
    /// The limit is the model's alone, or the account's.
    of_model: Option<bool>,
}

/// Adds what the error's body says of a reached limit.
pub(super) fn with_limit(failure: Failure, body: &[u8], error: &ErrorBody, sent: SentRequest<'_>) -> Failure {
    if failure.class != FailureClass::RateLimited {
        return failure;
    }
    let LimitInError { span, wait, of_model } = limit_from_error(body, error, sent);
    Failure { limit: span, limit_of_model: of_model, retry_after: failure.retry_after.or(wait), ..failure }
}

fn limit_from_error(body: &[u8], error: &ErrorBody, sent: SentRequest<'_>) -> LimitInError {
    let text = String::from_utf8_lossy(body).to_ascii_lowercase();
    let says = |words: &[&str]| {
        words.iter().any(|word| {
            error.code_contains(word)
                || text.contains(word) && sent.body.is_some_and(|body| !contains_ignore_case(body, word))
        })
    };
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut quotas = Vec::new();
    texts(&value, "quotaId", &mut quotas);
    let quotas = quotas.join(" ").to_ascii_lowercase();
    let is_of = |words: &[&str]| words.iter().any(|word| quotas.contains(word)) || quotas.is_empty() && says(words);
    let is_empty = quotas.is_empty() && says(&EMPTY_WORDS);
    let span = if is_of(&DAY_WORDS) {
        Some(LimitSpan::Day)
    } else if is_of(&MINUTE_WORDS) {
        Some(LimitSpan::Minute)
    } else {
        is_empty.then_some(LimitSpan::Day)
    };
    let mut delays = Vec::new();
    texts(&value, "retryDelay", &mut delays);
    let wait = delays.first().and_then(|text| duration(text));
    let behind = value.pointer("/error/metadata/provider_name").is_some_and(Value::is_string);
    // Even if the client wrote these words: a model's rest is the milder one.
    let of_a_model = |word: &&str| quotas.contains(word) || quotas.is_empty() && text.contains(word);
    let says_model =
        behind || MODEL_WORDS.iter().any(of_a_model) || names(&error.message, sent.upstream_model) && quotas.is_empty();
    let says_account = is_empty || !quotas.is_empty();
    let of_model = if says_model { Some(true) } else { says_account.then_some(false) };
    LimitInError { span, wait: wait.filter(is_sensible), of_model }
}

/// Returns how long the headers close the upstream that OpenRouter repeats in the body. `now`: ms, of the wall clock.
pub(super) fn exhausted_by_body(body: &[u8], now: i64) -> Option<Duration> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let header = |(name, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    };
    let repeated: HeaderMap = body.pointer("/error/metadata/headers")?.as_object()?.iter().filter_map(header).collect();
    exhausted_for(&repeated, now)
}

/// Adds the texts of all fields of this name, at any depth.
fn texts<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(name).and_then(Value::as_str));
            fields.values().for_each(|value| texts(value, name, found));
        }
        Value::Array(items) => items.iter().for_each(|value| texts(value, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
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

    /// Google's error, in Google's own words for each limit.
    fn googles(quota: &str) -> String {
        let message = "You exceeded your current quota, please check your plan and billing details.\\n* Quota exceeded for \
            metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 5\\nPlease retry in 31.5s.";
        let violation =
            format!(r#"{{"quotaId":"{quota}","quotaDimensions":{{"location":"global"}},"quotaValue":"5"}}"#);
        format!(
            r#"[{{"error":{{"code":429,"message":"{message}","status":"RESOURCE_EXHAUSTED","details":[{{"@type":"x/google.rpc.QuotaFailure","violations":[{violation}]}},{{"@type":"x/google.rpc.RetryInfo","retryDelay":"31s"}}]}}}}]"#
        )
    }

    #[test]
    fn googles_id_of_a_quota_decides_before_the_words() {
        let wait = Some(Duration::from_secs(31));
        for (quota, told) in [
            ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", (Some(LimitSpan::Minute), Some(true))),
            ("GenerateContentInputTokensPerModelPerMinute-FreeTier", (Some(LimitSpan::Minute), Some(true))),
            ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", (Some(LimitSpan::Day), Some(true))),
            ("GenerateRequestsPerDayPerProject-FreeTier", (Some(LimitSpan::Day), Some(false))),
            ("SpendPerTenMinutes", (None, Some(false))),
        ] {
            let body = googles(quota);
            let sent = SentRequest { upstream_model: "gemini-2.5-flash", body: Some(b"permodel per day"), key: None };
            let limit = limit_from_error(body.as_bytes(), &ErrorBody::from_error_response(body.as_bytes()), sent);
            assert_eq!(((limit.span, limit.of_model), limit.wait), (told, wait), "{quota}");
        }
    }

    #[test]
    fn a_limit_is_the_models_if_the_error_says_so_or_names_it() {
        let behind = r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"x","provider_name":"Chutes"}}}"#;
        let own =
            r#"{"error":{"message":"Rate limit exceeded: limit_rpm","code":429,"metadata":{"provider_name":null}}}"#;
        for (body, of_model) in [
            (
                r#"{"error":{"message":"Rate limit reached for model `m` in organization `o` on tokens per minute (TPM)"}}"#,
                Some(true),
            ),
            (r#"{"error":{"message":"Rate limit reached for m-large on requests per day (RPD)"}}"#, None),
            (
                r#"{"object":"error","message":"Service tier capacity exceeded for this model.","code":"3505"}"#,
                Some(true),
            ),
            (r#"{"object":"error","message":"Requests rate limit exceeded","code":"1300"}"#, None),
            (r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits"}}"#, Some(true)),
            (behind, Some(true)),
            (own, None),
            ("<html>m</html>", None),
            (r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#, Some(false)),
        ] {
            let sent = SentRequest { upstream_model: "m", body: Some(b"{}"), key: None };
            let limit = limit_from_error(body.as_bytes(), &ErrorBody::from_error_response(body.as_bytes()), sent);
            assert_eq!(limit.of_model, of_model, "{body}");
        }
    }

    #[test]
    fn headers_that_an_error_repeats_are_read() {
        let body =
            |headers: &str| format!(r#"{{"error":{{"message":"x","code":429,"metadata":{{"headers":{headers}}}}}}}"#);
        let now = 1_700_000_000_000;
        for (headers, seconds) in [
            (r#"{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1700000009000"}"#, Some(9)),
            (r#"{"X-RateLimit-Remaining":0,"X-RateLimit-Reset":1700000009000}"#, Some(9)),
            (r#"{"X-RateLimit-Remaining":"4","X-RateLimit-Reset":"1700000009000"}"#, None),
            (r#"{"a b":"\n"}"#, None),
            ("7", None),
        ] {
            let wait = exhausted_by_body(body(headers).as_bytes(), now);
            assert_eq!(wait, seconds.map(Duration::from_secs), "{headers}");
        }
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
            (
                r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details."}}"#
                    .to_owned(),
                (Some(LimitSpan::Day), None),
            ),
            (r#"{"error":{"message":"slow down"}}"#.to_owned(), (None, None)),
            ("<html>".to_owned(), (None, None)),
        ] {
            assert_eq!(limit(body.as_bytes(), b"{}"), told, "{body}");
        }
    }
}
