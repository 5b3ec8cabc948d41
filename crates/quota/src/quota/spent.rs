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
}
