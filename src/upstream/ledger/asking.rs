//! How a ledger and its store talk: asking, asking again after a failure, and renewing in time what was lent.

use std::rc::{Rc, Weak};
use std::time::Duration;

use actix::prelude::*;
use quota::{Draw, SharedGrant};

use super::{Inner, KEPT_FREE, Ledger, STORE_RETRY_MS};
use crate::persistence::{Ask, PersistenceActor, Reserve};
use crate::types::Now;

/// How often a shared quota of which nothing is held is looked at: a store that has forgotten is to be told, and what others
/// use is to be known.
const IDLE: Duration = Duration::from_secs(20);

/// How long a shared store may take to answer, connecting to it included.
const SHARED_WITHIN: Duration = Duration::from_secs(1);

impl Ledger {
    /// Draws units from the store when it is time to: `needs` are the tokens of an attempt that can't go out before, and
    /// `waiting` attempts are like it. Says whether the store is asked.
    pub(in crate::upstream) fn reserve(&self, needs: Option<u64>, waiting: usize, now: Now) -> bool {
        let needs = needs.map(|demand| (demand, waiting as u64));
        self.asks(self.with(now, |quota, now| quota.reserve(needs, now)))
    }

    /// Draws more ahead of the next attempt.
    pub(in crate::upstream) fn draw_ahead(&self, now: Now) {
        self.reserve(None, 0, now);
    }

    /// An attempt that this quota had room for was refused by another. What was drawn for it from a shared store is soon given
    /// back, unless another attempt takes it: others may be refused for the lack of it, by quotas that hold the rest.
    pub(in crate::upstream) fn return_unused(&self) {
        if self.0.shared && self.0.quota.borrow().holds_grant() {
            self.0.active.set(false);
            self.plan_renewal(KEPT_FREE);
        }
    }

    /// A shared quota is used up by others, who may have given back.
    pub(in crate::upstream) fn ask_again(&self, demand: u64, now: Now) {
        if self.with(now, |quota, now| quota.may_ask_again(now)) {
            self.reserve(Some(demand), 1, now);
        }
    }

    /// Asks the store, if there is something to ask it for. Says whether there is.
    pub(super) fn asks(&self, draw: Option<Draw>) -> bool {
        let asks = draw.is_some();
        if let Some(draw) = draw {
            actix::spawn(self.clone().ask(draw));
        }
        asks
    }

    /// Asks the store, takes in its answer, and wakes those who wait for it.
    ///
    /// The question is put before this returns: of two records, the one that was made later is to be written later.
    pub(super) fn ask(self, draw: Draw) -> impl Future<Output = ()> {
        let Draw { limits, record, wanted, needed, slots } = draw;
        let (id, remembered) = (self.0.id.clone(), self.0.remembered.borrow().clone());
        let ask = Ask { id, limits, record, wanted, needed, slots, remembered };
        let asking = self.0.persistence.send(Reserve(Box::new(ask)));
        self.answered(asking)
    }

    async fn answered(self, asking: Request<PersistenceActor, Reserve>) {
        // A disk is waited for; a name server or a network that is gone is not.
        let grant = match self.0.shared {
            true => asking.timeout(SHARED_WITHIN).await,
            false => asking.await,
        };
        let grant = grant.ok().and_then(Result::ok);
        self.with(Now::read(), |quota, _| quota.answered(grant.as_ref()));
        if let Some(told) = grant.as_ref().and_then(|grant| grant.shared.as_ref()) {
            self.learn(told);
        }
        self.0.failing.set(grant.is_none());
        if grant.is_none() {
            let ledger = Rc::downgrade(&self.0);
            actix::spawn(later(Duration::from_millis(STORE_RETRY_MS), ledger, |ledger| ledger.retry()));
        }
        self.wake();
    }

    /// Looks what others use of a shared quota. Says whether the store is asked.
    pub(super) fn look(&self) -> bool {
        self.0.shared && self.is_bounded() && self.renew(true)
    }

    /// Asks the store again, which did not answer the last time.
    pub(super) fn retry(&self) {
        let asks = if self.0.shared { self.look() } else { self.reserve(Some(1), 1, Now::read()) };
        // If there is nothing to ask it for, the next attempt finds out whether it works again.
        self.0.failing.set(asks);
    }

    /// Tells a shared store what is used and held. Says whether it is asked.
    pub(super) fn renew(&self, keep: bool) -> bool {
        self.asks(self.with(Now::read(), |quota, now| quota.renew(keep, now)))
    }

    /// Takes in what a shared store tells besides.
    fn learn(&self, told: &SharedGrant) {
        self.0.clock.set(told.wall);
        *self.0.epoch.borrow_mut() = Some(told.epoch.clone());
        if told.lasts_ms > 0 {
            self.0.remembered.take();
            self.save();
            let holds = self.0.quota.borrow().holds_anything();
            self.plan_renewal(if holds { Duration::from_millis(told.lasts_ms / 3) } else { IDLE });
        }
    }

    /// What is lent is renewed in time, or given back if nobody used any of it lately. Of two plans, the earlier is carried
    /// out.
    pub(super) fn plan_renewal(&self, after: Duration) {
        let at = Now::read().mono + u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        if self.0.renewal.get().is_some_and(|planned| planned <= at) {
            return;
        }
        self.0.renewal.set(Some(at));
        actix::spawn(later(after, Rc::downgrade(&self.0), move |ledger| {
            if ledger.0.renewal.get() != Some(at) {
                return;
            }
            ledger.0.renewal.set(None);
            let keep = ledger.0.active.replace(false);
            if ledger.is_bounded() && !ledger.renew(keep) {
                ledger.plan_renewal(after);
            }
        }));
    }
}

/// Does something later, if the ledger is still there.
async fn later(after: Duration, ledger: Weak<Inner>, then: impl FnOnce(Ledger)) {
    actix::clock::sleep(after).await;
    if let Some(ledger) = ledger.upgrade() {
        then(Ledger(ledger));
    }
}
