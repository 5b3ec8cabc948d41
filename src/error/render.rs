//! The bytes of our own errors, as OpenAI's clients read them.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, UPGRADE};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::{Value, json};

use super::table::{Again, ErrorRow};
use super::{AFTER_FAILURE_MS, ApiError, is_long};
use crate::types::{ApiId, FailureClass, Now, iso};
use crate::upstream::Refusal;

/// Says `false` where another try is in vain, whatever the status. SDKs and one agent obey.
pub(crate) const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

impl ApiError {
    /// The same at the end of a stream of events, where clients look for an error.
    pub fn event(&self) -> Bytes {
        let row = self.row();
        Bytes::from(format!("data: {}\n\n", body(&self.to_string(), row.kind, self.param(), row.code)))
    }

    /// Tells the client when to come again, or not to.
    fn advise(&self, again: Again, response: &mut HttpResponseBuilder) {
        let wait_ms = match again {
            Again::ByStatus | Again::Never => None,
            Again::Later => self.wait_ms(),
            Again::Spent => Some(AFTER_FAILURE_MS),
        };
        let is_long = wait_ms.is_some_and(is_long);
        // One agent obeys a 503 to the second, and would sleep for hours. A spent limit has a code for clients to stop.
        let shown_ms = wait_ms.filter(|_| !is_long || self.status() != StatusCode::SERVICE_UNAVAILABLE);
        if let Some(wait_ms) = shown_ms {
            response.insert_header((RETRY_AFTER, wait_ms.div_ceil(1_000).max(1)));
            response.insert_header((HeaderName::from_static("retry-after-ms"), wait_ms.max(1)));
        }
        if is_long || matches!(again, Again::Never | Again::Spent) {
            response.insert_header((X_SHOULD_RETRY, HeaderValue::from_static("false")));
        }
    }

    /// Why each upstream said no, and until when.
    fn details(&self) -> Option<Value> {
        let now = Now::read();
        let detail = |(api, refusal): &(ApiId, Refusal)| {
            let until = refusal.retry_at_in_panic().map(|until| iso(now.wall_at(until)));
            json!({ "api": api, "reason": refusal.reason(), "until": until })
        };
        Some(self.refusals()?.iter().map(detail).collect())
    }
}

/// Goes with a response of ours to where requests are recorded: the log says why, not only the status.
#[derive(Debug, Clone)]
pub struct Refused {
    /// `error.code`.
    pub code: &'static str,
    /// For a person.
    pub reason: String,
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let ErrorRow { status, kind, code, again, .. } = *self.row();
        let mut response = HttpResponse::build(status);
        self.advise(again, &mut response);
        if let ApiError::WrongMethod { allow, .. } = self {
            response.insert_header((ALLOW, HeaderValue::from_static(allow)));
        }
        if let ApiError::NoWebSocket = self {
            // A 426 names the protocol that is spoken.
            response.insert_header((UPGRADE, HeaderValue::from_static("HTTP/1.1")));
        }
        let mut body = body(&self.to_string(), kind, self.param(), code);
        if let (Some(details), Some(error)) = (self.details(), body.get_mut("error").and_then(Value::as_object_mut)) {
            error.insert("details".to_owned(), details);
        }
        let mut response = response.json(body);
        response.extensions_mut().insert(Refused { code, reason: self.reason() });
        response
    }
}

/// The error that ends a stream whose upstream failed in its middle.
pub fn abort_error(class: FailureClass) -> Value {
    let code = if class == FailureClass::Timeout { "upstream_timeout" } else { "upstream_failed" };
    let text = format!("the upstream API failed in the middle of its answer ({})", class.as_str());
    body(&text, "upstream_error", None, code)
}

/// An error of an upstream's whose own body can't be passed on as it is.
pub fn upstream_said(status: StatusCode, reason: &str) -> Value {
    let (kind, code) = match status {
        StatusCode::TOO_MANY_REQUESTS => ("rate_limit_error", "rate_limit_exceeded"),
        _ if status.is_client_error() => ("invalid_request_error", "upstream_refused"),
        _ => ("upstream_error", "upstream_failed"),
    };
    body(&format!("the upstream API answered with {status}: {reason}"), kind, None, code)
}

/// An error as OpenAI writes it.
fn body(message: &str, kind: &str, param: Option<&str>, code: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
}
