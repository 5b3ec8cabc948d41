//! When limits are spent, and how much may be used by now, in `/v1/status`.

use quota::{Forecast, LimitUnit};
use serde_json::{Map, Value, json};

use crate::quotas::QuotaStatus;
use crate::types::iso;

/// Nano-dollars in a dollar.
const NANODOLLARS: f64 = 1e9;

/// Returns the forecasts of a quota by the names of the limits. A limit without use has none.
pub(super) fn forecasts(of: &QuotaStatus) -> Value {
    let known = named(of, of.forecasts).into_iter();
    Value::Object(known.filter_map(|(name, of, unit)| Some((name.to_owned(), forecast(&of?, unit)))).collect())
}

/// Returns how much of each spread limit may be used by now, by the names of the limits; `null` where none is spread.
pub(super) fn usable_now(of: &QuotaStatus) -> Value {
    let known = named(of, of.usable).into_iter();
    let known: Map<_, _> = known.filter_map(|(name, of, unit)| Some((name.to_owned(), amount(unit, of?)))).collect();
    if known.is_empty() { Value::Null } else { Value::Object(known) }
}

/// Returns an amount as configured: dollars, requests or tokens.
pub(super) fn amount(unit: LimitUnit, amount: u64) -> Value {
    match unit {
        LimitUnit::Requests | LimitUnit::Tokens => json!(amount),
        LimitUnit::Usd => json!(amount as f64 / NANODOLLARS),
    }
}

/// Returns what is known of the requests and of the tokens (or money) of a period, with the name and the unit of each limit.
fn named<T: Copy>(of: &QuotaStatus, [requests, tokens]: [T; 2]) -> Vec<(&'static str, T, LimitUnit)> {
    match of.limits.listed {
        None => vec![("rpd", requests, LimitUnit::Requests), ("tpd", tokens, LimitUnit::Tokens)],
        Some((unit @ LimitUnit::Requests, _)) => vec![(unit.as_str(), requests, unit)],
        Some((unit @ (LimitUnit::Tokens | LimitUnit::Usd), _)) => vec![(unit.as_str(), tokens, unit)],
    }
}

/// Returns one forecast: whole requests or tokens and tenths, or dollars.
pub(super) fn forecast(of: &Forecast, unit: LimitUnit) -> Value {
    let rate = match unit {
        LimitUnit::Requests | LimitUnit::Tokens => (of.rate_per_hour * 10.0).round() / 10.0,
        LimitUnit::Usd => of.rate_per_hour.round() / NANODOLLARS,
    };
    json!({ "ratePerHour": rate, "exhaustedAt": of.exhausted_at.map(iso), "freesAt": iso(of.frees_at) })
}
