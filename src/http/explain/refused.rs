//! How a request for a model would be refused, if nobody can serve the model now.

use std::sync::Arc;

use serde_json::{Value, json};

use super::serves;
use crate::config::QueueConfig;
use crate::error::ApiError;
use crate::scheduler::{AdmissionError, ApiReport};
use crate::types::{ApiId, ModelKey, Now, WireFormat};
use crate::upstream::{Refusal, Resting, Scope};

/// Returns what the client would get, or who would be asked all the same, or how long the request would wait.
pub(super) fn refused(keys: &[ModelKey], queue: QueueConfig, reports: &[ApiReport]) -> Value {
    let now = Now::read();
    let refusals: Vec<(ApiId, Refusal)> = reports
        .iter()
        .filter_map(|report| {
            let refusal = keys.iter().filter(|key| serves(report, key.format, &key.model));
            let refusal = refusal.filter_map(|key| refusal_by(report, &key.model, now)).next()?;
            Some((report.status.config.id.clone(), refusal))
        })
        .collect();
    let asked: Vec<&ApiId> = refusals
        .iter()
        .filter(|(_, refusal)| refusal.is_inferred() && refusal.retry_at_in_panic() <= Some(now.mono))
        .map(|(api, _)| api)
        .collect();
    if !asked.is_empty() {
        return json!({ "askedAllTheSame": asked });
    }
    let deadline = now.mono + queue.max_wait_ms;
    if queue.max_wait_ms > 0 && refusals.iter().any(|(_, refusal)| refusal.may_pass_by(deadline)) {
        return json!({ "waitsUpToMs": queue.max_wait_ms });
    }
    let Some(first) = keys.first() else { return Value::Null };
    let error = ApiError::from(if refusals.is_empty() {
        not_found(first, reports)
    } else {
        AdmissionError::NoneAvailable { model: first.model.clone(), refusals, rate: None }
    });
    json!({
        "status": error.status().as_u16(),
        "code": error.code(),
        "message": error.to_string(),
        "retryAfterMs": error.wait_ms(),
    })
}

fn not_found(ModelKey { format, model }: &ModelKey, reports: &[ApiReport]) -> AdmissionError {
    let unlisted = |report: &ApiReport| {
        let until = report.models_at.filter(|_| report.status.config.offers(*format))?;
        let why = report.status.last_failure.as_ref().map(|(_, class, _)| *class);
        Some((report.status.config.id.clone(), Refusal::ModelsUnknown { until, why }))
    };
    let refusals: Vec<(ApiId, Refusal)> = reports.iter().filter_map(unlisted).collect();
    if !refusals.is_empty() {
        return AdmissionError::NoneAvailable { model: model.clone(), refusals, rate: None };
    }
    let is_served = |other: &WireFormat| reports.iter().any(|report| serves(report, *other, model));
    if let Some(served) = format.others().find(is_served) {
        return AdmissionError::OtherFormat { model: model.clone(), served };
    }
    AdmissionError::ModelNotFound(Arc::clone(model))
}

/// Returns the refusal of an upstream that lasts longest.
fn refusal_by(report: &ApiReport, model: &str, now: Now) -> Option<Refusal> {
    let upstream_model = report.status.config.mapping.get(model).map_or(model, |own| own);
    let of_model = report.status.quotas.iter().filter(|quota| quota.model.as_deref() == Some(upstream_model));
    let of_model = of_model.filter_map(|quota| quota.refusal.as_ref()).map(|(no_room, _)| Refusal::from(*no_room));
    let full = report.status.refusal.iter().map(|(refusal, _)| refusal.clone()).chain(of_model);
    let absent = report.status.absent_models.iter().filter(|absent| &*absent.model == upstream_model).map(|absent| {
        let until = now.mono + u64::try_from(absent.until - now.wall).unwrap_or(0);
        Refusal::Resting(Resting { scope: Scope::Model, reason: absent.reason, until, panic_from: until })
    });
    full.chain(absent).max_by_key(Refusal::until)
}
