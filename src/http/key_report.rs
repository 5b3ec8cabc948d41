//! What a client's key may use, and what is used: for the key itself, and for operators.

use std::sync::Arc;

use quota::{Forecast, LimitUnit, Measure};
use serde_json::{Value, json};

use super::Worker;
use super::forecast::{amount, forecast, forecasts, usable_now};
use super::key_limits::limit_reports;
use crate::config::{KeyBudget, KeyConfig};
use crate::keys::KeyStatus;
use crate::quotas::QuotaStatus;
use crate::types::{Cost, NameList, Now, iso};

/// A key with all that is known of its use.
#[derive(Debug)]
pub(super) struct KeyReport {
    /// As configured.
    pub(super) key: Arc<KeyConfig>,
    /// The budgets, in the order of the configuration.
    pub(super) budgets: Vec<KeyBudgetReport>,
    /// What the limits count, those of other periods too, without the budgets; none for a key without limits.
    limits: Vec<QuotaStatus>,
    in_flight: u32,
}

/// A budget, and what is spent of it in the running period.
#[derive(Debug, Clone)]
pub(super) struct KeyBudgetReport {
    pub(super) limit: Cost,
    pub(super) used: Cost,
    /// The period, as typed.
    pub(super) per: Arc<str>,
    /// What becomes of the budget, if it is spent as before.
    forecast: Option<Forecast>,
    /// How much may be spent by now, in nano-dollars, where the budget is spread.
    usable: Option<u64>,
    /// When the running period ends, or the last of a rolling one leaves it (ms since the Unix epoch).
    resets_at: i64,
}

impl KeyBudgetReport {
    /// Returns a budget with what its quota counted.
    fn of((budget, quota): (&KeyBudget, &QuotaStatus)) -> KeyBudgetReport {
        let (limit, used) = (nanodollars(budget.nanodollars), nanodollars(quota.tokens.day));
        let [_, forecast] = quota.forecasts;
        let [_, usable] = quota.usable;
        KeyBudgetReport { limit, used, per: budget.per.clone(), forecast, usable, resets_at: quota.period_ends }
    }

    /// Returns what is left.
    pub(super) fn left(&self) -> Cost {
        Cost::from_picodollars(self.limit.picodollars().saturating_sub(self.used.picodollars()))
    }

    pub(super) fn to_json(&self) -> Value {
        let forecast = self.forecast.as_ref().map(|of| forecast(of, LimitUnit::Usd));
        json!({
            "usd": self.limit, "per": &*self.per, "used": self.used, "remaining": self.left(), "forecast": forecast,
            "usableNow": self.usable.map(|usable| amount(LimitUnit::Usd, usable)), "resetsAt": iso(self.resets_at),
        })
    }
}

impl KeyReport {
    /// Asks for the reports of all keys, or of one.
    pub(super) async fn of(worker: &Worker, only: Option<&KeyConfig>) -> Vec<KeyReport> {
        let statuses = worker.keys.status(only.map(|key| key.name.clone())).await;
        statuses.into_iter().map(KeyReport::from_status).collect()
    }

    pub(super) fn from_status(status: KeyStatus) -> KeyReport {
        let KeyStatus { config: key, quotas, in_flight, .. } = status;
        // The budgets' quotas stand behind those of the limits.
        let of_money: Vec<&QuotaStatus> = quotas.iter().filter(|of| of.limits.measure == Measure::Cost).collect();
        let others = of_money.len().saturating_sub(key.budgets.len());
        let budgets = key.budgets.iter().zip(of_money.into_iter().skip(others)).map(KeyBudgetReport::of).collect();
        let of_limits = quotas.len().saturating_sub(key.budgets.len());
        let limits = quotas.into_iter().take(of_limits).collect();
        KeyReport { key, budgets, limits, in_flight }
    }

    /// Returns the budget with the least left.
    pub(super) fn tightest(&self) -> Option<&KeyBudgetReport> {
        self.budgets.iter().min_by_key(|budget| budget.left().picodollars())
    }

    /// Returns each limit with what is used and when it begins anew.
    pub(super) fn limits(&self) -> Vec<Value> {
        limit_reports(&self.limits)
    }

    /// Returns why the key is refused, whatever the request.
    pub(super) fn unavailable_reason(&self) -> Option<&'static str> {
        match &self.key {
            key if key.is_expired(Now::read().wall) => Some("expired"),
            key if !key.enabled => Some("disabled"),
            _ => None,
        }
    }

    /// Returns the entry of `/v1/status`.
    pub(super) fn to_status(&self) -> Value {
        let key = &self.key;
        let (limits, main) = (&key.quota.limits, self.limits.first());
        json!({
            "name": key.name.as_str(),
            "enabled": key.enabled,
            "unavailableReason": self.unavailable_reason(),
            "expires": key.expires.map(iso),
            "models": listed(key.models.as_deref()),
            "apis": listed(key.apis.as_deref()),
            "limits": {
                "rpm": limits.rpm.as_configured(), "rpd": limits.rpd.as_configured(),
                "tpm": limits.tpm.as_configured(), "tpd": limits.tpd.as_configured(),
                "maxConcurrent": limits.max_concurrent,
            },
            "usage": main.map(|main| json!({
                "rpm": main.requests.minute, "rpd": main.requests.day,
                "tpm": main.tokens.minute, "tpd": main.tokens.day,
            })),
            "forecast": main.map(forecasts),
            "usableNow": main.map(usable_now),
            "otherLimits": limit_reports(self.limits.get(1..).unwrap_or_default()),
            "inFlight": self.in_flight,
            "budgets": self.budgets.iter().map(KeyBudgetReport::to_json).collect::<Vec<_>>(),
        })
    }
}

/// Returns the entries of a list; nothing where all names are meant.
fn listed(names: Option<&NameList>) -> Option<Vec<&str>> {
    names.map(|names| names.iter().collect())
}

/// Returns an amount in billionths of a dollar.
fn nanodollars(amount: u64) -> Cost {
    Cost::from_picodollars(amount.saturating_mul(1_000))
}
