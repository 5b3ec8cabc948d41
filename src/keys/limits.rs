//! What of a key is limited, and in which words.

use std::sync::Arc;

use quota::{LimitUnit, ListedLimit};

use super::refusal::KeyReason;
use crate::config::KeyConfig;
use crate::types::Limit;

/// Returns whether anything of a key is limited.
pub(super) fn is_limited(key: &KeyConfig) -> bool {
    !key.quota.limits.are_none() || !key.quota.more.is_empty()
}

/// Returns whether money is limited.
pub(super) fn has_budget(key: &KeyConfig) -> bool {
    key.quota.more.iter().any(|entry| entry.limit.unit == LimitUnit::Usd)
}

/// Returns whether the quota at this place of a key is a budget. The first place is the main quota's.
pub(super) fn is_budget(key: &KeyConfig, place: usize) -> bool {
    listed(key, place).is_some_and(|limit| limit.unit == LimitUnit::Usd)
}

/// Returns the limit of another period at this place.
fn listed(key: &KeyConfig, place: usize) -> Option<ListedLimit> {
    Some(key.quota.more.get(place.checked_sub(1)?)?.limit)
}

/// Returns the limit behind a refusal by the quota at this place: `30 requests a minute`, `$2 per day`.
pub(super) fn limit_in_words(key: &KeyConfig, place: usize, reason: KeyReason) -> Arc<str> {
    let limits = key.quota.limits;
    let number = |limit: Limit| limit.bound().unwrap_or_default();
    let text = match reason {
        KeyReason::Rpm => format!("{} requests a minute", number(limits.rpm)),
        KeyReason::Rpd => format!("{} requests a day", number(limits.rpd)),
        KeyReason::Tpm => format!("{} tokens a minute", number(limits.tpm)),
        KeyReason::Tpd => format!("{} tokens a day", number(limits.tpd)),
        KeyReason::Concurrency => format!("{} requests at the same time", limits.max_concurrent.unwrap_or_default()),
        KeyReason::Limit | KeyReason::BudgetSpent | KeyReason::BudgetTooSmall | KeyReason::BudgetReserved => {
            listed(key, place).map_or(String::new(), |limit| limit.to_string())
        }
    };
    Arc::from(text)
}
