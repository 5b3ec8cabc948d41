//! What of a quota is open: taken elsewhere, without asking it. Pure.

use std::sync::Arc;

use clock::{Now, SentAt};

use super::{Quota, Share};
use crate::credits::{Allowance, Amount};
use crate::rate_limit_summary::RateLimit;

impl Quota {
    /// Under other limits other amounts are taken: whoever still has the old allowance finds nothing in it.
    pub(super) fn new_allowance(&self) -> Option<Arc<Allowance>> {
        if self.limits.are_none() || self.limits.max_concurrent.is_some() {
            return None;
        }
        Some(Arc::new(Allowance::new(self.requests.bounds.are_any(), self.tokens.tightest())))
    }

    /// What of it may be taken without asking.
    pub fn allowance(&self) -> Option<&Arc<Allowance>> {
        self.allowance.as_ref()
    }

    /// Calls in what is open: whoever looks at the quota sees it whole. [`Quota::open`] is to be called when they have.
    pub fn call_in(&mut self) {
        if let Some(allowance) = &self.allowance {
            let Amount { requests, tokens } = allowance.call_in();
            self.requests.call_in(requests);
            self.tokens.call_in(tokens);
        }
    }

    /// Opens what fits into the windows and is granted.
    pub fn open(&mut self, now: Now) {
        let Some(allowance) = self.allowance.clone() else { return };
        self.advance(now);
        let (requests, tokens) = (self.requests.openable(now), self.tokens.openable(now));
        let shut_until = match requests == Some(0) || tokens == Some(0) {
            true => self.room(1, now).err().and_then(|refusal| refusal.until()).unwrap_or(0),
            false => 0,
        };
        let free = Amount { requests: requests.unwrap_or(0), tokens: tokens.unwrap_or(0) };
        let Amount { requests, tokens } = allowance.open(free, self.begin_by(), shut_until);
        self.requests.take(requests);
        self.tokens.take(tokens);
    }

    /// What the window of requests leaves that leaves least; `None` where none is bounded. Nothing is called in for it.
    pub fn headroom(&mut self, now: Now) -> Option<RateLimit> {
        self.newest_wall = self.newest_wall.max(now.wall);
        self.requests.advance(self.newest_wall);
        let open = self.allowance.as_ref().map_or(0, |allowance| allowance.left().requests);
        let left = self.requests.headroom(now)?;
        Some(RateLimit { remaining: left.remaining.saturating_add(open), ..left })
    }

    /// What an attempt took from `allowance` and is not to use is free again.
    pub fn give_back(&mut self, allowance: &Arc<Allowance>, demand: u64) {
        let Amount { requests, tokens } = allowance.amount(demand);
        if self.allowance.as_ref().is_some_and(|current| Arc::ptr_eq(current, allowance)) {
            self.requests.call_in(requests);
            self.tokens.call_in(tokens);
        } else {
            // Under other limits the store may not have granted it: it is not to be used as if it had.
            self.requests.give_back(requests);
            self.tokens.give_back(tokens);
        }
    }

    /// An attempt was admitted elsewhere. What it took from `allowance` is set aside already; the rest is now.
    pub fn join(&mut self, stamp: &SentAt, demand: u64, allowance: Option<&Allowance>) -> Share {
        let Some(allowance) = allowance else { return self.take(stamp, demand) };
        let amount = allowance.amount(demand);
        self.requests.take(1 - amount.requests);
        self.count_in(stamp);
        Share { stamp: stamp.clone(), tokens: amount.tokens }
    }
}
