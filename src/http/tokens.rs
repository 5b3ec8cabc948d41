//! `GET /v1/token/stats` and `POST /v1/token/reset`: how many tokens the upstreams' answers took.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::auth::worker;
use super::body::read_body;
use crate::error::ApiError;
use crate::scheduler::{GetTokenReports, ResetTokenStats};
use crate::types::{ApiId, Now, iso};
use crate::upstream::TokenReport;

pub(super) async fn stats(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let worker = worker(&request)?;
    let mut reports = worker.supervisor.send(GetTokenReports).await.map_err(|_| ApiError::Stopping)?;
    // As in the original, an upstream is in the statistics once it has served something.
    reports.retain(|report| report.stats.totals.requests > 0);
    let detailed: Map<String, Value> = reports.iter().map(|r| (r.api.to_string(), detail(r))).collect();
    Ok(HttpResponse::Ok().json(json!({
        "service": worker.config().server.name,
        "timestamp": iso(Now::read().wall),
        "summary": summary(&reports),
        "detailedStats": detailed,
    })))
}

fn summary(reports: &[TokenReport]) -> Value {
    let sum = |of: fn(&TokenReport) -> u64| reports.iter().map(of).fold(0_u64, u64::saturating_add);
    let tokens = sum(|r| r.stats.totals.total_tokens);
    let requests = sum(|r| r.stats.totals.requests);
    json!({
        "totalTokens": tokens,
        "totalRequests": requests,
        "totalPromptTokens": sum(|r| r.stats.totals.prompt_tokens),
        "totalCompletionTokens": sum(|r| r.stats.totals.completion_tokens),
        "currentHourTokens": sum(|r| r.this_hour),
        "currentDayTokens": sum(|r| r.today),
        // To the nearest whole token.
        "averageTokensPerRequest": tokens.saturating_add(requests / 2).checked_div(requests).unwrap_or(0),
        "activeApis": reports.len(),
    })
}

fn detail(report: &TokenReport) -> Value {
    let by_start = |buckets: &BTreeMap<i64, u64>| -> Map<String, Value> {
        buckets.iter().map(|(start, tokens)| (iso(*start), json!(tokens))).collect()
    };
    let stats = &report.stats;
    let totals = &stats.totals;
    json!({
        "totalTokens": totals.total_tokens,
        "promptTokens": totals.prompt_tokens,
        "completionTokens": totals.completion_tokens,
        "estimatedTokens": totals.estimated_tokens,
        "requests": totals.requests,
        "lastUsed": totals.last_used.map(iso),
        "hourlyStats": by_start(&stats.hours),
        "dailyStats": by_start(&stats.days),
    })
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResetRequest {
    api_id: Option<String>,
}

/// The largest body, in bytes. A sound one has a few dozen.
const RESET_LIMIT: usize = 64 << 10;

pub(super) async fn reset(request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, ApiError> {
    let worker = worker(&request)?;
    let (body, _held) = read_body(worker, &request, payload, RESET_LIMIT).await?;
    let asked: ResetRequest = match body.trim_ascii() {
        b"" => ResetRequest::default(),
        json => serde_json::from_slice(json).map_err(|_| ApiError::Invalid {
            message: "the body must be empty, or {\"apiId\": \"…\"} and nothing else".to_owned(),
            param: Some("apiId"),
        })?,
    };
    let which = asked.api_id.as_deref().map(ApiId::from);
    let reset = worker.supervisor.send(ResetTokenStats(which.clone())).await;
    reset.map_err(|_| ApiError::Stopping)??;
    let message = match which {
        Some(id) => format!("token statistics of {id} were reset"),
        None => "all token statistics were reset".to_owned(),
    };
    log::info!("{message}");
    Ok(HttpResponse::Ok().json(json!({ "success": true, "message": message })))
}
