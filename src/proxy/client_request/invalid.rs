//! What is wrong with a request.

use serde_json::error::Category;
use thiserror::Error;

use crate::error::ApiError;

/// What is wrong with a request, and with which of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct InvalidRequest {
    /// For the person who wrote the client.
    pub message: String,
    /// The field, if it is one.
    pub param: Option<&'static str>,
}

impl From<InvalidRequest> for ApiError {
    fn from(InvalidRequest { message, param }: InvalidRequest) -> Self {
        ApiError::Invalid { message, param }
    }
}

/// Says what is wrong with a body, and never quotes it: the log has the message, too.
pub(super) fn not_valid(error: &serde_json::Error) -> InvalidRequest {
    let text = error.to_string();
    if error.classify() != Category::Data || text.starts_with("duplicate field") {
        return InvalidRequest { message: format!("the body is not valid: {text}"), param: None };
    }
    // `stream` alone has a type here.
    let at = format!("line {} column {}", error.line(), error.column());
    InvalidRequest { message: format!("stream must be true or false, at {at}"), param: Some("stream") }
}
