//! How a quota issues and reclaims credits.

use std::sync::Arc;

use clock::{Now, SentAt};

use super::{Quota, Reservation};
use crate::credits::Credits;
use crate::demand::Demand;
use crate::pacing::Pacing;
use crate::records::Units;

impl Quota {
    /// Makes new credits. Other limits need others: an attempt takes other units then, and must not find any in the old ones.
    pub(super) fn renew_credits(&mut self, now: Now) {
        self.credits = (!self.limits.are_none()).then(|| {
            let credits = Credits::new(self.requests.bounds.are_any(), self.limits.measure, self.tokens.tightest());
            credits.publish(self.requests.tightest_window(now));
            Arc::new(credits)
        });
    }

    /// Returns the credits; `None` if nothing is limited.
    pub fn credits(&self) -> Option<&Arc<Credits>> {
        self.credits.as_ref()
    }

    /// Takes unused credits back, to show the quota as a whole. [`Quota::issue`] has to follow.
    pub fn reclaim(&mut self) {
        if let Some(credits) = &self.credits {
            let Units { requests, tokens, .. } = credits.reclaim();
            self.requests.reclaim(requests);
            self.tokens.reclaim(tokens);
        }
    }

    /// Issues as credits what is granted and fits into the windows, and publishes what the windows leave. Where the number of attempts
    /// at the same time is limited nothing is issued: the end of an attempt frees a place, and only the quota sees that place.
    pub fn issue(&mut self, now: Now) {
        let Some(credits) = self.credits.clone() else { return };
        self.advance(now);
        credits.publish(self.requests.tightest_window(now));
        if self.limits.max_concurrent.is_some() {
            return;
        }
        let requests = self.requests.issuable(now);
        let tokens = self.tokens.issuable(now);
        let is_exhausted = requests == Some(0) || tokens == Some(0);
        let no_room = if is_exhausted { self.room(Demand { tokens: 1, cost: 1 }, now).err() } else { None };
        let exhausted_until = no_room.and_then(|no_room| no_room.until()).unwrap_or(0);
        let free = Units { requests: requests.unwrap_or(0), tokens: tokens.unwrap_or(0), slots: 0 };
        // A store's loan by the pace of one period is none in the next.
        let paced_until = self.lease.as_ref().filter(|_| self.limits.pacing == Pacing::Spread);
        let begin_by = self.begin_by().min(paced_until.map_or(u64::MAX, |_| self.requests.period_ends(now)));
        let issued = credits.issue(free, begin_by, exhausted_until);
        self.requests.reserve(issued.requests);
        self.tokens.reserve(issued.tokens);
    }

    /// Takes back what an attempt took from `credits` and will not use.
    pub fn give_back(&mut self, credits: &Arc<Credits>, demand: Demand) {
        let Units { requests, tokens, .. } = credits.units_for(demand);
        if self.credits.as_ref().is_some_and(|current| Arc::ptr_eq(current, credits)) {
            self.requests.reclaim(requests);
            self.tokens.reclaim(tokens);
        } else {
            // Under the old limits the units may have needed no grant. Here no unit may count as granted.
            self.requests.release(requests);
            self.tokens.release(tokens);
        }
    }

    /// Counts an attempt admitted on another thread. Units from `credits` are reserved already; this call reserves the others.
    pub fn join(&mut self, sent_at: &SentAt, demand: Demand, credits: Option<&Credits>) -> Reservation {
        let Some(credits) = credits else { return self.reserve(sent_at, demand) };
        let units = credits.units_for(demand);
        self.requests.reserve(1 - units.requests);
        self.begin(sent_at, units.tokens)
    }
}
