//! What a request without room is told.

use quota::{Demand, ListedLimit, NoRoom, Quota, QuotaKind};

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
        let listed = listed_of(which);
        let is_full = |quota: &&QuotaHandle| listed.is_some() && quota.limits().listed_limit() == listed;
        let full = self.quotas.iter().find(is_full);
        let is_paced = matches!(which, QuotaKind::ListedPaced(_));
        let lasts = |quota: &mut Quota, now| {
            if is_paced { quota.is_ahead(demand, now) } else { quota.is_spent(demand, now) }
        };
        let reason = reason_of(which, full.is_some_and(|quota| quota.with(now, lasts)));
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

/// Returns the listed limit, if this is one.
fn listed_of(which: QuotaKind) -> Option<ListedLimit> {
    match which {
        QuotaKind::Listed(limit) | QuotaKind::ListedPaced(limit) => Some(limit),
        QuotaKind::Rpm
        | QuotaKind::Rpd
        | QuotaKind::RpdPaced
        | QuotaKind::Tpm
        | QuotaKind::Tpd
        | QuotaKind::TpdPaced
        | QuotaKind::Burst
        | QuotaKind::Concurrency => None,
    }
}
