//! From what went wrong with an attempt to a [`Failure`]: the data that all decisions are made from. Pure.

use std::io;

use actix_web::http::header::{HeaderMap, RETRY_AFTER};
use awc::error::{ConnectError, SendRequestError};

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
        SendRequestError::Connect(error) => Failure::new(FailureClass::Connect, Phase::Connect, connect_error(error)),
        SendRequestError::Timeout => Failure::new(FailureClass::Timeout, Phase::Head, "no answer in time"),
        SendRequestError::Send(error) => broken(Phase::Head, error),
        other => Failure::new(FailureClass::Protocol, Phase::Head, format!("no valid answer ({other})")),
    }
}

/// A connection that broke.
pub(super) fn broken(phase: Phase, error: &io::Error) -> Failure {
    Failure::new(FailureClass::Protocol, phase, format!("the connection broke ({error})"))
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
