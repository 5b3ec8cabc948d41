//! Who may come in: clients with one of the configured keys.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

use super::Worker;
use crate::config::{ClientKey, PresentedKey};
use crate::error::ApiError;

/// Checks the key of a request: `Authorization: Bearer KEY`, or the bare key.
pub(super) fn check(request: &HttpRequest, keys: &[ClientKey]) -> Result<(), ApiError> {
    if keys.is_empty() {
        return Ok(());
    }
    let header = request.headers().get(AUTHORIZATION).ok_or(ApiError::MissingKey)?.as_bytes();
    let presented = match header.split_at_checked(7) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"bearer ") => key,
        Some(_) | None => header,
    };
    let presented = PresentedKey::new(presented.trim_ascii());
    // Every key is compared, so the time taken shows nothing about near misses.
    let known = keys.iter().fold(false, |known, key| known | key.matches(&presented));
    if known { Ok(()) } else { Err(ApiError::WrongKey) }
}

/// Returns this thread's share of the application.
pub(super) fn worker(request: &HttpRequest) -> Result<&Worker, ApiError> {
    request.app_data::<Worker>().ok_or(ApiError::Internal)
}
