//! What a client's key may ask for.

use super::client_request::ClientRequest;
use crate::config::KeyConfig;
use crate::error::KeyRefusal;

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
