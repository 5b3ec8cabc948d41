//! How a refusal by a key's own limits and budgets is said.

use serde_json::{Value, json};

use super::table::{self, ErrorRow};
use super::{ApiError, SOON_MS};
use crate::keys::{FullLimit, KeyAdmissionError, KeyReason};
use crate::types::{Now, iso};

impl From<KeyAdmissionError> for ApiError {
    fn from(error: KeyAdmissionError) -> Self {
        match error {
            KeyAdmissionError::Full(full) => ApiError::KeyLimit(full),
            KeyAdmissionError::StoreUnavailable { until } => ApiError::KeyStore { until },
            KeyAdmissionError::Overloaded => ApiError::Overloaded("too many requests wait to be admitted"),
            KeyAdmissionError::NotInTime => ApiError::AdmissionTimeout,
            KeyAdmissionError::Stopping => ApiError::Stopping,
        }
    }
}

/// Returns a moment of the monotonic clock as a time of the day, to the second: the two clocks tick apart by a millisecond.
fn moment(mono: u64) -> String {
    let now = Now::read();
    iso((now.wall_at(mono) + 500).div_euclid(1_000) * 1_000)
}

/// Returns the row of the table.
pub(super) fn row(full: &FullLimit) -> &'static ErrorRow {
    match full.reason {
        KeyReason::Rpm => &table::KEY_RPM,
        KeyReason::Rpd => &table::KEY_RPD,
        KeyReason::Tpm => &table::KEY_TPM,
        KeyReason::Tpd => &table::KEY_TPD,
        KeyReason::Limit => &table::KEY_LIMIT,
        KeyReason::Paced => &table::KEY_PACED,
        KeyReason::Concurrency => &table::KEY_CONCURRENCY,
        KeyReason::BudgetSpent | KeyReason::BudgetTooSmall => &table::BUDGET_SPENT,
        KeyReason::BudgetReserved => &table::BUDGET_RESERVED,
    }
}

/// Returns how long until there may be room, in ms.
pub(super) fn wait_ms(full: &FullLimit) -> Option<u64> {
    match (full.reason, full.until) {
        (KeyReason::BudgetTooSmall, _) => None,
        (KeyReason::BudgetReserved, _) | (_, None) => Some(SOON_MS),
        (_, Some(until)) => Some(until.saturating_sub(Now::read_mono())),
    }
}

/// Returns the text for clients.
pub(super) fn text(FullLimit { key, reason, limit, until, .. }: &FullLimit) -> String {
    let again = until.map_or(String::new(), |until| format!("; there is room again at {}", moment(until)));
    match reason {
        KeyReason::BudgetSpent => format!("the budget of the key {key} is spent ({limit}){again}"),
        KeyReason::BudgetTooSmall => format!(
            "the request may cost more than the whole budget of the key {key} ({limit}); ask for fewer tokens (max_tokens)"
        ),
        KeyReason::BudgetReserved => {
            format!("requests under way have reserved the rest of the budget of the key {key} ({limit})")
        }
        KeyReason::Paced => format!("the key {key} is ahead of the pace of its limit ({limit}){again}"),
        KeyReason::Concurrency => format!("the key {key} has as many requests under way as it may ({limit})"),
        KeyReason::Rpm | KeyReason::Rpd | KeyReason::Tpm | KeyReason::Tpd | KeyReason::Limit => {
            format!("the key {key} is at its limit ({limit}){again}")
        }
    }
}

/// Returns whose limit it is, which one, and until when.
pub(super) fn details(full: &FullLimit) -> Value {
    let until = full.until.map(moment);
    json!([{ "key": full.key.as_str(), "reason": full.reason.as_str(), "limit": &*full.limit, "until": until }])
}
