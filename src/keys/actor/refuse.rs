//! What a request without room is told.

use quota::{Demand, NoRoom, QuotaKind};

use super::KeyState;
use crate::keys::limits::{is_budget, limit_in_words};
use crate::keys::refusal::{FullLimit, KeyAdmissionError, KeyReason};
use crate::quotas::QuotaHandle;
use crate::types::Now;

impl KeyState {
    /// Returns the refusal of a request that may cost more than a whole budget, if so: no period ever pays for the request.
    pub(super) fn beyond_budget(&self, demand: Demand, now: Now) -> Option<KeyAdmissionError> {
        let place = self
            .path
            .credits
            .iter()
            .position(|credits| credits.as_ref().is_some_and(|credits| credits.never_pay(demand)))?;
        Some(self.full(KeyReason::BudgetTooSmall, place, (None, now)))
    }

    /// Returns the refusal of a request that found no room.
    pub(super) fn refusal(&self, no_room: NoRoom, demand: Demand, now: Now) -> KeyAdmissionError {
        let (which, until) = match no_room {
            NoRoom::StoreNotReady { until } => return KeyAdmissionError::StoreUnavailable { until },
            NoRoom::Disabled => (QuotaKind::Rpd, None),
            NoRoom::Full { which, until } => (which, until),
        };
        let is_full = |quota: &QuotaHandle| quota.with(now, |quota, now| quota.room(demand, now)) == Err(no_room);
        // A window may have come free since.
        let place = self.quotas.iter().position(is_full).unwrap_or_default();
        let reason = match (is_budget(&self.config, place), which) {
            (true, _) if self.is_spent(place, demand, now) => KeyReason::BudgetSpent,
            (true, _) => KeyReason::BudgetReserved,
            (false, QuotaKind::Concurrency) => KeyReason::Concurrency,
            (false, QuotaKind::Rpm) if place == 0 => KeyReason::Rpm,
            (false, QuotaKind::Rpd) if place == 0 => KeyReason::Rpd,
            (false, QuotaKind::Tpm) if place == 0 => KeyReason::Tpm,
            (false, QuotaKind::Tpd) if place == 0 => KeyReason::Tpd,
            (
                false,
                QuotaKind::Rpm
                | QuotaKind::Rpd
                | QuotaKind::Tpm
                | QuotaKind::Tpd
                | QuotaKind::Burst
                | QuotaKind::Listed(_),
            ) => KeyReason::Limit,
        };
        self.full(reason, place, (until, now))
    }

    fn is_spent(&self, place: usize, demand: Demand, now: Now) -> bool {
        let is_spent = |quota: &QuotaHandle| quota.with(now, |quota, now| quota.is_spent(demand, now));
        self.quotas.get(place).is_some_and(is_spent)
    }

    /// Counts and returns a refusal by the quota at this place.
    fn full(&self, reason: KeyReason, place: usize, (until, now): (Option<u64>, Now)) -> KeyAdmissionError {
        self.path.count_refusal(reason);
        KeyAdmissionError::Full(FullLimit {
            key: self.config.name.clone(),
            reason,
            limit: limit_in_words(&self.config, place, reason),
            until,
            rate: self.path.rate(now.mono),
        })
    }
}
