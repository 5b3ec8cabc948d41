//! An upstream's error with a wait of more than two minutes, as clients can act on it.
//!
//! Several agents obey `retry-after` to the second, and would sleep for hours without a word.
//!
//! 1. Every such error says `x-should-retry: false`.
//! 2. A 429 gets the code by which agents stop (`insufficient_quota`), in the upstream's own text, where the dialect has such
//!    a code. The wait stays in the headers.
//! 3. A 5xx loses the wait.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};

use crate::dialect::Route;
use crate::error::{LONGEST_CLIENT_RETRY, X_SHOULD_RETRY};
use crate::proxy::attempt_error::ErrorResponse;
use crate::types::Failure;

/// Changes a response to the failure by the rules above, if the wait is long.
pub(in crate::proxy) fn advise(response: &mut ErrorResponse, failure: &Failure, route: &Route) {
    if failure.retry_after.is_none_or(|wait| wait <= LONGEST_CLIENT_RETRY) {
        return;
    }
    response.headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
    if response.status.is_server_error() {
        response.headers.remove(RETRY_AFTER);
        response.headers.remove(HeaderName::from_static("retry-after-ms"));
    }
    if response.status == StatusCode::TOO_MANY_REQUESTS
        && let Some(body) = route.dialect.spent_limit(&response.body)
    {
        response.body = body;
    }
}
