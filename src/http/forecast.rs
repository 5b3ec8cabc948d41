//! When limits are spent, in `/v1/status`.

use quota::{Forecast, LimitUnit};
use serde_json::{Map, Value, json};

use crate::quotas::QuotaStatus;
use crate::types::iso;

/// Nano-dollars in a dollar.
const NANODOLLARS: f64 = 1e9;

/// Returns the forecasts of a quota by the names of the limits. A limit without use has none.
pub(super) fn forecasts(of: &QuotaStatus) -> Value {
    let [requests, tokens] = &of.forecasts;
    let named = match of.limits.listed {
        None => vec![("rpd", requests, LimitUnit::Requests), ("tpd", tokens, LimitUnit::Tokens)],
        Some((unit @ LimitUnit::Requests, _)) => vec![(unit.as_str(), requests, unit)],
        Some((unit @ (LimitUnit::Tokens | LimitUnit::Usd), _)) => vec![(unit.as_str(), tokens, unit)],
    };
    let known = named.into_iter().filter_map(|(name, of, unit)| Some((name.to_owned(), forecast(of.as_ref()?, unit))));
    Value::Object(known.collect::<Map<_, _>>())
}

/// Returns one forecast: whole requests or tokens and tenths, or dollars.
pub(super) fn forecast(of: &Forecast, unit: LimitUnit) -> Value {
    let rate = match unit {
        LimitUnit::Requests | LimitUnit::Tokens => (of.rate_per_hour * 10.0).round() / 10.0,
        LimitUnit::Usd => of.rate_per_hour.round() / NANODOLLARS,
    };
    json!({ "ratePerHour": rate, "exhaustedAt": of.exhausted_at.map(iso), "freesAt": iso(of.frees_at) })
}
