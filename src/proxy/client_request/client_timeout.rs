//! The client's own patience.

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName};

/// How long OpenAI's packages say they wait, in seconds: for the head, or for each piece of the answer, the head among them.
pub(super) fn client_timeout(headers: &HeaderMap) -> Option<Duration> {
    const LONGEST_SECS: f64 = 86_400.0;
    [HeaderName::from_static("x-stainless-timeout"), HeaderName::from_static("x-stainless-read-timeout")]
        .iter()
        .filter_map(|name| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok())
        .filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST_SECS)
        .map(Duration::from_secs_f64)
        .min()
}
