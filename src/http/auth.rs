//! Who may come in: those with one of the configured keys.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{HttpRequest, ResponseError};

use super::Worker;
use crate::config::{ClientKey, PresentedKey};
use crate::error::ApiError;

/// Lets a request pass that carries a key, before any of its body is read.
pub(super) async fn require_key(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let allowed =
        worker(request.request()).and_then(|worker| check(request.request(), &worker.config().server.client_keys));
    match allowed {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        // As a response and not as an error, so that it gets its request id like any other.
        Err(refused) => Ok(request.into_response(refused.error_response()).map_into_right_body()),
    }
}

/// `Authorization: Bearer KEY`, or the bare key.
fn check(request: &HttpRequest, keys: &[ClientKey]) -> Result<(), ApiError> {
    if keys.is_empty() {
        return Ok(());
    }
    let header = request.headers().get(AUTHORIZATION).ok_or(ApiError::MissingKey)?.as_bytes();
    let candidate = match header.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case(b"bearer ") => header.get(7..).unwrap_or_default(),
        Some(_) | None => header,
    };
    let candidate = PresentedKey::new(candidate.trim_ascii());
    // Every key is compared, so that the time taken does not tell which one was near.
    let known = keys.iter().fold(false, |known, key| known | key.matches(&candidate));
    if known { Ok(()) } else { Err(ApiError::WrongKey) }
}

/// This thread's share of the application.
pub(super) fn worker(request: &HttpRequest) -> Result<&Worker, ApiError> {
    request.app_data::<Worker>().ok_or(ApiError::Internal)
}
