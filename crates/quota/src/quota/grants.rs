//! What a quota draws from its store: when, how much, and what the answer means. Pure.

use clock::Now;

use super::Quota;
use crate::lease::Lease;
use crate::limits::Limits;
use crate::records::{Grant, QuotaRecord, Units};
use crate::unit_counter::Elsewhere;

/// What the store is to be asked for, and told.
pub struct Draw {
    pub limits: Limits,
    pub record: QuotaRecord,
    /// The units that are asked for.
    pub wanted: Units,
    /// Of them, those that can't be done without.
    pub needed: Units,
    /// Requests at the same time that are held of a shared quota.
    pub slots: u32,
}

impl Quota {
    /// What to ask the store for, if it is time to ask: when an attempt of so many tokens `needs` something, and so many like it wait; or ahead of that.
    /// [`Quota::answered`] is to be called with the outcome.
    pub fn reserve(&mut self, needs: Option<(u64, u64)>, now: Now) -> Option<Draw> {
        self.advance(now);
        if self.asking || needs.is_some_and(|(demand, _)| !self.lacks(demand)) {
            return None;
        }
        let share = |(demand, _)| self.tokens.share(demand);
        let needed = Units {
            requests: needs.map_or(0, |_| self.requests.missing(1)),
            tokens: needs.map_or(0, |needs| self.tokens.missing(share(needs))),
            slots: needs.map_or(0, |_| self.slots_missing()),
        };
        // Those that wait use theirs at once: it is no hoarding to ask for all of them.
        let waiting = needs.map_or(0, |(_, waiting)| waiting);
        let tokens = needs.map(|needs| (share(needs), share(needs).saturating_mul(waiting)));
        let wanted = Units {
            requests: self.requests.wants(needs.map(|_| (1, waiting)), now),
            tokens: self.tokens.wants(tokens, now),
            slots: needed.slots * u32::try_from(waiting).unwrap_or(u32::MAX).max(1),
        };
        if wanted == Units::default() || needs.is_none() && self.denied_lately(now) {
            return None;
        }
        self.lease.iter_mut().for_each(|lease| lease.demand = needs.map_or(0, |(demand, _)| demand));
        Some(self.draw(wanted, needed, now))
    }

    /// Requests at the same time that a shared store has to allow before one more can go out.
    pub(super) fn slots_missing(&self) -> u32 {
        let full = |lease: &Lease| self.limits.max_concurrent.is_some() && self.in_flight >= lease.slots;
        u32::from(self.lease.as_ref().is_some_and(full))
    }

    fn denied_lately(&self, now: Now) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.was_denied() && !lease.may_ask_again(now))
    }

    /// Is it time to ask a store again that had nothing left, though it said that nothing frees yet? Others may have
    /// given back.
    pub fn may_ask_again(&self, now: Now) -> bool {
        !self.asking && self.lease.as_ref().is_some_and(|lease| lease.was_denied() && lease.may_ask_again(now))
    }

    /// What a lease is renewed with: what is on the way and in the windows, and what lies unused if it is to be kept.
    pub fn renew(&mut self, keep: bool, now: Now) -> Option<Draw> {
        self.advance(now);
        if self.asking {
            return None;
        }
        if !keep {
            self.release_grant();
        }
        // A slot that is free here is of use elsewhere.
        let in_flight = self.in_flight;
        self.lease.iter_mut().for_each(|lease| lease.slots = lease.slots.min(in_flight));
        Some(self.draw(Units::default(), Units::default(), now))
    }

    fn draw(&mut self, wanted: Units, needed: Units, now: Now) -> Draw {
        self.asking = true;
        self.requests.reserving = wanted.requests;
        self.tokens.reserving = wanted.tokens;
        self.lease.iter_mut().for_each(|lease| lease.asked = now.mono);
        Draw { limits: self.limits, record: self.record(now), wanted, needed, slots: self.slots() }
    }

    /// The store answered: so much is granted; `None` if it failed.
    pub fn answered(&mut self, grant: Option<&Grant>) {
        self.asking = false;
        let units = grant.map_or(Units::default(), |grant| grant.units);
        self.requests.granted(units.requests);
        self.tokens.granted(units.tokens);
        if let (Some(lease), Some(grant)) = (&mut self.lease, grant.and_then(|grant| grant.shared.as_ref())) {
            lease.renewed(grant);
            let asked = lease.asked;
            if grant.lasts_ms == 0 {
                self.set_clock(grant.wall, asked);
                return;
            }
            self.requests.elsewhere = Elsewhere { minute: grant.requests.0, day: grant.requests.1 };
            self.tokens.elsewhere = Elsewhere { minute: grant.tokens.0, day: grant.tokens.1 };
        }
    }
}
