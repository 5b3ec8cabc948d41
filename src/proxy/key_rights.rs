//! What a client's key may ask for.

use actix_web::HttpResponse;

use super::client_request::ClientRequest;
use super::dispatch::refuse;
use super::headers;
use crate::config::KeyConfig;
use crate::error::KeyRefusal;
use crate::keys::KeyAdmissionError;
use crate::records::OpenRecord;

/// Checks the model that a request asks for, by the name in the request: an alias counts by the alias's own name.
///
/// # Errors
/// When the model is not among the key's.
pub fn check_model(key: &KeyConfig, request: &ClientRequest) -> Result<(), KeyRefusal> {
    let model = request.asked_model();
    let Some(models) = key.models.as_ref().filter(|models| !models.has(model)) else { return Ok(()) };
    Err(KeyRefusal::ModelNotAllowed {
        key: key.name.clone(),
        model: model.to_string(),
        allowed: models.iter().collect::<Vec<_>>().join(", "),
    })
}

/// Answers a request that the key's own limits refuse.
pub fn refuse_by_limits(error: KeyAdmissionError, record: &mut OpenRecord) -> HttpResponse {
    let rate = error.rate();
    let mut response = refuse(error.into(), record);
    headers::set_rate_limit(response.headers_mut(), rate);
    response
}
