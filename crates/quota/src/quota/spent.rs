//! Whether a quota without room is spent, or only reserved by attempts under way.

use clock::Now;

use super::Quota;
use crate::demand::Demand;

impl Quota {
    /// Returns whether an attempt of this `demand` would find no room for its tokens or its cost, even if all attempts under way took
    /// nothing. To be asked during a pause, when no credits are issued.
    pub fn is_spent(&mut self, demand: Demand, now: Now) -> bool {
        self.advance(now);
        let amount = self.tokens.units_for(demand.part(self.limits.measure));
        self.tokens.is_spent(amount, now)
    }

    /// Returns whether an attempt of this `demand` would be ahead of the pace of its tokens or its cost, even if all attempts under way
    /// took nothing.
    pub fn is_ahead(&mut self, demand: Demand, now: Now) -> bool {
        self.advance(now);
        let amount = self.tokens.units_for(demand.part(self.limits.measure));
        self.tokens.is_ahead(amount, now)
    }

    /// Returns how many requests, and how many tokens or nano-dollars, of the period may be used up to now, where a limit is spread.
    pub fn usable(&mut self, now: Now) -> [Option<u64>; 2] {
        self.advance(now);
        [self.requests.usable(now), self.tokens.usable(now)]
    }
}
