//! What of a key is limited, and in which words.

use std::sync::Arc;

use quota::{LimitUnit, ListedLimit, QuotaKind};

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

/// Returns the reason of a refusal by this limit. `lasts`: a budget, or its pace, would leave no room even if nothing were under way.
pub(super) fn reason_of(which: QuotaKind, lasts: bool) -> KeyReason {
    match which {
        QuotaKind::Rpm => KeyReason::Rpm,
        QuotaKind::Rpd => KeyReason::Rpd,
        QuotaKind::Tpm => KeyReason::Tpm,
        QuotaKind::Tpd => KeyReason::Tpd,
        QuotaKind::Burst => KeyReason::Limit,
        QuotaKind::Concurrency => KeyReason::Concurrency,
        QuotaKind::Listed(ListedLimit { unit: LimitUnit::Requests | LimitUnit::Tokens, .. }) => KeyReason::Limit,
        QuotaKind::Listed(ListedLimit { unit: LimitUnit::Usd, .. }) if lasts => KeyReason::BudgetSpent,
        QuotaKind::RpdPaced | QuotaKind::TpdPaced => KeyReason::Paced,
        QuotaKind::ListedPaced(ListedLimit { unit: LimitUnit::Requests | LimitUnit::Tokens, .. }) => KeyReason::Paced,
        QuotaKind::ListedPaced(ListedLimit { unit: LimitUnit::Usd, .. }) if lasts => KeyReason::Paced,
        QuotaKind::Listed(ListedLimit { unit: LimitUnit::Usd, .. })
        | QuotaKind::ListedPaced(ListedLimit { unit: LimitUnit::Usd, .. }) => KeyReason::BudgetReserved,
    }
}

/// Returns a limit of a key in words: `30 requests a minute`, `$2 per day`.
pub(super) fn limit_in_words(key: &KeyConfig, which: QuotaKind) -> Arc<str> {
    let limits = key.quota.limits;
    let number = |limit: Limit| limit.bound().unwrap_or_default();
    let text = match which {
        QuotaKind::Rpm => format!("{} requests a minute", number(limits.rpm)),
        QuotaKind::Rpd => format!("{} requests a day", number(limits.rpd)),
        QuotaKind::Tpm => format!("{} tokens a minute", number(limits.tpm)),
        QuotaKind::Tpd => format!("{} tokens a day", number(limits.tpd)),
        QuotaKind::Burst => limits
            .burst
            .map_or(String::new(), |burst| format!("{} requests in {} s", burst.requests, burst.span_ms / 1_000)),
        QuotaKind::Concurrency => format!("{} requests at the same time", limits.max_concurrent.unwrap_or_default()),
        QuotaKind::Listed(limit) => limit.to_string(),
        QuotaKind::RpdPaced => format!("{} requests a day, spread over the day", number(limits.rpd)),
        QuotaKind::TpdPaced => format!("{} tokens a day, spread over the day", number(limits.tpd)),
        QuotaKind::ListedPaced(limit) => format!("{limit}, spread over the {}", limit.period),
    };
    Arc::from(text)
}
