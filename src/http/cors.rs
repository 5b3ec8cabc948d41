//! Which pages may call the pool from a browser: those whose origin `server.cors` names, so none by default.
//!
//! Ours and not a library's, as the list changes with the configuration, and an answer to anyone but a browser on a named
//! page is to be as if there were no such thing.

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};

use super::auth::worker;

/// How long a browser may remember an allowance, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The answer to a browser that asks before it sends a request; `None` if it is none that asks.
pub(super) fn preflight(request: &ServiceRequest, origin: &HeaderValue) -> Option<HttpResponse> {
    let asks = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    asks.then(|| {
        let mut response = HttpResponse::NoContent().finish();
        allow(response.headers_mut(), origin.clone(), request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS));
        response
    })
}

/// Marks an answer, so that the page may read it.
pub(super) fn mark(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

/// The request's origin, if the configuration names it.
pub(super) fn named_origin(request: &ServiceRequest) -> Option<HeaderValue> {
    let origin = request.headers().get(ORIGIN)?;
    let config = worker(request.request()).ok()?.config();
    let is_named = config.server.cors.iter().any(|named| names(named, origin.as_bytes()));
    is_named.then(|| origin.clone())
}

/// Returns whether an entry of `server.cors` names the origin: as a whole, or by what stands before a final `*`.
fn names(entry: &str, origin: &[u8]) -> bool {
    match entry.strip_suffix('*') {
        Some(begin) => origin.starts_with(begin.as_bytes()),
        None => entry.as_bytes() == origin,
    }
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue, wanted: Option<&HeaderValue>) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    if let Some(wanted) = wanted {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.append(VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"));
}
