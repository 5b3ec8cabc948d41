//! What `fuzz/` needs of the pure parts, and can't see from outside.

use std::time::Duration;

use actix_web::http::header::HeaderMap;
pub use transport::{BadMessage, SocketCodec, SocketMessage};

use super::{ClientRequest, FormScanner, headers};
use crate::config::ApiKey;
use crate::dialect::Dialect;
use crate::dialect::openai::OpenAi;
use crate::dialect::{EventStream, RefusedResponse, Route, SentRequest, WholeAnswer, rate_limit_headers};
use crate::types::{Failure, Now, Usage};

/// What a stream came to.
#[derive(Debug, PartialEq, Eq)]
pub struct StreamVerdict {
    /// A part of the answer has come.
    pub began: bool,
    /// The stream is whole, if nothing more comes.
    pub whole: bool,
    /// The end of the stream has come.
    pub closed: bool,
    /// The failure that the stream itself reported.
    pub failed: Option<Failure>,
    /// The tokens, after a request of 100 bytes.
    pub usage: Option<Usage>,
}

/// Returns what a stream has come to so far.
pub fn verdict(stream: &EventStream) -> StreamVerdict {
    let progress = &stream.progress;
    StreamVerdict {
        began: progress.began(),
        whole: progress.is_whole(),
        closed: progress.closed(),
        failed: progress.failed().map(|failed| failed.failure.clone()),
        usage: progress.usage(100),
    }
}

/// Returns whether the proxy would have to ask for the usage of this request's stream.
pub fn lacks_usage(request: &ClientRequest) -> bool {
    request.lacks_usage()
}

/// Returns the model of a form with its place, at the end of the form; `None` if the form is broken.
pub fn form_model(scanner: FormScanner) -> Option<Option<(String, usize, usize)>> {
    let found = scanner.finish().ok()?.model;
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
    Some(found.map(|(model, at)| (model, place(at.start), place(at.end))))
}

const SENT: SentRequest<'_> = SentRequest { upstream_model: "m", body: Some(b"{}"), key: None };

/// Judges a whole 200 whose answer is to be JSON.
///
/// # Errors
/// With the failure, if the body is no answer.
pub fn judge(route: &Route, body: &[u8]) -> Result<Option<Usage>, Failure> {
    route.dialect.answer(WholeAnswer { kind: route.reply, body, prompt_bytes: 100 }, SENT)
}

/// Returns the failure of a refusal.
pub fn refusal(status: u16, headers: &HeaderMap, body: &[u8], now: Now) -> Failure {
    OpenAi.refusal(RefusedResponse { status, headers, body }, SENT, now)
}

/// Returns how long the headers say that a quota is exhausted.
pub fn exhausted_for(upstream: &HeaderMap, now: Now) -> Option<Duration> {
    rate_limit_headers::exhausted_for(upstream, now.wall)
}

/// Returns what the client sees of an upstream's headers.
pub fn response_headers(upstream: &HeaderMap, key: &ApiKey) -> HeaderMap {
    headers::response_headers(upstream, key)
}
