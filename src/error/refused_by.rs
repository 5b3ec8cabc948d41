//! What upstreams said that refused a request, in words, and the error that comes of all of them.

use super::{ApiError, KeyRefusal, MissingModel};
use crate::scheduler::AdmissionError;
use crate::types::{ApiId, Now, clock_time};
use crate::upstream::Refusal;

/// Says why a home can't take a request.
pub(super) fn home_reasons(refusals: &[(ApiId, Refusal)]) -> String {
    if refusals.is_empty() {
        return "does not serve the model".to_owned();
    }
    format!("can't take it now: {}", reasons(refusals))
}

/// Says what an API has to serve: a model, if the request has one.
pub(super) fn that_serves(model: &str) -> String {
    if model.is_empty() { String::new() } else { format!(" that serves {model:?}") }
}

/// Says why each upstream refused: `small (rpm until 01:16:51Z), large (disabled)`.
pub(super) fn reasons(refusals: &[(ApiId, Refusal)]) -> String {
    let now = Now::read();
    let each = refusals.iter().map(|(api, refusal)| match refusal.retry_at_in_panic() {
        Some(until) => format!("{api} ({refusal} until {})", clock_time(now.wall_at(until), now.wall)),
        None => format!("{api} ({refusal})"),
    });
    if refusals.is_empty() { "all were tried".to_owned() } else { each.collect::<Vec<_>>().join(", ") }
}

impl From<AdmissionError> for ApiError {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::ModelNotFound(model) => {
                ApiError::ModelNotFound(MissingModel { model: model.to_string(), similar: Vec::new() })
            }
            AdmissionError::ClosedToKey(model) => KeyRefusal::NoApiAllowed(model.to_string()).into(),
            AdmissionError::OtherFormat { model, served } => {
                ApiError::OtherFormat { model: model.to_string(), served: served.usual_path() }
            }
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
