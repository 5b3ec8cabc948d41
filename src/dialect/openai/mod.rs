//! OpenAI's dialect: what the fields of answers mean, from OpenAI and from similar upstreams.

pub(crate) mod as_events;
pub(crate) mod as_object;
pub(crate) mod error_body;
mod errors;
mod fields;
mod finish;
pub(crate) mod json_response;
mod limit_in_error;
pub(crate) mod model_list;
mod quotation;
pub(super) mod stream_event;
mod usage;

use actix_web::http::header::HeaderMap;

use self::error_body::ErrorBody;
use super::{SentRequest, rate_limit_headers};
use crate::types::{Failure, FailureClass, Now};

/// An object of JSON, in the order of its members.
type JsonObject = serde_json::Map<String, serde_json::Value>;

/// A response whose status is no success.
pub(crate) struct RefusedResponse<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// Returns the failure of a refusal.
pub(crate) fn refusal(refused: RefusedResponse<'_>, sent: SentRequest<'_>, now: Now) -> Failure {
    let RefusedResponse { status, headers, body } = refused;
    let error = ErrorBody::from_error_response(body);
    let failure = errors::failure(Some(status), &error, sent.upstream_model);
    let detail = quotation::quote(Some(status), &error, failure.class, sent);
    let retry_after = rate_limit_headers::retry_after(headers, now.wall);
    let failure = Failure { detail, retry_after, ..failure };
    if failure.class != FailureClass::RateLimited {
        return failure;
    }
    let limit = limit_in_error::limit_from_error(body, &error, sent);
    let exhausted = rate_limit_headers::exhausted_for(headers, now.wall);
    Failure { limit: limit.span, retry_after: retry_after.or(exhausted).or(limit.wait), ..failure }
}

/// An error that came with a 200, or as an event.
#[derive(Debug)]
pub(crate) struct FoundError {
    /// What the error means.
    pub(crate) failure: Failure,
    /// Whether the error stands where OpenAI's clients look for one.
    pub(crate) is_openai_shaped: bool,
}

/// Returns the error in the body of a success, or in the data of an event. `named`: the event is called an error, so that all of its
/// data is about one.
pub(crate) fn error_in(data: &[u8], named: bool, sent: SentRequest<'_>) -> Option<FoundError> {
    let error = ErrorBody::from_success(data).or_else(|| named.then(|| ErrorBody::from_error_response(data)))?;
    let failure = errors::in_success(&error, sent.upstream_model);
    let quote = quotation::quote(error.status_code, &error, failure.class, sent);
    let failure = Failure { detail: format!("an error in a 200: {quote}"), ..failure };
    Some(FoundError { failure, is_openai_shaped: error.is_openai_shaped })
}
