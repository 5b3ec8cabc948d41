//! How errors of ours look in each format: as a body, and as the last event of a stream.

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use serde_json::{Value, json};

use crate::types::{FailureClass, WireFormat};

/// An error, before it has a form.
#[derive(Debug, Clone, Copy)]
pub(super) struct ErrorText<'a> {
    pub(super) status: StatusCode,
    pub(super) message: &'a str,
    pub(super) kind: &'a str,
    pub(super) param: Option<&'a str>,
    pub(super) code: &'a str,
}

impl ErrorText<'_> {
    /// Returns the body of an error.
    pub(super) fn body(self, format: WireFormat) -> Value {
        let ErrorText { status, message, kind, param, code } = self;
        match format {
            WireFormat::OpenAi => {
                json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
            }
            WireFormat::Anthropic => anthropic_body(status, message),
            WireFormat::Gemini => gemini_body(status, message),
        }
    }
}

/// Returns the body of an error in Anthropic's form. The type follows the status.
pub(super) fn anthropic_body(status: StatusCode, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": anthropic_kind(status), "message": message } })
}

/// Returns Anthropic's type for errors with this status.
fn anthropic_kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

/// Returns the body of an error in Google's form. The status word follows the status.
pub(super) fn gemini_body(status: StatusCode, message: &str) -> Value {
    json!({ "error": { "code": status.as_u16(), "message": message, "status": gemini_status(status) } })
}

/// Returns Google's word for errors with this status.
fn gemini_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        402 | 429 => "RESOURCE_EXHAUSTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        501 => "UNIMPLEMENTED",
        502 | 503 => "UNAVAILABLE",
        400..=499 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

/// Returns the event of a stream with this error. Anthropic's clients know an error by the event's name.
pub(crate) fn error_event(format: WireFormat, body: &Value) -> Bytes {
    Bytes::from(match format {
        WireFormat::OpenAi | WireFormat::Gemini => format!("data: {body}\n\n"),
        WireFormat::Anthropic => format!("event: error\ndata: {body}\n\n"),
    })
}

/// Returns the error that ends a stream whose upstream failed in the middle of it.
pub fn abort_error(format: WireFormat, class: FailureClass) -> Value {
    let (status, code) = match class {
        FailureClass::Timeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_timeout"),
        FailureClass::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "upstream_failed"),
        FailureClass::RateLimited
        | FailureClass::Unauthorized
        | FailureClass::Forbidden
        | FailureClass::PaymentRequired
        | FailureClass::ServerError
        | FailureClass::Connect
        | FailureClass::LocalSocketLimit
        | FailureClass::Protocol
        | FailureClass::EmptyResponse
        | FailureClass::WrongForm
        | FailureClass::StaleConnection
        | FailureClass::ModelNotFound
        | FailureClass::TooLarge
        | FailureClass::ObjectNotHere
        | FailureClass::Rejected => (StatusCode::BAD_GATEWAY, "upstream_failed"),
    };
    let message = format!("the upstream API failed in the middle of its answer ({})", class.as_str());
    ErrorText { status, message: &message, kind: "upstream_error", param: None, code }.body(format)
}

/// Returns the error of an upstream whose own body can't be passed on as it is.
pub fn upstream_said(format: WireFormat, status: StatusCode, reason: &str) -> Value {
    let (kind, code) = match status {
        StatusCode::TOO_MANY_REQUESTS => ("rate_limit_error", "rate_limit_exceeded"),
        _ if status.is_client_error() => ("invalid_request_error", "upstream_refused"),
        _ => ("upstream_error", "upstream_failed"),
    };
    let message = format!("the upstream API answered with {status}: {reason}");
    ErrorText { status, message: &message, kind, param: None, code }.body(format)
}
