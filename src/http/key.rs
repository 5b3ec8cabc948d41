//! What a key learns of itself, in the shapes that programs poll: OpenRouter's `GET /v1/key`, and OpenAI's former
//! `GET /v1/dashboard/billing/subscription` and `…/usage`.
//!
//! A key without a budget gets no limit from OpenRouter's shape. OpenAI's former one has no word for that: its limit is then
//! [`UNLIMITED_USD`], as other servers of this kind answer.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::auth::{client, worker};
use super::key_report::{KeyBudgetReport, KeyReport};
use super::key_spending::{OwnSpending, asked_days, cents, costs_by_day};
use crate::error::ApiError;
use crate::types::iso;

/// The limit of a key without a budget, in dollars.
const UNLIMITED_USD: u64 = 100_000_000;

/// `rate_limit.requests` without a limit.
const NO_LIMIT: i64 = -1;

pub(super) async fn key(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let report = own_report(&request).await?;
    let spent = OwnSpending::of(&request, &report.key.name).await;
    let tightest = report.tightest();
    let rpm = report.key.quota.limits.rpm.bound().and_then(|bound| i64::try_from(bound).ok());
    Ok(HttpResponse::Ok().json(json!({ "data": {
        "label": report.key.name.as_str(),
        "limit": tightest.map(|budget| budget.limit),
        "limit_remaining": tightest.map(KeyBudgetReport::left),
        "limit_reset": tightest.and_then(|budget| reset_word(&budget.per)),
        "usage": tightest.map(|budget| budget.used).or(spent.map(|spent| spent.month)).unwrap_or_default(),
        "usage_daily": spent.map(|spent| spent.day),
        "usage_weekly": spent.map(|spent| spent.week),
        "usage_monthly": spent.map(|spent| spent.month),
        "is_free_tier": false,
        "is_provisioning_key": false,
        "rate_limit": { "requests": rpm.unwrap_or(NO_LIMIT), "interval": "1m" },
        "expires_at": report.key.expires.map(iso),
        "limits": report.limits(),
        "budgets": report.budgets.iter().map(KeyBudgetReport::to_json).collect::<Vec<_>>(),
    } })))
}

pub(super) async fn subscription(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let report = own_report(&request).await?;
    let limit = report.tightest().map_or(json!(UNLIMITED_USD), |budget| json!(budget.limit));
    Ok(HttpResponse::Ok().json(json!({
        "object": "billing_subscription",
        "has_payment_method": true,
        "canceled": false,
        "soft_limit_usd": limit,
        "hard_limit_usd": limit,
        "system_hard_limit_usd": limit,
        "access_until": report.key.expires.map_or(0, |end| end / 1_000),
    })))
}

pub(super) async fn usage(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let report = own_report(&request).await?;
    let (daily_costs, used) = match asked_days(request.query_string())? {
        Some(days) => costs_by_day(&request, &report.key.name, days).await?,
        None => (Vec::new(), report.tightest().map(|budget| budget.used).unwrap_or_default()),
    };
    Ok(HttpResponse::Ok().json(json!({
        "object": "list", "daily_costs": daily_costs, "total_usage": cents(used),
    })))
}

/// Returns the report of the key that asks. A key sees itself alone.
async fn own_report(request: &HttpRequest) -> Result<KeyReport, ApiError> {
    let key = client(request)?;
    let mut reports = KeyReport::of(worker(request)?, Some(&key)).await;
    // A reload may have removed the key since the request came.
    reports.pop().ok_or(ApiError::WrongKey)
}

/// Returns OpenRouter's word for a period, if there is one.
fn reset_word(per: &str) -> Option<&'static str> {
    [("day", "daily"), ("week", "weekly"), ("month", "monthly")]
        .iter()
        .find(|(ours, _)| *ours == per)
        .map(|(_, word)| *word)
}
