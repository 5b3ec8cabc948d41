//! Each limit of a key, with what is used, what is left and when there is more: for the key itself, and for operators.

use quota::{Forecast, LimitUnit, ListedLimit, Pacing};
use serde_json::{Value, json};

use super::forecast::{amount, forecast};
use crate::quotas::QuotaStatus;
use crate::types::{Now, iso};

/// How long after its last use a minute is empty, at the latest (ms).
const MINUTE_MS: i64 = 61_000;

/// One limit of a quota.
struct LimitReport {
    /// The field of the configuration (`rpm`), or a limit of the list as written.
    limit: String,
    unit: LimitUnit,
    most: u64,
    used: u64,
    /// How much of the period's limit may be used by now, if it is spread.
    usable: Option<u64>,
    /// When the window is over at the latest (ms since the Unix epoch).
    resets_at: i64,
    is_spread: bool,
    /// What becomes of the limit, if the use goes on. A limit of a minute, or without use, has none.
    forecast: Option<Forecast>,
}

/// Returns a report of each limit of these quotas.
pub(super) fn limit_reports(quotas: &[QuotaStatus]) -> Vec<Value> {
    quotas.iter().flat_map(reports).map(|report| report.to_json()).collect()
}

fn reports(of: &QuotaStatus) -> Vec<LimitReport> {
    let QuotaStatus { limits, requests, tokens, usable: [usable_requests, usable_tokens], period_ends, .. } = of;
    let [of_requests, of_tokens] = of.forecasts;
    let is_spread = limits.pacing == Pacing::Spread;
    if let Some(limit @ ListedLimit { amount: most, unit, .. }) = limits.listed_limit() {
        let (used, usable, forecast) = match unit {
            LimitUnit::Requests => (requests.day, *usable_requests, of_requests),
            LimitUnit::Tokens | LimitUnit::Usd => (tokens.day, *usable_tokens, of_tokens),
        };
        let limit = limit.to_string();
        return vec![LimitReport { limit, unit, most, used, usable, resets_at: *period_ends, is_spread, forecast }];
    }
    let minute_ends = Now::read().wall.saturating_add(MINUTE_MS);
    let windows = [
        ("rpm", LimitUnit::Requests, limits.rpm, (requests.minute, None, minute_ends, None)),
        ("rpd", LimitUnit::Requests, limits.rpd, (requests.day, *usable_requests, *period_ends, of_requests)),
        ("tpm", LimitUnit::Tokens, limits.tpm, (tokens.minute, None, minute_ends, None)),
        ("tpd", LimitUnit::Tokens, limits.tpd, (tokens.day, *usable_tokens, *period_ends, of_tokens)),
    ];
    let bounded = windows.into_iter().filter_map(|(name, unit, limit, (used, usable, resets_at, forecast))| {
        let is_spread = is_spread && usable.is_some();
        let (limit, most) = (name.to_owned(), limit.bound()?);
        Some(LimitReport { limit, unit, most, used, usable, resets_at, is_spread, forecast })
    });
    bounded.collect()
}

impl LimitReport {
    fn to_json(&self) -> Value {
        let shown = |of: u64| amount(self.unit, of);
        json!({
            "limit": self.limit,
            "unit": self.unit.as_str(),
            "most": shown(self.most),
            "used": shown(self.used),
            "remaining": shown(self.most.saturating_sub(self.used)),
            "pacing": self.is_spread.then_some("spread"),
            "usableNow": self.usable.map(shown),
            "forecast": self.forecast.as_ref().map(|of| forecast(of, self.unit)),
            "resetsAt": iso(self.resets_at),
        })
    }
}
