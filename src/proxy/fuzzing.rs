//! Doors for `fuzz/`: what it holds the pure parts to can't be seen from outside otherwise.

use std::time::Duration;

use actix_web::http::header::HeaderMap;

use super::classify::Refusal;
use super::no_model::Asked;
use super::{ClientRequest, headers, learn};
use crate::config::ApiKey;
use crate::dialect::openai::json_response;
use crate::dialect::{EventStream, ReplyKind, SentRequest};
use crate::types::{Failure, FailureClass, Now, Operation, Usage};

/// What a stream came to.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Has a part of the answer come?
    pub began: bool,
    /// Is it whole, if nothing comes any more?
    pub whole: bool,
    /// Has the end of the stream come?
    pub closed: bool,
    /// The failure that it told.
    pub failed: Option<Failure>,
    /// What it cost, after a request of 100 bytes.
    pub usage: Option<Usage>,
}

/// What a stream has come to so far.
pub fn verdict(stream: &EventStream) -> Verdict {
    let progress = &stream.progress;
    Verdict {
        began: progress.began(),
        whole: progress.is_whole(),
        closed: progress.closed(),
        failed: progress.failed().map(|failed| failed.failure.clone()),
        usage: progress.usage(100),
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
    let sent = SentRequest { model: ASKED.model, body: ASKED.client };
    json_response::judge(ReplyKind::of(operation), body, 100, sent)
}

/// What a refusal tells: of its status, its headers, and its body where that is looked at.
pub fn refusal(status: u16, headers: &HeaderMap, body: &[u8], now: Now) -> Failure {
    let refusal = Refusal { status, headers, body };
    let mut failure = refusal.failure(ASKED, now);
    if refusal.is_of_stream_options(b"{}") {
        failure.class = FailureClass::StreamOptionsRefused;
    }
    failure
}

/// How long an answer's headers say that nothing is left.
pub fn closed_for(upstream: &HeaderMap, now: Now) -> Option<Duration> {
    learn::closed_for(&headers::rate_limits(upstream), || now.wall)
}

/// What the client sees of an upstream's headers.
pub fn downward(upstream: &HeaderMap, key: &ApiKey) -> HeaderMap {
    headers::downward(upstream, key)
}
