//! Doors for `fuzz/`: what it holds the pure parts to can't be seen from outside otherwise.

use std::time::Duration;

use actix_web::http::header::HeaderMap;

use super::classify::Refusal;
use super::no_model::Asked;
use super::stream::EventStream;
use super::{ClientRequest, answer, headers, learn};
use crate::config::ApiKey;
use crate::types::{Failure, Now, Operation, Usage};

/// What a stream came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Has a part of the answer come?
    pub began: bool,
    /// Is it whole, if nothing comes any more?
    pub whole: bool,
    /// Has `[DONE]` come?
    pub done: bool,
    /// The failure that it told.
    pub failed: Option<Failure>,
    /// What it cost, after a request of 100 bytes.
    pub usage: Option<Usage>,
}

/// What a stream has come to so far.
pub fn verdict(stream: &EventStream) -> Verdict {
    let meter = &stream.meter;
    Verdict {
        began: meter.began(),
        whole: meter.is_whole(),
        done: meter.done(),
        failed: meter.failed().map(|fault| fault.failure.clone()),
        usage: meter.usage(100),
    }
}

/// Would the proxy have to ask for the usage of this request's stream?
pub fn lacks_usage(request: &ClientRequest) -> bool {
    request.lacks_usage()
}

const ASKED: Asked<'_> = Asked { model: "m", client: Some(b"{}") };

/// Judges a whole 200 whose answer is to be JSON.
///
/// # Errors
/// With the failure, if it is no answer.
pub fn judge(operation: Operation, body: &[u8]) -> Result<Option<Usage>, Failure> {
    answer::judge(operation, body, ASKED)
}

/// What a refusal tells: of its status, its headers, and its body where that is looked at.
pub fn refusal(status: u16, headers: &HeaderMap, body: &[u8], now: Now) -> Failure {
    Refusal { status, headers, body }.failure(ASKED, now)
}

/// How long an answer's headers say that nothing is left.
pub fn closed_for(upstream: &HeaderMap, now: Now) -> Option<Duration> {
    learn::closed_for(&headers::rate_limits(upstream), || now.wall)
}

/// What the client sees of an upstream's headers.
pub fn downward(upstream: &HeaderMap, key: &ApiKey) -> HeaderMap {
    headers::downward(upstream, key)
}
