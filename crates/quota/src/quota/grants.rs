//! What a quota asks of the store: when, how much, and what the answer means.

use clock::Now;

use super::Quota;
use crate::demand::Demand;
use crate::lease::Lease;
use crate::limits::Limits;
use crate::records::{Grant, QuotaRecord, Units};
use crate::unit_counter::UnitNeed;

/// An attempt in need of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// What the attempt may use.
    pub demand: Demand,
    /// How many attempts of the same size wait, this one included.
    pub waiting: u64,
}

/// A request to the store, with all that the store has to know.
#[derive(Debug, Clone)]
pub struct GrantRequest {
    /// The bounds of the quota.
    pub limits: Limits,
    /// What is counted. The wanted units stand among the granted ones.
    pub record: QuotaRecord,
    /// The units to grant, as many as there are.
    pub wanted: Units,
    /// The smallest useful part of `wanted`.
    pub needed: Units,
    /// Requests at the same time, held by this server already.
    pub slots: u32,
    /// Whether a tenth of a second does no harm: no attempt waits, and what is left lasts that long at the present rate.
    pub may_wait: bool,
}

impl Quota {
    /// Returns what to ask the store for, if anything: for an attempt in `need`, or ahead of the next one.
    /// [`Quota::record_grant`] has to be called with the outcome.
    pub fn request_grant(&mut self, need: Option<Need>, now: Now) -> Option<GrantRequest> {
        self.advance(now);
        if self.is_asking || need.is_some_and(|need| !self.needs_grant(need.demand)) {
            return None;
        }
        let (wanted, needed) = match need {
            Some(need) => self.units_in_need(need, now),
            None => (self.units_ahead(now), Units::default()),
        };
        if wanted == Units::default() || need.is_none() && self.was_denied_lately(now) {
            return None;
        }
        if let Some(lease) = &mut self.lease {
            lease.demand = need.map_or(0, |need| need.demand.part(self.limits.measure));
        }
        let may_wait = need.is_none() && self.requests.lasts_for_a_while(now) && self.tokens.lasts_for_a_while(now);
        Some(GrantRequest { may_wait, ..self.ask(wanted, needed, now) })
    }

    /// Returns what all waiting attempts want, and what the first of them needs. Asking for all is no hoarding: waiting attempts use
    /// units at once.
    fn units_in_need(&mut self, need: Need, now: Now) -> (Units, Units) {
        let Need { demand, waiting } = need;
        let tokens = self.tokens_for(demand);
        let needed = Units {
            requests: self.requests.shortfall(1),
            tokens: self.tokens.shortfall(tokens),
            slots: self.slots_needed(),
        };
        let of_tokens = UnitNeed { first: tokens, all: tokens.saturating_mul(waiting) };
        let wanted = Units {
            requests: self.requests.prefetch_size(Some(UnitNeed { first: 1, all: waiting }), now),
            tokens: self.tokens.prefetch_size(Some(of_tokens), now),
            slots: needed.slots * u32::try_from(waiting).unwrap_or(u32::MAX).max(1),
        };
        (wanted, needed)
    }

    /// Returns what to ask for ahead of any need.
    fn units_ahead(&mut self, now: Now) -> Units {
        let requests = self.requests.prefetch_size(None, now);
        Units { requests, tokens: self.tokens.prefetch_size(None, now), slots: 0 }
    }

    /// Returns how many requests at the same time a shared store has to allow before the next attempt: one or none.
    pub(super) fn slots_needed(&self) -> u32 {
        let is_full = |lease: &Lease| self.limits.max_concurrent.is_some() && self.in_flight >= lease.slots;
        u32::from(self.lease.as_ref().is_some_and(is_full))
    }

    fn was_denied_lately(&self, now: Now) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.was_denied() && !lease.may_retry(now))
    }

    /// Returns whether to ask a shared store again after a denial, because other servers may have given units back.
    pub fn may_retry_denied(&self, now: Now) -> bool {
        !self.is_asking && self.lease.as_ref().is_some_and(|lease| lease.was_denied() && lease.may_retry(now))
    }

    /// Returns the request that renews a lease. With `keep` this server keeps unused units. Free slots are given back in any case.
    pub fn renew(&mut self, keep: bool, now: Now) -> Option<GrantRequest> {
        self.advance(now);
        if self.is_asking {
            return None;
        }
        if !keep {
            self.release_grant();
        }
        if let Some(lease) = &mut self.lease {
            lease.slots = lease.slots.min(self.in_flight);
        }
        Some(self.ask(Units::default(), Units::default(), now))
    }

    fn ask(&mut self, wanted: Units, needed: Units, now: Now) -> GrantRequest {
        self.is_asking = true;
        self.requests.requested = wanted.requests;
        self.tokens.requested = wanted.tokens;
        if let Some(lease) = &mut self.lease {
            lease.asked_at = now.mono;
        }
        let (limits, record, slots) = (self.limits, self.record(now), self.slots());
        GrantRequest { limits, record, wanted, needed, slots, may_wait: false }
    }

    /// Records the store's answer; `None` if the store failed.
    pub fn record_grant(&mut self, grant: Option<&Grant>) {
        self.is_asking = false;
        let units = grant.map_or(Units::default(), |grant| grant.units);
        self.requests.record_grant(units.requests);
        self.tokens.record_grant(units.tokens);
        let shared = grant.and_then(|grant| grant.shared.as_ref());
        if let (Some(lease), Some(shared)) = (&mut self.lease, shared) {
            lease.renew(shared);
            if shared.lasts_ms == 0 {
                let asked_at = lease.asked_at;
                self.set_clock(shared.wall, asked_at);
            } else {
                self.requests.other_replicas = shared.requests;
                self.tokens.other_replicas = shared.tokens;
            }
        }
    }
}
