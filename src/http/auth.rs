//! Who may come in: clients with one of the configured keys.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};

use super::Worker;
use crate::config::{ApiConfig, ClientKey, Config, PresentedKey};
use crate::error::ApiError;
use crate::proxy::key_in_query;

/// Headers with a key and nothing else: Anthropic's, Azure's and Google's clients send theirs so.
static BARE: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// The begin of the sub-protocol with a key: browsers can send no headers with a WebSocket.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// Checks the key of a request: `Authorization: Bearer KEY`, or the bare key, there, in a header of its own, as `?key=KEY`, or as a
/// sub-protocol. Of several keys one must be right.
pub(super) fn check(headers: &HeaderMap, query: &str, config: &Config) -> Result<(), ApiError> {
    let keys = &config.server.client_keys;
    if keys.is_empty() {
        return Ok(());
    }
    let bearer = headers.get(AUTHORIZATION).map(|header| without_scheme(header.as_bytes()));
    if bearer.is_some_and(|key| is_known(key, keys)) {
        return Ok(());
    }
    let mut refusal = bearer.map_or(ApiError::MissingKey, |key| wrong(key, config));
    let bare = BARE.iter().filter_map(|name| headers.get(name)).map(HeaderValue::as_bytes);
    for key in bare.chain(offered_key(headers)) {
        if is_known(key, keys) {
            return Ok(());
        }
        refusal = wrong(key, config);
    }
    if let Some(key) = key_in_query(query) {
        if is_known(key.as_bytes(), keys) {
            return Ok(());
        }
        refusal = wrong(key.as_bytes(), config);
    }
    Err(refusal)
}

/// Returns what to say of a wrong key: whoever sends an account's key has taken the pool for the provider.
fn wrong(key: &[u8], config: &Config) -> ApiError {
    let key = key.trim_ascii();
    let is_of = |api: &ApiConfig| api.key.is_secret() && api.key.matches(key);
    // Every key is compared, as for clients' keys.
    let is_of_account = config.apis.iter().fold(false, |known, api| known | is_of(api));
    if is_of_account { ApiError::AccountKey } else { ApiError::WrongKey }
}

fn without_scheme(header: &[u8]) -> &[u8] {
    match header.split_at_checked(7) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"bearer ") => key,
        Some(_) | None => header,
    }
}

/// Returns whether this is one of the keys. Every key is compared, so the time taken shows nothing about near misses.
fn is_known(presented: &[u8], keys: &[ClientKey]) -> bool {
    let presented = PresentedKey::new(presented.trim_ascii());
    keys.iter().fold(false, |known, key| known | key.matches(&presented))
}

/// Returns this thread's share of the application.
pub(super) fn worker(request: &HttpRequest) -> Result<&Worker, ApiError> {
    request.app_data::<Worker>().ok_or(ApiError::Internal)
}

/// Returns the key among the offered sub-protocols.
fn offered_key(headers: &HeaderMap) -> Option<&[u8]> {
    protocols(headers).find_map(|protocol| protocol.strip_prefix(KEY_PROTOCOL)).map(str::as_bytes)
}

/// Returns the offered sub-protocols.
pub(super) fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_among_the_sub_protocols() {
        for (offered, key) in [
            (&["realtime, openai-insecure-api-key.sk-1, openai-beta.realtime-v1"][..], Some("sk-1")),
            (&["realtime", "openai-insecure-api-key.sk-2"], Some("sk-2")),
            (&["realtime"], None),
            (&[], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in offered {
                headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(value));
            }
            assert_eq!(offered_key(&headers), key.map(str::as_bytes));
        }
    }
}
