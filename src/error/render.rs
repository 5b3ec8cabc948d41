//! The responses with our own errors. A response has OpenAI's form at first, and what another form needs goes along.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, UPGRADE};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::{Map, Value, json};

use super::form::{ErrorText, anthropic_body, error_event, gemini_body};
use super::table::{Again, ErrorRow};
use super::{AFTER_FAILURE_MS, ApiError, is_long, key_limits};
use crate::types::{ApiId, Now, WireFormat, iso};
use crate::upstream::Refusal;

/// Says `false` where another try is in vain, whatever the status. SDKs and one agent obey.
pub(crate) const X_SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

impl ApiError {
    /// The same at the end of a stream of events, where clients look for an error.
    pub fn event(&self, format: WireFormat) -> Bytes {
        error_event(format, &self.body(&self.to_string(), format))
    }

    fn body(&self, message: &str, format: WireFormat) -> Value {
        let ErrorRow { status, kind, code, .. } = *self.row();
        ErrorText { status, message, kind, param: self.param(), code }.body(format)
    }

    /// Returns the field that is wrong, if it is one.
    fn param(&self) -> Option<&'static str> {
        if let ApiError::Invalid { param, .. } = self {
            return *param;
        }
        if let ApiError::Key(refusal) = self {
            return refusal.param();
        }
        if let ApiError::NoResponses(_) = self {
            return Some("messages");
        }
        matches!(self, ApiError::ModelNotFound(_) | ApiError::OtherFormat { .. } | ApiError::ModelAbsent(_))
            .then_some("model")
    }

    /// Tells the client when to come again, or not to.
    fn advise(&self, again: Again, response: &mut HttpResponseBuilder) {
        let wait_ms = match again {
            Again::ByStatus | Again::Never => None,
            Again::Later | Again::NotBefore => self.wait_ms(),
            Again::Spent => Some(AFTER_FAILURE_MS),
        };
        let is_long = wait_ms.is_some_and(is_long);
        // One agent obeys a 503 to the second, and would sleep for hours. A spent limit has a code for clients to stop.
        let shown_ms = wait_ms.filter(|_| !is_long || self.status() != StatusCode::SERVICE_UNAVAILABLE);
        if let Some(wait_ms) = shown_ms {
            response.insert_header((RETRY_AFTER, wait_ms.div_ceil(1_000).max(1)));
            response.insert_header((HeaderName::from_static("retry-after-ms"), wait_ms.max(1)));
        }
        // Only a change of the configuration helps.
        let is_in_vain = matches!(self, ApiError::HomeUnavailable { .. }) && wait_ms.is_none();
        if is_long || is_in_vain || matches!(again, Again::Never | Again::Spent | Again::NotBefore) {
            response.insert_header((X_SHOULD_RETRY, HeaderValue::from_static("false")));
        }
    }

    /// Why each upstream said no, and until when.
    fn details(&self) -> Option<Value> {
        if let ApiError::KeyLimit(full) = self {
            return Some(key_limits::details(full));
        }
        let now = Now::read();
        let detail = |(api, refusal): &(ApiId, Refusal)| {
            let until = refusal.retry_at_in_panic().map(|until| iso(now.wall_at(until)));
            json!({ "api": api, "reason": refusal.to_string(), "until": until })
        };
        Some(self.refusals()?.iter().map(detail).collect())
    }
}

/// Goes with a response of ours to where requests are recorded: the log says why, not only the status.
#[derive(Debug, Clone)]
pub struct Refused {
    /// `error.code`.
    pub code: &'static str,
    /// What stood in the way.
    pub cause: &'static str,
    /// For a person.
    pub reason: String,
    /// The text of the error.
    message: String,
    /// What each upstream said.
    details: Option<Value>,
}

impl Refused {
    /// Returns the error in Anthropic's form.
    pub fn in_anthropics_form(&self, status: StatusCode, request_id: &str) -> Value {
        let mut body = anthropic_body(status, &self.message);
        if let Some(details) = &self.details {
            insert(body.get_mut("error"), "details", details.clone());
        }
        insert(Some(&mut body), "request_id", request_id.into());
        body
    }
}

/// The domain of the pool's own errors, in Google's form.
const DOMAIN: &str = "api-together";

impl Refused {
    /// Returns the error in Google's form. `wait_secs`: when to come again, which Gemini CLI reads.
    pub fn in_geminis_form(&self, status: StatusCode, wait_secs: Option<u64>) -> Value {
        let mut body = gemini_body(status, &self.message);
        let text = |detail: &Value, name: &str| detail.get(name).and_then(Value::as_str).map(str::to_owned);
        let listed = self.details.as_ref().and_then(Value::as_array).into_iter().flatten();
        let reasons: Map<String, Value> =
            listed.filter_map(|detail| Some((text(detail, "api")?, text(detail, "reason")?.into()))).collect();
        let mut details = vec![json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": self.code.to_uppercase(), "domain": DOMAIN, "metadata": reasons,
        })];
        details.extend(wait_secs.map(
            |secs| json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{secs}s") }),
        ));
        insert(body.get_mut("error"), "details", details.into());
        body
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let ErrorRow { status, code, again, .. } = *self.row();
        let mut response = HttpResponse::build(status);
        self.advise(again, &mut response);
        if let ApiError::WrongMethod { allow, .. } = self {
            response.insert_header((ALLOW, allow.as_ref()));
        }
        if let ApiError::NoWebSocket = self {
            // A 426 names the protocol that is spoken.
            response.insert_header((UPGRADE, HeaderValue::from_static("HTTP/1.1")));
        }
        let (message, details) = (self.to_string(), self.details());
        let mut body = self.body(&message, WireFormat::OpenAi);
        if let Some(details) = &details {
            insert(body.get_mut("error"), "details", details.clone());
        }
        let mut response = response.json(body);
        response.extensions_mut().insert(Refused {
            code,
            cause: self.cause(),
            reason: self.reason(),
            message,
            details,
        });
        response
    }
}

/// Puts a member into an object.
fn insert(object: Option<&mut Value>, member: &str, value: Value) {
    if let Some(members) = object.and_then(Value::as_object_mut) {
        members.insert(member.to_owned(), value);
    }
}
