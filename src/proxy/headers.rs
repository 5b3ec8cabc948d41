//! Which headers pass, in each direction.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::config::ApiKey;
use crate::types::{ApiId, RateLimitSummary, WireFormat};
use crate::upstream::Endpoint;

/// Returns whether a client's header goes upstream. All others are about the connection to us, the account, or the client itself.
fn goes_up(name: &str) -> bool {
    matches!(
        name,
        "accept"
            | "openai-beta"
            | "user-agent"
            | "x-client-request-id"
            // Traces, and one request sent twice.
            | "traceparent"
            | "tracestate"
            | "idempotency-key"
            // Sessions, for the affinity of a pool behind this one.
            | "session-id"
            | "thread-id"
            | "x-session-id"
            | "x-session-affinity"
            | "x-claude-code-session-id"
            | "originator"
            | "version"
            // Names of apps, for the statistics of OpenRouter.
            | "http-referer"
            | "x-title"
    ) || name.starts_with("x-codex-")
}

/// Names one request, sent twice.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The upstream's own name for a request: at OpenAI, and at Anthropic.
static UPSTREAM_IDS: [HeaderName; 2] = [HeaderName::from_static("x-request-id"), HeaderName::from_static("request-id")];

/// A header, on its way.
pub(super) type Header = (HeaderName, HeaderValue);

const LIMIT_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-limit-requests");
const REMAINING_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");
const RESET_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-reset-requests");

/// So many headers are added to an answer: these, and its id.
const OF_OURS: usize = 4;

/// What of an upstream's headers does not come down: it is about the connection, about the account whose key was used, for a proxy
/// before the upstream, or for a browser that visits it.
fn is_stripped(name: &str) -> bool {
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

/// Of a client's headers, those that go upstream. Anthropic's own are an open list, as fields of the body need them.
pub(super) fn client_headers(client: &HeaderMap, format: WireFormat) -> Vec<Header> {
    let is_of_format = |name: &str| match format {
        WireFormat::OpenAi => false,
        WireFormat::Anthropic => name.starts_with("anthropic-") && !is_stripped(name),
        WireFormat::Gemini => matches!(name, "x-goog-api-client" | "x-server-timeout"),
    };
    let passed = client.iter().filter(|(name, _)| goes_up(name.as_str()) || is_of_format(name.as_str()));
    passed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Puts the headers of an attempt with an upstream onto its request.
pub(super) fn set_request_headers(outgoing: &mut HeaderMap, client: &[Header], endpoint: &Endpoint) {
    // A header of the configuration stays.
    let is_fixed = |name: &HeaderName| endpoint.headers.contains_key(name.as_str());
    for (name, value) in client.iter().filter(|(name, _)| !is_fixed(name)) {
        if *name == header::AUTHORIZATION {
            set_secret(outgoing, value);
        } else if *name != IDEMPOTENCY_KEY {
            outgoing.append(name.clone(), value.clone());
        } else if let Some(own) = own_idempotency_key(value, &endpoint.api) {
            outgoing.append(name.clone(), own);
        }
    }
    // The body was read as JSON, whatever the client called the body (curl: a form). A body that was not read has the client's word.
    if !client.iter().any(|(name, _)| *name == header::CONTENT_TYPE) {
        outgoing.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    // A compressed stream could be neither counted nor passed on event by event.
    outgoing.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// Puts the secret of a realtime session in the place of the account's key.
fn set_secret(outgoing: &mut HeaderMap, secret: &HeaderValue) {
    for name in ["x-api-key", "api-key"] {
        outgoing.remove(name);
    }
    outgoing.insert(header::AUTHORIZATION, secret.clone());
}

/// Returns the key with the upstream's id behind. Two accounts of one provider never get the same key: the second would answer
/// with a conflict, or with the first one's answer.
fn own_idempotency_key(key: &HeaderValue, api: &ApiId) -> Option<HeaderValue> {
    HeaderValue::from_bytes(&[key.as_bytes(), b"-", api.to_string().as_bytes()].concat()).ok()
}

/// The headers of an upstream's answer that the client may see. One with the key or a fixed header's value is left out: some
/// upstreams echo these. A `content-type` is a common word and no echo.
pub(super) fn response_headers(upstream: &HeaderMap, key: &ApiKey) -> HeaderMap {
    let connection = upstream.get(header::CONNECTION).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let hop_by_hop = |name: &str| connection.split(',').any(|named| named.trim().eq_ignore_ascii_case(name));
    let holds = |value: &HeaderValue, key: &ApiKey| key.find_in(value.as_bytes()).is_some();
    let echoes = |name: &HeaderName, value: &HeaderValue| {
        holds(value, key) || *name != header::CONTENT_TYPE && key.beside().iter().any(|beside| holds(value, beside))
    };
    // With room for our own: a map that grows is made anew.
    let mut passed = HeaderMap::with_capacity(upstream.len() + OF_OURS);
    for (name, value) in upstream {
        if !is_stripped(name.as_str()) && !hop_by_hop(name.as_str()) && !echoes(name, value) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

/// Returns the upstream's own name for the request: OpenAI's header, or Anthropic's.
pub(super) fn upstream_id(headers: &HeaderMap) -> Option<&str> {
    UPSTREAM_IDS.iter().find_map(|name| headers.get(name)?.to_str().ok())
}

/// Tells the client of the pool's own limits, as OpenAI does, in place of the upstream's limits for the account.
pub(super) fn set_rate_limit(headers: &mut HeaderMap, rate: Option<RateLimitSummary>) {
    let Some(rate) = rate else { return };
    let theirs: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-ratelimit-")).cloned().collect();
    for name in &theirs {
        headers.remove(name);
    }
    headers.insert(LIMIT_REQUESTS, HeaderValue::from(rate.limit));
    headers.insert(REMAINING_REQUESTS, HeaderValue::from(rate.remaining));
    if let Ok(reset) = HeaderValue::try_from(rate.reset()) {
        headers.insert(RESET_REQUESTS, reset);
    }
}

/// Says what kind of answer it is: the upstream's own word for the same kind stays.
pub(super) fn set_kind(headers: &mut HeaderMap, kind: &'static str) {
    if !is_of_kind(headers, kind) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
}

/// Says that no proxy on the way may hold a stream back to compress or store it.
pub(super) fn mark_stream(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
}

/// What answers are, mostly.
pub(super) const EVENTS: &str = "text/event-stream";
pub(super) const PAGE: &str = "text/html";
pub(super) const TEXT: &str = "text/";
pub(super) const JSON: &str = "application/json";
/// Of a realtime call (WebRTC).
pub(super) const CALL: &str = "application/sdp";

/// Is the answer a stream of events?
pub(super) fn is_event_stream(headers: &HeaderMap) -> bool {
    is_of_kind(headers, EVENTS)
}

/// Returns whether the answer is of this kind.
pub(super) fn is_of_kind(headers: &HeaderMap, kind: &str) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let beginning = content_type.trim_start().get(..kind.len());
    beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(kind))
}

/// Codings that change the bytes of a body, and whether such bytes begin with a mark that no text begins with. Servers
/// write other words in their place, which mean nothing.
const CODINGS: [(&str, bool); 7] = [
    ("gzip", true),
    ("x-gzip", true),
    ("zstd", true),
    ("compress", true),
    ("x-compress", true),
    ("deflate", false),
    ("br", false),
];

/// Returns whether the answer is compressed, against our wish. Then it can only be passed on.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    codings(headers).next().is_some()
}

/// Returns whether the answer may be compressed although its first bytes are plain text.
pub(super) fn is_encoded_without_mark(headers: &HeaderMap) -> bool {
    codings(headers).any(|has_mark| !has_mark)
}

fn codings(headers: &HeaderMap) -> impl Iterator<Item = bool> {
    let values = headers.get_all(header::CONTENT_ENCODING).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).filter_map(|coding| {
        CODINGS.iter().find(|(known, _)| coding.trim().eq_ignore_ascii_case(known)).map(|(_, has_mark)| *has_mark)
    })
}

/// The length that the upstream announced.
pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_coding_leaves_a_body_readable() {
        for (coding, is_coded) in [
            ("", false),
            ("none", false),
            ("identity", false),
            ("identity, Identity", false),
            ("utf-8", false),
            ("UTF8", false),
            ("gzip", true),
            (" GZIP ", true),
            ("identity,gzip", true),
            ("x-gzip", true),
            ("deflate", true),
            ("br", true),
            ("zstd", true),
            ("compress", true),
        ] {
            let mut upstream = HeaderMap::new();
            upstream.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
            assert_eq!(is_encoded(&upstream), is_coded, "{coding:?}");
        }
        let mut twice = HeaderMap::new();
        twice.append(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
        twice.append(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        assert!(is_encoded(&twice) && is_encoded_without_mark(&twice));
    }
}
