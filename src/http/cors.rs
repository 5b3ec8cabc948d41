//! Which pages may call the pool from a browser: pages whose origin `server.cors` names, so none by default.
//!
//! This is ours and not a library's, because the list changes with the configuration. For everyone else than a browser on
//! such a page, an answer must look as if there were no CORS.

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};

/// How long a browser may remember an allowance, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Returns the answer to a browser's preflight, or `None` to any other request.
pub(super) fn preflight(request: &ServiceRequest, origin: &HeaderValue) -> Option<HttpResponse> {
    if request.method() != Method::OPTIONS || !request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = HttpResponse::NoContent().finish();
    allow(response.headers_mut(), origin.clone(), request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS));
    Some(response)
}

/// Marks an answer, so that the page may read the body.
pub(super) fn mark(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
}

/// Returns the request's origin, if an entry of `server.cors` names the origin.
pub(super) fn named_origin(request: &ServiceRequest, entries: &[String]) -> Option<HeaderValue> {
    if entries.is_empty() {
        return None;
    }
    let origin = request.headers().get(ORIGIN)?;
    entries.iter().any(|entry| names(entry, origin.as_bytes())).then(|| origin.clone())
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
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
    if let Some(wanted) = wanted {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.append(VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"));
}
