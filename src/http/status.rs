//! `GET /v1/status`: the present state of each upstream, and the configuration in force.

use std::sync::Arc;

use actix_web::web::Query;
use actix_web::{HttpRequest, HttpResponse};
use quota::{LimitUnit, ListedLimit, Pacing};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::worker;
use super::explain::{explain, last_error};
use super::forecast::{amount, forecasts, usable_now};
use super::key_report::KeyReport;
use crate::alerts::{GetReceivers, ReceiverReport};
use crate::config::prices::PriceTable;
use crate::config::{ApiConfig, ConfigState, GetConfig, Models};
use crate::error::ApiError;
use crate::homes::MAX_HOMES;
use crate::mailbox::{MailboxReport, mailbox_reports};
use crate::proxy::{BudgetReport, RetryBudget};
use crate::quotas::QuotaStatus;
use crate::scheduler::{ApiReport, GetReports, GetSimilarNames, ServedNames};
use crate::types::{ApiId, Limits, ModelKey, NamePattern, Now, WireFormat, iso};

#[derive(Deserialize)]
pub(super) struct StatusQuery {
    /// Asks what would become of a request for this model.
    model: Option<String>,
    /// The format of the request.
    format: Option<WireFormat>,
}

pub(super) async fn status(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let worker = worker(&request)?;
    let invalid = "the query must be empty, or model=… once, with format=openai or format=anthropic";
    let question = Query::<StatusQuery>::from_query(request.query_string())
        .map_err(|_| ApiError::Invalid { message: invalid.to_owned(), param: Some("model") })?;
    let stopping = |_| ApiError::Stopping;
    let state = worker.config_actor.send(GetConfig).await.map_err(stopping)?;
    let reports = worker.supervisor.send(GetReports).await.map_err(stopping)?;
    let homes = worker.pool.homes.kept().await;
    let mut answer = json!({
        "service": state.config.server.name,
        "timestamp": iso(Now::read().wall),
        "apis": reports.iter().map(api).collect::<Vec<_>>(),
        "keys": KeyReport::of(worker, None).await.iter().map(KeyReport::to_status).collect::<Vec<_>>(),
        "config": config(&state),
        "retry": retry(&state, &worker.pool.budget),
        "alerts": worker.alerts.send(GetReceivers).await.map_err(stopping)?.iter().map(receiver).collect::<Vec<_>>(),
        "homes": { "kept": homes, "most": MAX_HOMES },
        "actors": actors(),
    });
    if let (Some(model), Some(fields)) = (&question.model, answer.as_object_mut()) {
        let mut explained = explain(model, question.format, &state.config, &reports);
        if explained.pointer("/refusal/code") == Some(&json!("model_not_found")) {
            let format = question.format.unwrap_or(WireFormat::OpenAi);
            let key = ModelKey { format, model: Arc::from(model.as_str()) };
            let similar = worker.pool.scheduler.send(GetSimilarNames { of: key, apis: None }).await.unwrap_or_default();
            explained.as_object_mut().map(|explained| explained.insert("similar".to_owned(), json!(similar)));
        }
        fields.insert("explain".to_owned(), explained);
    }
    Ok(HttpResponse::Ok().json(answer))
}

fn api(ApiReport { status, models, models_at }: &ApiReport) -> Value {
    let config = &status.config;
    let untold = models.is_none().then_some("models_unknown");
    let refusal = status.refusal.as_ref().map(|(refusal, _)| refusal.to_string());
    let reason = refusal.or_else(|| untold.map(str::to_owned));
    // The first quota is the upstream's own. The others are quotas of single models and shared ones.
    let own = status.quotas.first();
    let available_at = match &status.refusal {
        Some((_, until)) => *until,
        None => models_at.filter(|_| models.is_none()).map(|at| Now::read().wall_at(at)),
    };
    json!({
        "id": config.id,
        "name": config.name,
        "formats": config.formats().map(WireFormat::as_str).collect::<Vec<_>>(),
        "enabled": config.enabled,
        "available": reason.is_none(),
        "temporarilyDisabled": status.resting,
        "unavailableReason": reason,
        "availableAt": available_at.map(iso),
        "absentModels": status.absent_models.iter().map(|absent| json!({
            "model": absent.model,
            "operation": absent.operation.path(),
            "reason": absent.reason.as_str(),
            "until": iso(absent.until),
        })).collect::<Vec<_>>(),
        "errorCount": status.error_count,
        "lastError": last_error(status),
        "limits": own.map(|own| limits(&own.limits)),
        "usage": own.map(usage),
        "forecast": own.map(forecasts),
        "usableNow": own.map(usable_now),
        "quotas": status.quotas.iter().skip(1).map(|of| quota(of, &config.id)).collect::<Vec<_>>(),
        "inFlight": status.in_flight,
        "latency": { "firstTokenMs": status.latency_ms.0, "totalMs": status.latency_ms.1 },
        "weight": config.weight,
        "priority": config.priority,
        "models": models.as_ref().map(|names| named(config, names)),
        "modelsWithoutPrice": models.as_ref().map(|names| without_price(config, names)),
    })
}

/// Returns the names that go to an upstream, the known ones first.
fn named(config: &ApiConfig, ServedNames { exact, patterns }: &ServedNames) -> Value {
    if config.models == Models::Asked && patterns.contains(&NamePattern::any()) {
        return json!("any");
    }
    exact.iter().map(|name| &**name).chain(patterns.iter().map(NamePattern::as_str)).collect()
}

/// How many models without a price are named.
const MOST_WITHOUT_PRICE: usize = 20;

/// Returns the known models whose tokens cost 0 for lack of a price, by the clients' names.
fn without_price(config: &ApiConfig, names: &ServedNames) -> Vec<Arc<str>> {
    let own = |name: &Arc<str>| config.mapping.get(name).unwrap_or(name).clone();
    let lacking = names.exact.iter().filter(|name| config.price(&own(name)).is_none());
    lacking.take(MOST_WITHOUT_PRICE).cloned().collect()
}

fn quota(quota: &QuotaStatus, api: &ApiId) -> Value {
    json!({
        "of": quota.id.shown(api),
        "model": quota.model,
        "limit": quota.limits.listed_limit().map(|limit| limit.to_string()),
        "limits": limits(&quota.limits),
        "usage": usage(quota),
        "forecast": forecasts(quota),
        "usableNow": usable_now(quota),
        "unavailableReason": quota.refusal.as_ref().map(|(no_room, _)| no_room.to_string()),
        "availableAt": quota.refusal.as_ref().and_then(|(_, until)| *until).map(iso),
    })
}

/// Returns the limits as configured; `pacing` only where it is typed.
fn limits(limits: &Limits) -> Value {
    let mut shown = match limits.listed_limit() {
        Some(limit) => {
            json!({ limit.unit.as_str(): amount(limit.unit, limit.amount), "per": limit.period.to_string() })
        }
        None => json!({
            "rpm": limits.rpm.as_configured(),
            "rpd": limits.rpd.as_configured(),
            "tpm": limits.tpm.as_configured(),
            "tpd": limits.tpd.as_configured(),
        }),
    };
    if let (Pacing::Spread, Some(fields)) = (limits.pacing, shown.as_object_mut()) {
        fields.insert("pacing".to_owned(), json!("spread"));
    }
    shown
}

fn usage(quota: &QuotaStatus) -> Value {
    let QuotaStatus { requests, tokens, .. } = quota;
    if let Some(ListedLimit { unit, .. }) = quota.limits.listed_limit() {
        let used = if unit == LimitUnit::Requests { requests } else { tokens };
        return json!({ unit.as_str(): amount(unit, used.day) });
    }
    json!({ "rpm": requests.minute, "rpd": requests.day, "tpm": tokens.minute, "tpd": tokens.day })
}

/// Returns who is told of events, and whether the messages arrive.
fn receiver(of: &ReceiverReport) -> Value {
    let ReceiverReport { shown, on, waiting, sent, lost, last_error } = of;
    let last_error = last_error.as_ref().map(|(at, why)| json!({ "at": iso(*at), "detail": why }));
    json!({ "url": shown, "on": on, "waiting": waiting, "sent": sent, "lost": lost, "lastError": last_error })
}

/// Returns the rest of the retry budget, and how often there was none.
fn retry(state: &ConfigState, budget: &RetryBudget) -> Value {
    let BudgetReport { left, denied } = budget.report(state.config.retry.budget, Now::read_mono());
    json!({ "budget": { "left": left, "denied": denied } })
}

/// Returns how many messages wait for each kind of actor. A capacity of `null`: any number.
fn actors() -> Value {
    let each = mailbox_reports().into_iter().map(|MailboxReport { kind, depth, deepest, refused, capacity }| {
        let mailbox = json!({ "mailbox": capacity, "depth": depth, "deepest": deepest, "refused": refused });
        (kind.as_str().to_owned(), mailbox)
    });
    Value::Object(each.collect())
}

fn config(state: &ConfigState) -> Value {
    json!({
        "hash": state.config.hash,
        "loadedAt": iso(state.loaded_at),
        "lastError": state.last_error,
        "warnings": state.config.warnings,
        "prices": {
            "asOf": PriceTable::embedded().as_of,
            "file": state.config.price_file.as_ref().map(|file| json!({ "name": file.name, "asOf": file.as_of })),
        },
    })
}
