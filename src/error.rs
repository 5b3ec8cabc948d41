//! Every error of our own that a client can see, in one table: status, type, code, text.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, ResponseError};
use serde_json::{Value, json};
use thiserror::Error;

use crate::scheduler::{AdmissionError, UnknownApi};
use crate::types::{ApiId, Failure, FailureClass, Now, clock_time, iso};
use crate::upstream::Refusal;

/// From this wait on an answer asks clients not to retry by themselves: one SDK would sleep for hours, holding its caller.
pub const LONGEST_CLIENT_RETRY: Duration = Duration::from_secs(120);

/// The `Retry-After` (ms) of a wait of unknown length.
const SOON_MS: u64 = 1_000;

/// An error of ours.
#[derive(Debug, Error)]
pub enum ApiError {
    /// No key came with the request.
    #[error("you didn't provide an API key; send it as `Authorization: Bearer YOUR_KEY`")]
    MissingKey,
    /// The key is not one of ours.
    #[error("incorrect API key provided")]
    WrongKey,
    /// The request can't be understood.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// With which field.
        param: Option<&'static str>,
    },
    /// The body is larger than `server.bodyLimitMb`.
    #[error("the request body is larger than {0} bytes (server.bodyLimitMb)")]
    TooLarge(usize),
    /// The body did not arrive whole.
    #[error("the request body could not be read to its end")]
    BodyCut,
    /// The next piece of the body did not come in time.
    #[error("the rest of the request body did not come in time (server.bodyTimeoutMs)")]
    BodySlow,
    /// There is nothing at this path.
    #[error("unknown request URL: {0}; this pool serves /v1/chat/completions, /v1/models and others")]
    UnknownPath(String),
    /// The path takes another method.
    #[error("not allowed to {method} on {path}; use {allow}")]
    WrongMethod {
        /// As sent.
        method: String,
        /// As sent.
        path: String,
        /// What it takes.
        allow: &'static str,
    },
    /// No upstream serves the model.
    #[error("the model {0:?} does not exist in this pool; GET /v1/models lists those that do")]
    ModelNotFound(String),
    /// All that list the model say themselves that they don't serve it, or not at this endpoint.
    #[error(
        "no API of this pool serves {0:?} at this endpoint, as each said itself; GET /v1/status has them under \"absentModels\""
    )]
    ModelAbsent(String),
    /// No upstream with the model can take the request: a 429 if a limit is among the reasons, else a 503.
    #[error("no API that serves {model:?} {}: {}", if *.limited { "has room for a request now" } else { "is available" }, reasons(.refusals))]
    NoneAvailable {
        /// As asked for.
        model: String,
        /// What each of them said.
        refusals: Vec<(ApiId, Refusal)>,
        /// A limit, ours or theirs, passes by itself: then 429 is the truth for the pool as a whole.
        limited: bool,
    },
    /// All upstreams that were asked failed; this is the last one, and its failure.
    #[error("the upstream APIs failed; the last one asked, {api}: {failure}")]
    UpstreamFailed {
        /// The last one.
        api: ApiId,
        /// What happened there.
        failure: Box<Failure>,
    },
    /// The client said how long it would wait, and that is over.
    #[error("no answer came within the time that the client waits (x-stainless-timeout)")]
    ClientTimeout,
    /// There is no upstream of this id.
    #[error(transparent)]
    UnknownApi(#[from] UnknownApi),
    /// The supervisor did not answer in time.
    #[error("no API could be admitted in time; the server's disk is slow, or it is overloaded")]
    AdmissionTimeout,
    /// Another protocol is wished for, which would begin on this connection.
    #[error("this server speaks nothing but HTTP: send the request without an Upgrade header")]
    NoUpgrade,
    /// There is more than the server may take, of this.
    #[error("the server is overloaded: {0}")]
    Overloaded(&'static str),
    /// The process is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// A defect.
    #[error("internal error")]
    Internal,
}

impl ApiError {
    /// The table: status, `error.type`, `error.code`.
    fn row(&self) -> (StatusCode, &'static str, &'static str) {
        const INVALID: &str = "invalid_request_error";
        match self {
            ApiError::MissingKey => (StatusCode::UNAUTHORIZED, "authentication_error", "missing_api_key"),
            ApiError::WrongKey => (StatusCode::UNAUTHORIZED, "authentication_error", "invalid_api_key"),
            ApiError::Invalid { .. } => (StatusCode::BAD_REQUEST, INVALID, "invalid_request"),
            ApiError::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, INVALID, "request_too_large"),
            ApiError::BodyCut => (StatusCode::BAD_REQUEST, INVALID, "incomplete_body"),
            ApiError::NoUpgrade => (StatusCode::BAD_REQUEST, INVALID, "upgrade_refused"),
            ApiError::BodySlow => (StatusCode::REQUEST_TIMEOUT, INVALID, "body_timeout"),
            ApiError::UnknownPath(_) => (StatusCode::NOT_FOUND, INVALID, "unknown_url"),
            ApiError::WrongMethod { .. } => (StatusCode::METHOD_NOT_ALLOWED, INVALID, "method_not_allowed"),
            ApiError::ModelNotFound(_) | ApiError::ModelAbsent(_) => {
                (StatusCode::NOT_FOUND, INVALID, "model_not_found")
            }
            ApiError::NoneAvailable { limited: true, .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "rate_limit_exceeded")
            }
            ApiError::NoneAvailable { limited: false, .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "no_available_api", "no_available_api")
            }
            ApiError::UpstreamFailed { failure, .. } if failure.class == FailureClass::Timeout => {
                (StatusCode::GATEWAY_TIMEOUT, "upstream_error", "upstream_timeout")
            }
            ApiError::ClientTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream_error", "upstream_timeout"),
            ApiError::UpstreamFailed { .. } => (StatusCode::BAD_GATEWAY, "upstream_error", "upstream_failed"),
            ApiError::UnknownApi(_) => (StatusCode::NOT_FOUND, INVALID, "unknown_api"),
            ApiError::AdmissionTimeout => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "admission_timeout"),
            ApiError::Overloaded(_) => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "server_overloaded"),
            ApiError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "server_stopping"),
            ApiError::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal_error"),
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.row().0
    }

    /// Returns the error's code, as the client sees it.
    pub fn code(&self) -> &'static str {
        self.row().2
    }

    /// Returns why, for the log: where upstreams refused, their reasons and until when.
    pub fn reason(&self) -> String {
        match (self, self.refusals()) {
            (ApiError::UpstreamFailed { api, failure }, _) => format!("{api}: {failure}"),
            (_, Some(refusals)) => reasons(refusals),
            (_, None) => self.to_string(),
        }
    }

    /// The same at the end of a stream of events, where clients look for an error.
    pub fn event(&self) -> Bytes {
        let (_, kind, code) = self.row();
        Bytes::from(format!("data: {}\n\n", body(&self.to_string(), kind, self.param(), code)))
    }

    /// How long until it is worth trying again, in ms.
    fn wait_ms(&self) -> Option<u64> {
        if let ApiError::Overloaded(_) = self {
            return Some(SOON_MS);
        }
        let now = Now::read().mono;
        let wait = |refusal: &Refusal| match refusal.retry_at_in_panic() {
            Some(at) => Some(at.saturating_sub(now)),
            // When one of those ends that are on the way.
            None => refusal.is_limit().then_some(SOON_MS),
        };
        self.refusals()?.iter().filter_map(|(_, refusal)| wait(refusal)).min()
    }

    /// What each upstream said, if it was asked for room.
    fn refusals(&self) -> Option<&[(ApiId, Refusal)]> {
        if let ApiError::NoneAvailable { refusals, .. } = self { Some(refusals) } else { None }
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

    fn param(&self) -> Option<&'static str> {
        if let ApiError::Invalid { param, .. } = self {
            return *param;
        }
        matches!(self, ApiError::ModelNotFound(_) | ApiError::ModelAbsent(_)).then_some("model")
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
        let (status, kind, code) = self.row();
        let mut response = HttpResponse::build(status);
        if let Some(wait) = self.wait_ms() {
            response.insert_header((RETRY_AFTER, wait.div_ceil(1_000).max(1)));
            response.insert_header((HeaderName::from_static("retry-after-ms"), wait.max(1)));
        }
        // Our own tries are used up, or the wait is too long: the client's would only come on top.
        let given_up = matches!(self, ApiError::UpstreamFailed { .. });
        if given_up || self.wait_ms().is_some_and(|wait| Duration::from_millis(wait) > LONGEST_CLIENT_RETRY) {
            response.insert_header((HeaderName::from_static("x-should-retry"), "false"));
        }
        if let ApiError::WrongMethod { allow, .. } = self {
            response.insert_header((ALLOW, HeaderValue::from_static(allow)));
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

impl From<AdmissionError> for ApiError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::ModelNotFound(model) => ApiError::ModelNotFound(model.to_string()),
            AdmissionError::NoneAvailable { model, refusals, .. }
                if !refusals.is_empty() && refusals.iter().all(|(_, refusal)| refusal.is_missing_model()) =>
            {
                ApiError::ModelAbsent(model.to_string())
            }
            AdmissionError::NoneAvailable { model, refusals, .. } => {
                let limited = refusals.iter().any(|(_, refusal)| refusal.is_limit());
                ApiError::NoneAvailable { model: model.to_string(), refusals, limited }
            }
            AdmissionError::NotInTime => ApiError::AdmissionTimeout,
            AdmissionError::Overloaded => ApiError::Overloaded("too many requests wait to be admitted"),
            AdmissionError::Stopping => ApiError::Stopping,
        }
    }
}

/// Says why each upstream refused: `small (rpm until 01:16:51Z), large (disabled)`.
fn reasons(refusals: &[(ApiId, Refusal)]) -> String {
    let now = Now::read();
    let each = refusals.iter().map(|(api, refusal)| match refusal.retry_at_in_panic() {
        Some(until) => format!("{api} ({} until {})", refusal.reason(), clock_time(now.wall_at(until), now.wall)),
        None => format!("{api} ({})", refusal.reason()),
    });
    if refusals.is_empty() { "all were tried".to_owned() } else { each.collect::<Vec<_>>().join(", ") }
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
