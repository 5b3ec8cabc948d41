//! Which headers pass, in each direction.

use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use awc::ClientRequest as Outgoing;
use memchr::memmem;

use super::learn;
use super::scrub::secret;
use crate::config::ApiKey;
use crate::types::RateLimitSummary;

/// What of a client's headers goes upstream: all else is about its connection to us, its account, or itself.
static UPWARD: [HeaderName; 4] = [
    header::ACCEPT,
    HeaderName::from_static("openai-beta"),
    header::USER_AGENT,
    HeaderName::from_static("x-client-request-id"),
];

/// A header, on its way.
pub(super) type Header = (HeaderName, HeaderValue);

const LIMIT_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const REMAINING_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const RESET_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");

/// Reads how long to stay away (the second: the wall clock, in ms).
type Read = fn(&str, i64) -> Option<Duration>;

/// What tells how long to stay away; where both do, the first counts.
static WAITS: [(HeaderName, Read); 2] =
    [(HeaderName::from_static("retry-after-ms"), learn::retry_after_ms), (header::RETRY_AFTER, learn::retry_after)];

/// So many headers are added to an answer: these, and its id.
const OF_OURS: usize = 4;

/// What of an upstream's headers does not come down: it is about the connection, about the account whose key was used, for a proxy
/// before the upstream, or for a browser that visits it.
fn stays_up(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authentication-info"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "content-length"
            | "date"
            | "server"
            | "set-cookie"
            | "set-cookie2"
            | "www-authenticate"
            | "authentication-info"
            | "authorization"
            | "openai-project"
            | "x-sendfile"
            | "clear-site-data"
            | "refresh"
            | "link"
            | "report-to"
            | "nel"
            | "alt-svc"
            | "strict-transport-security"
    ) || name.starts_with("access-control-")
        || name.starts_with("x-accel-")
        // `openai-organization`, `anthropic-organization-id`, `x-groq-organization`, …
        || name.contains("organization")
}

/// Of a client's headers, those that go upstream.
pub(super) fn to_pass_up(client: &HeaderMap) -> Vec<Header> {
    UPWARD.iter().filter_map(|name| Some((name.clone(), client.get(name)?.clone()))).collect()
}

/// Puts the headers of an attempt onto its request.
pub(super) fn upward(outgoing: Outgoing, client: &[Header]) -> Outgoing {
    client
        .iter()
        .fold(outgoing, |outgoing, header| outgoing.insert_header(header.clone()))
        // Whatever the client called it (curl: a form), it was read as JSON.
        .insert_header((header::CONTENT_TYPE, HeaderValue::from_static("application/json")))
        // A compressed stream could be neither counted nor passed on event by event.
        .insert_header((header::ACCEPT_ENCODING, HeaderValue::from_static("identity")))
}

/// The headers of an upstream's answer that the client may see. `key` is scrubbed: some upstreams echo it.
pub(super) fn downward(upstream: &HeaderMap, key: &ApiKey) -> HeaderMap {
    let connection = upstream.get(header::CONNECTION).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let hop_by_hop = |name: &str| connection.split(',').any(|named| named.trim().eq_ignore_ascii_case(name));
    let key = secret(key).map(str::as_bytes);
    let holds_key = |value: &HeaderValue| key.is_some_and(|key| memmem::find(value.as_bytes(), key).is_some());
    // With room for our own: a map that grows is made anew.
    let mut passed = HeaderMap::with_capacity(upstream.len() + OF_OURS);
    for (name, value) in upstream {
        if !stays_up(name.as_str()) && !hop_by_hop(name.as_str()) && !holds_key(value) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

/// How long an upstream asks us to stay away. `now`: ms, of the wall clock.
pub(super) fn retry_after(upstream: &HeaderMap, now: i64) -> Option<Duration> {
    WAITS.iter().find_map(|(name, read)| read(upstream.get(name)?.to_str().ok()?, now))
}

/// A time to wait that is none (`Retry-After: 0`) is not told to a client, which would come back at once. `now`: ms, of the wall clock.
pub(super) fn drop_no_time(headers: &mut HeaderMap, now: i64) {
    for (name, read) in &WAITS {
        let is_time = |value: &&HeaderValue| value.to_str().is_ok_and(|text| read(text, now).is_some());
        // (Of several of one name, only the first counts.)
        match headers.get(name).filter(is_time).cloned() {
            Some(first) => headers.insert(name.clone(), first),
            None => headers.remove(name),
        };
    }
}

/// Tells the client of the pool's own limits, as OpenAI does, in place of what the upstream told of its account's.
pub(super) fn tell_rate(headers: &mut HeaderMap, rate: Option<RateLimitSummary>) {
    let Some(rate) = rate else { return };
    let theirs: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-ratelimit-")).cloned().collect();
    for name in &theirs {
        headers.remove(name);
    }
    headers.insert(LIMIT_REQUESTS, HeaderValue::from(rate.limit));
    headers.insert(REMAINING_REQUESTS, HeaderValue::from(rate.remaining));
    if let Ok(reset) = HeaderValue::try_from(rate.reset().to_string()) {
        headers.insert(RESET_REQUESTS, reset);
    }
}

/// Says what kind of answer it is, unless the upstream's own word for it came down. (It may hold what was taken for a key.)
pub(super) fn mark_kind(headers: &mut HeaderMap, kind: &'static str) {
    if !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
}

/// Says that no proxy on the way may hold a stream back to compress or store it.
pub(super) fn mark_stream(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}

/// What an upstream tells of its own limits (`x-ratelimit-…`).
pub(super) fn rate_limits(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let named = headers.iter().filter(|(name, _)| name.as_str().starts_with("x-ratelimit-"));
    named.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect()
}

/// What answers are, mostly.
pub(super) const EVENTS: &str = "text/event-stream";
pub(super) const TEXT: &str = "text/";
pub(super) const JSON: &str = "application/json";

/// Is the answer a stream of events?
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    is_of_kind(headers, EVENTS)
}

/// Is the answer of this kind?
pub(super) fn is_of_kind(headers: &HeaderMap, kind: &str) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    content_type.trim_start().to_ascii_lowercase().starts_with(kind)
}

/// Is the answer compressed, against our wish? Then it can only be passed on.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The length that the upstream announced.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_milliseconds_go_before_the_seconds_if_they_are_a_time() {
        for (millis, wait) in [("0", 9_000), ("1500", 1_500)] {
            let mut upstream = HeaderMap::new();
            upstream.insert(header::RETRY_AFTER, HeaderValue::from_static("9"));
            upstream.insert(HeaderName::from_static("retry-after-ms"), HeaderValue::from_static(millis));
            assert_eq!(retry_after(&upstream, 0), Some(Duration::from_millis(wait)));
        }
    }
}
