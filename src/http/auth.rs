//! Who may come in: clients with one of the configured keys, and operators.
//!
//! 1. A key comes as `Authorization: Bearer KEY`, or the bare key there, in a header of its own, as a sub-protocol, or as `?key=KEY`.
//! 2. Of several keys one must be right. The first right one, in this order, says who it is.
//! 3. A presented key is looked up by digest, so the time taken shows nothing about near misses.
//! 4. The secret of a realtime session opens the paths of realtime alone, and counts as the key behind the secret.
//! 5. Where clients need no key, whoever presents no operator's key is a client.

use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use actix_web::{HttpMessage, HttpRequest};

use super::Worker;
use crate::config::{ApiConfig, ApiKey, Config, Identity, KeyConfig};
use crate::dialect::takes_secrets;
use crate::error::{ApiError, KeyRefusal};
use crate::proxy::{ClientSecret, key_in_force, key_in_query};
use crate::types::{KeyName, Now};

/// Headers with a key and nothing else: Anthropic's, Azure's and Google's clients send theirs so.
static BARE: [HeaderName; 3] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// The begin of the sub-protocol with a key: browsers can send no headers with a WebSocket.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

impl Identity {
    /// Returns the name of the key.
    pub(crate) fn name(&self) -> &KeyName {
        match self {
            Identity::Admin(name) | Identity::Viewer(name) => name,
            Identity::Client(key) => &key.name,
        }
    }

    /// Returns the key of a client that may ask for models now.
    ///
    /// # Errors
    /// When the key is an operator's, over or disabled.
    pub(super) fn client(self, now: impl FnOnce() -> i64) -> Result<Arc<KeyConfig>, KeyRefusal> {
        match self {
            Identity::Admin(name) | Identity::Viewer(name) => Err(KeyRefusal::OperatorKey(name)),
            Identity::Client(key) => key_in_force(&key, now).map(|()| key),
        }
    }
}

/// Returns whose key a request has.
///
/// # Errors
/// When clients need a key, and none of the presented ones is right.
pub(super) fn identify(headers: &HeaderMap, query: &str, config: &Config) -> Result<Identity, ApiError> {
    let everybody = config.owners.everybody();
    if let Some(key) = everybody.filter(|_| !config.access.has_operators()) {
        return Ok(Identity::Client(key.clone()));
    }
    let bearer = headers.get(AUTHORIZATION).map(|header| without_scheme(header.as_bytes()));
    let bare = BARE.iter().filter_map(|name| headers.get(name)).map(HeaderValue::as_bytes);
    let mut refusal = ApiError::MissingKey;
    for key in bearer.into_iter().chain(bare).chain(offered_key(headers)) {
        match holder(key, config) {
            Some(owner) => return Ok(owner),
            None => refusal = wrong(key, config),
        }
    }
    if let Some(key) = key_in_query(query) {
        match holder(key.as_bytes(), config) {
            Some(owner) => return Ok(owner),
            None => refusal = wrong(key.as_bytes(), config),
        }
    }
    everybody.map(|key| Identity::Client(key.clone())).ok_or(refusal)
}

/// A secret of a realtime session that a client presents in the place of a key.
#[derive(Clone)]
pub(super) struct PresentedSecret {
    pub(super) secret: ApiKey,
    /// The key that asked for the secret.
    pub(super) key: KeyName,
}

/// Returns the secret of a realtime session that a request has, if the path is one that secrets open.
pub(super) fn presented_secret(here: &Worker, path: &str, headers: &HeaderMap, query: &str) -> Option<PresentedSecret> {
    if !path.strip_prefix("/v1/").is_some_and(takes_secrets) {
        return None;
    }
    let bearer = headers.get(AUTHORIZATION).map(|header| without_scheme(header.as_bytes()));
    let bare = BARE.iter().filter_map(|name| headers.get(name)).map(HeaderValue::as_bytes);
    let in_query = key_in_query(query);
    let in_query = in_query.as_deref().map(str::as_bytes);
    let all = bearer.into_iter().chain(bare).chain(offered_key(headers)).chain(in_query);
    let mut texts = all.filter_map(|presented| std::str::from_utf8(presented.trim_ascii()).ok());
    texts.find_map(|text| {
        let ClientSecret { key, .. } = here.pool.secrets.find(text, wall_now())?;
        Some(PresentedSecret { secret: ApiKey::new(text), key })
    })
}

impl PresentedSecret {
    /// Returns who asked for the secret, as long as the key is one.
    pub(super) fn holder(&self, config: &Config) -> Result<Identity, ApiError> {
        let key = config.keys.iter().find(|key| key.name == self.key);
        key.map(|key| Identity::Client(key.clone())).ok_or(ApiError::WrongKey)
    }
}

/// Returns whose key this is.
fn holder(key: &[u8], config: &Config) -> Option<Identity> {
    config.owners.of(key.trim_ascii()).cloned()
}

/// Returns what to say of a wrong key: whoever sends an account's key has taken the pool for the provider.
fn wrong(key: &[u8], config: &Config) -> ApiError {
    let key = key.trim_ascii();
    let is_of = |api: &ApiConfig| api.key.is_secret() && api.key.matches(key);
    // Every key is compared, so the time taken shows nothing.
    let is_of_account = config.apis.iter().fold(false, |known, api| known | is_of(api));
    if is_of_account { ApiError::AccountKey } else { ApiError::WrongKey }
}

fn without_scheme(header: &[u8]) -> &[u8] {
    match header.split_at_checked(7) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"bearer ") => key,
        Some(_) | None => header,
    }
}

/// Returns the client's key of a request that passed the door.
pub(super) fn client(request: &HttpRequest) -> Result<Arc<KeyConfig>, ApiError> {
    let caller = request.extensions().get::<Identity>().cloned();
    Ok(caller.ok_or(ApiError::Internal)?.client(wall_now)?)
}

/// Returns the wall time (ms).
pub(super) fn wall_now() -> i64 {
    Now::read().wall
}

/// Returns this thread's share of the application.
pub(crate) fn worker(request: &HttpRequest) -> Result<&Worker, ApiError> {
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
