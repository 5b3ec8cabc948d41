//! What a request without room is told.

use quota::{Demand, Limits, NoRoom, QuotaKind};

use super::KeyState;
use crate::keys::limits::{limit_in_words, reason_of};
use crate::keys::refusal::{FullLimit, KeyAdmissionError, KeyReason};
use crate::quotas::QuotaHandle;
use crate::types::Now;

impl KeyState {
    /// Returns the refusal of a request that may cost more than a whole budget, if so: no period ever pays for the request.
    pub(super) fn beyond_budget(&self, demand: Demand, now: Now) -> Option<KeyAdmissionError> {
        let is_small = |quota: &&QuotaHandle| quota.credits().is_some_and(|credits| credits.never_pay(demand));
        let limit = self.quotas.iter().find(is_small)?.limits().listed_limit()?;
        Some(self.full(KeyReason::BudgetTooSmall, QuotaKind::Listed(limit), (None, now)))
    }

    /// Returns the refusal of a request that found no room.
    pub(super) fn refusal(&self, no_room: NoRoom, demand: Demand, now: Now) -> KeyAdmissionError {
        let (which, until) = match no_room {
            NoRoom::StoreNotReady { until } => return KeyAdmissionError::StoreUnavailable { until },
            // A reload has set a limit to 0, and the worker has not heard of it.
            NoRoom::Disabled => (QuotaKind::Rpd, None),
            NoRoom::Full { which, until } => (which, until),
        };
        let is_full = |quota: &&QuotaHandle| limits_of(which).is_some_and(|limits| quota.limits() == limits);
        let full = self.quotas.iter().find(is_full);
        let is_spent = full.is_some_and(|quota| quota.with(now, |quota, now| quota.is_spent(demand, now)));
        let reason = reason_of(which, is_spent);
        if let (Some(budget), KeyReason::BudgetSpent) = (full, reason) {
            budget.tell_spent(now);
        }
        self.full(reason, which, (until, now))
    }

    /// Counts and returns a refusal by this limit.
    fn full(&self, reason: KeyReason, which: QuotaKind, (until, now): (Option<u64>, Now)) -> KeyAdmissionError {
        self.path.count_refusal(reason);
        KeyAdmissionError::Full(FullLimit {
            key: self.config.name.clone(),
            reason,
            limit: limit_in_words(&self.config, which),
            until,
            rate: self.path.rate(now.mono),
        })
    }
}

/// Returns the bounds of the quota of a listed limit.
fn limits_of(which: QuotaKind) -> Option<Limits> {
    match which {
        QuotaKind::Listed(limit) => Some(limit.limits()),
        QuotaKind::Rpm
        | QuotaKind::Rpd
        | QuotaKind::Tpm
        | QuotaKind::Tpd
        | QuotaKind::Burst
        | QuotaKind::Concurrency => None,
    }
}
