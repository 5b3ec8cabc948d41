//! How a quota and the store talk: requests, retries after a failure, and the renewal of leases.

use std::rc::{Rc, Weak};
use std::time::Duration;

use actix::prelude::*;
use quota::{Demand, GrantRequest, Need, SharedGrant};

use super::handle::{HandleState, KEPT_FREE, QuotaHandle};
use crate::mailbox::spawn;
use crate::persistence::{Ask, Flush, PersistenceActor, Reserve};
use crate::types::Now;

/// The pause after a failure of the store (ms).
pub(super) const STORE_RETRY_MS: u64 = 1_000;

/// How often a shared quota without a loan is refreshed. This server has to know the use of others, and a store without memory has
/// to learn from this server.
const IDLE: Duration = Duration::from_secs(20);

/// The deadline of a shared store's answer, connecting included.
const SHARED_DEADLINE: Duration = Duration::from_secs(1);

impl QuotaHandle {
    /// Asks the store for units in time: for an attempt in `need`, or ahead. Returns whether the store is asked.
    pub(super) fn request_grant(&self, need: Option<Need>, now: Now) -> bool {
        if need.is_some() && self.0.asks_ahead.replace(false) {
            // The attempt waits for units that were asked for ahead: these must not wait for others now.
            self.0.store.persistence.do_send(Flush);
        }
        self.start_ask(self.with(now, |quota, now| quota.request_grant(need, now)))
    }

    /// Asks the store for units ahead of the next attempt.
    pub(crate) fn prefetch(&self, now: Now) {
        self.request_grant(None, now);
    }

    /// Gives unused units of a shared quota back soon, unless another attempt takes some. Another quota has refused the attempt, and
    /// other servers may need these units.
    pub(super) fn return_unused(&self) {
        if self.0.store.shared && self.0.quota.borrow().holds_grant() {
            self.0.is_active.set(false);
            self.plan_renewal(KEPT_FREE);
        }
    }

    /// Asks a shared store again after a denial: other servers may have given units back.
    pub(super) fn retry_denied(&self, demand: Demand, now: Now) {
        if self.with(now, |quota, _| quota.may_retry_denied(now)) {
            self.request_grant(Some(Need { demand, waiting: 1 }), now);
        }
    }

    /// Asks the store in a task, if there is a request. Returns whether there is.
    fn start_ask(&self, request: Option<GrantRequest>) -> bool {
        let asks = request.is_some();
        if let Some(request) = request {
            self.0.asks_ahead.set(!self.0.store.shared && request.may_wait);
            spawn(self.clone().ask(request));
        }
        asks
    }

    /// Asks the store, records the answer, and notifies the waiters.
    ///
    /// The message is sent before this returns: of two records, the later one has to be written later.
    pub(super) fn ask(self, request: GrantRequest) -> impl Future<Output = ()> {
        let remembered = self.0.remembered.borrow().clone();
        let ask = Ask { id: self.0.id.clone(), request, remembered };
        let asking = self.0.store.persistence.send(Reserve(Box::new(ask)));
        self.await_answer(asking)
    }

    async fn await_answer(self, asking: Request<PersistenceActor, Reserve>) {
        // A slow disk is waited for. A network or a name server may be gone for good.
        let answer = if self.0.store.shared { asking.timeout(SHARED_DEADLINE).await } else { asking.await };
        self.0.asks_ahead.set(false);
        let grant = answer.ok().and_then(Result::ok);
        self.with(Now::read(), |quota, _| quota.record_grant(grant.as_ref()));
        if let Some(shared) = grant.as_ref().and_then(|grant| grant.shared.as_ref()) {
            self.record_shared(shared);
        }
        self.0.is_failing.set(grant.is_none());
        if grant.is_none() {
            let delay = Duration::from_millis(STORE_RETRY_MS);
            spawn(later(delay, Rc::downgrade(&self.0), |handle| handle.retry()));
        }
        self.notify();
    }

    /// Asks a shared store for the use of other servers. Returns whether the store is asked.
    pub(super) fn refresh(&self) -> bool {
        self.0.store.shared && self.is_bounded() && self.renew(true)
    }

    /// Asks a store again after a failure.
    fn retry(&self) {
        let asks = if self.0.store.shared {
            self.refresh()
        } else {
            self.request_grant(Some(Need { demand: Demand::of_tokens(1), waiting: 1 }), Now::read())
        };
        // Without anything to ask for, the next attempt finds out whether the store works again.
        self.0.is_failing.set(asks);
    }

    /// Reports to a shared store what is used and held. Returns whether the store is asked.
    fn renew(&self, keep: bool) -> bool {
        self.start_ask(self.with(Now::read(), |quota, now| quota.renew(keep, now)))
    }

    /// Records the rest of a shared store's answer.
    fn record_shared(&self, shared: &SharedGrant) {
        self.0.store.clock.set(shared.wall);
        *self.0.epoch.borrow_mut() = Some(shared.epoch.clone());
        if shared.lasts_ms > 0 {
            self.0.remembered.take();
            self.save();
            let holds = self.0.quota.borrow().holds_anything();
            self.plan_renewal(if holds { Duration::from_millis(shared.lasts_ms / 3) } else { IDLE });
        }
    }

    /// Plans to renew the lease, or to end the lease if nothing was used in the meantime. The earlier of two plans holds.
    pub(super) fn plan_renewal(&self, after: Duration) {
        let at = Now::read_mono() + u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        if self.0.renewal.get().is_some_and(|planned| planned <= at) {
            return;
        }
        self.0.renewal.set(Some(at));
        spawn(later(after, Rc::downgrade(&self.0), move |handle| {
            if handle.0.renewal.get() != Some(at) {
                return;
            }
            handle.0.renewal.set(None);
            let keep = handle.0.is_active.replace(false);
            if handle.is_bounded() && !handle.renew(keep) {
                handle.plan_renewal(after);
            }
        }));
    }
}

/// Does something later, if the quota still exists.
async fn later(after: Duration, quota: Weak<HandleState>, then: impl FnOnce(QuotaHandle)) {
    actix::clock::sleep(after).await;
    if let Some(quota) = quota.upgrade() {
        then(QuotaHandle(quota));
    }
}
