//! From what went wrong with an attempt to a [`Failure`]: the data that all decisions are made from. Pure.

use std::io;

use actix_web::http::header::{HeaderMap, RETRY_AFTER};
use awc::error::{ConnectError, SendRequestError};
use serde_json::Value;

use super::answer::{class_of_status, retry_after};
use super::{headers, learn};
use crate::types::{Failure, FailureClass, Now, Phase};

/// The failure that a status tells, with what the headers say of coming back.
pub(super) fn status(status: u16, headers: &HeaderMap, now: Now) -> Failure {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    Failure {
        class: class_of_status(status),
        phase: Phase::Head,
        status: Some(status),
        retry_after: retry_after(header("retry-after-ms"), header(RETRY_AFTER.as_str()), now.wall),
        limit: None,
        detail: format!("status {status}"),
    }
}

/// Adds to a 429 what it tells of the limit that was reached.
pub(super) fn learn(failure: &mut Failure, headers: &HeaderMap, body: &[u8], now: Now) {
    let (limit, told) = learn::limit_in(body);
    failure.limit = limit;
    let closed = learn::closed_for(&headers::rate_limits(headers), || now.wall);
    failure.retry_after = failure.retry_after.or(closed).or(told);
}

/// Did the upstream refuse the `stream_options` that the proxy had put in? Providers have no common code for it, so its
/// words are looked for.
pub(super) fn refuses_stream_options(status: u16, body: &[u8]) -> bool {
    let names = |word: &str| memchr::memmem::find(body, word.as_bytes()).is_some();
    matches!(status, 400 | 422) && (names("stream_options") || names("include_usage"))
}

/// Does the upstream say that it does not serve this model (by its own name), or not to this account? Codes are few; else its words
/// have to name the model, so that no text of a client's that it quotes is taken for them.
pub(super) fn names_no_model(status: u16, body: &[u8], model: &str) -> bool {
    const CODES: [&str; 4] = ["model_not_found", "model_not_available", "invalid_model", "model not exist"];
    const WORDS: [&str; 8] = [
        "not exist",
        "not found",
        "not a valid model",
        "invalid model",
        "unknown model",
        "not supported",
        "does not have access to",
        "not available",
    ];
    if !matches!(status, 400 | 403 | 404 | 422) {
        return false;
    }
    let Ok(told) = serde_json::from_slice::<Value>(body) else { return false };
    let error = told.get("error").unwrap_or(&told);
    let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let message = error.as_str().map_or_else(|| text("message"), str::to_lowercase);
    let coded = [text("code"), text("type"), message.clone()].iter().any(|said| CODES.contains(&said.as_str()));
    let model = model.to_lowercase();
    coded || message.contains(&model) && message.contains("model") && WORDS.iter().any(|words| message.contains(words))
}

/// The failure of an exchange that got no head.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "awc's errors are open-ended; the rest tell no more than their text"
)]
pub(super) fn send_error(error: &SendRequestError, stale: bool) -> Failure {
    if stale {
        let detail = "a kept-alive connection was closed by the upstream";
        return Failure::new(FailureClass::StaleConnection, Phase::Head, detail);
    }
    match error {
        SendRequestError::Connect(ConnectError::Disconnected) => {
            Failure::new(FailureClass::Protocol, Phase::Head, "the connection was closed before an answer")
        }
        SendRequestError::Connect(error) => {
            let class = if is_ours(error) { FailureClass::NoSocket } else { FailureClass::Connect };
            Failure::new(class, Phase::Connect, connect_error(error))
        }
        SendRequestError::Timeout => Failure::new(FailureClass::Timeout, Phase::Head, "no answer in time"),
        SendRequestError::Send(error) => broken(Phase::Head, error),
        other => Failure::new(FailureClass::Protocol, Phase::Head, format!("no valid answer ({other})")),
    }
}

/// A connection that broke.
pub(super) fn broken(phase: Phase, error: &io::Error) -> Failure {
    Failure::new(FailureClass::Protocol, phase, format!("the connection broke ({error})"))
}

/// Did this machine give no socket, and nobody was asked?
fn is_ours(error: &ConnectError) -> bool {
    /// `ENFILE` and `EMFILE`: too many open files, in the system or in the process.
    const NO_FILE: [i32; 2] = [23, 24];
    matches!(error, ConnectError::Io(error) if error.raw_os_error().is_some_and(|code| NO_FILE.contains(&code)))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "awc's errors are open-ended; the rest tell no more than their text"
)]
fn connect_error(error: &ConnectError) -> String {
    match error {
        ConnectError::Timeout => "no connection in time".to_owned(),
        ConnectError::Resolver(why) => format!("its host name can't be resolved ({why})"),
        ConnectError::NoRecords => "its host name has no address".to_owned(),
        other => format!("no connection ({other})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_an_upstream_does_not_serve_is_known_by_code_or_by_name() {
        for (status, body, wanted) in [
            (
                404,
                r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","code":"model_not_found"}}"#,
                true,
            ),
            (
                403,
                r#"{"error":{"message":"Project does not have access to model gpt-9","code":"model_not_found"}}"#,
                true,
            ),
            (
                404,
                r#"{"object":"error","message":"The model `gpt-9` does not exist.","type":"NotFoundError","code":404}"#,
                true,
            ),
            (400, r#"{"error":{"message":"gpt-9 is not a valid model ID","code":400}}"#, true),
            (400, r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#, true),
            (404, r#"{"error":"model \"gpt-9\" not found, try pulling it first"}"#, true),
            (404, r#"{"error":{"code":404,"message":"models/gpt-9 is not found for API version v1beta"}}"#, true),
            (400, r#"{"type":"invalid_model","message":"Invalid model: gpt-9"}"#, true),
            (404, r#"{"error":{"message":"No such file: model.bin not found"}}"#, false),
            (400, r#"{"error":{"message":"max_tokens is too large for gpt-9"}}"#, false),
            (400, r#"{"error":{"message":"tool call not found"}}"#, false),
            (500, r#"{"error":{"code":"model_not_found"}}"#, false),
            (404, "<html>gpt-9 model not found</html>", false),
        ] {
            assert_eq!(names_no_model(status, body.as_bytes(), "gpt-9"), wanted, "{body}");
        }
    }
}
