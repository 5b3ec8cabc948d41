//! One quota with its store: draws units before they are used, renews what was lent, and wakes those who wait for it.
//!
//! All ledgers live on the thread of the core actors. That of a group is used by several upstreams' actors.

mod asking;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use quota::{Allowance, Quota, QuotaRecord, Reset, Share, Spent};
use tokio::sync::oneshot;

use super::books::Clock;
use super::messages::{QuotaStatus, Refusal};
use crate::persistence::{PersistenceActor, Restore, Save};
use crate::types::{Limits, Now, QuotaId, RateLimit, SentAt, Uptime};

/// How long after a failed reservation the store is asked again (ms).
pub(super) const STORE_RETRY_MS: u64 = 1_000;

/// How long what came free of a shared quota is kept from other servers, in case it is wanted here again.
const KEPT_FREE: Duration = Duration::from_millis(100);

/// A quota and its store.
#[derive(Clone)]
pub(super) struct Ledger(Rc<Inner>);

struct Inner {
    id: QuotaId,
    quota: RefCell<Quota>,
    clock: Rc<Clock>,
    persistence: Addr<PersistenceActor>,
    shared: bool,
    /// The saved counts are here.
    ready: Cell<bool>,
    /// The last reservation failed.
    failing: Cell<bool>,
    /// Told when the store has answered.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
    /// Of a shared quota: the counts of an earlier life, which a store that has forgotten is to be told.
    remembered: RefCell<Option<QuotaRecord>>,
    epoch: RefCell<Option<String>>,
    /// Something was taken since the lease was last renewed.
    active: Cell<bool>,
    /// When the lease is renewed next (ms, monotonic).
    renewal: Cell<Option<u64>>,
    /// So many look at it just now, or have still to: nothing is open meanwhile.
    held: Cell<u32>,
}

impl Ledger {
    /// Opens a quota: its saved counts are on the way. One that was never counted begins with what the quotas have counted
    /// that `begins_with` names, once it is all there.
    pub(super) fn open(
        id: QuotaId,
        (limits, reset): (Limits, &Reset),
        begins_with: impl Fn() -> Vec<Ledger> + 'static,
        (clock, persistence, shared): (Rc<Clock>, Addr<PersistenceActor>, bool),
    ) -> Ledger {
        let quota = RefCell::new(Quota::restore(limits, reset, (None, shared), clock.now()));
        let ledger = Ledger(Rc::new(Inner {
            id,
            quota,
            clock,
            persistence,
            shared,
            ready: Cell::new(false),
            failing: Cell::new(false),
            waiting: RefCell::default(),
            remembered: RefCell::default(),
            epoch: RefCell::default(),
            active: Cell::new(false),
            renewal: Cell::new(None),
            held: Cell::new(0),
        }));
        actix::spawn(ledger.clone().restore(begins_with));
        ledger
    }

    async fn restore(self, begins_with: impl Fn() -> Vec<Ledger>) {
        let asked = self.0.persistence.send(Restore(self.0.id.clone())).await;
        // Without an answer the process is about to stop: nothing is admitted on a guess.
        let Ok(saved) = asked else { return };
        let now = self.0.clock.now();
        let mut lost = saved.lost;
        match saved.record {
            // What is used of it the store knows; what is kept here is for a store that has forgotten.
            Some(record) if self.0.shared && record.epoch.is_some() => {
                lost = false;
                *self.0.remembered.borrow_mut() = Some(record);
            }
            Some(record) => {
                let record = record.by_the_clock_of(now, Uptime::read().as_ref());
                self.with(now, |quota, now| quota.add(&record, now));
            }
            None if lost && !self.0.shared => self.with(now, |quota, now| {
                let spent = Quota::spent(&quota.limits(), now);
                quota.add(&spent, now);
            }),
            None => {
                for part in begins_with() {
                    if !part.is_ready() {
                        let _ = part.woken().await;
                    }
                    let counted = part.with(Now::read(), |quota, now| quota.record(now));
                    self.with(Now::read(), |quota, now| quota.add(&counted, now));
                }
            }
        }
        self.0.ready.set(true);
        if lost {
            // So that the next start knows it too.
            self.save();
        }
        self.look();
        self.wake();
    }

    /// New limits.
    pub(super) fn reconfigure(&self, limits: Limits, reset: &Reset) {
        self.with(Now::read(), |quota, now| quota.reconfigure(limits, reset, now));
    }

    /// Looks at the quota, by the clock that it goes by. What is open of it is called in, and opened anew afterwards.
    pub(super) fn with<T>(&self, now: Now, look: impl FnOnce(&mut Quota, Now) -> T) -> T {
        let _held = self.hold(now);
        look(&mut self.0.quota.borrow_mut(), self.0.clock.at(now))
    }

    /// Calls in what is open, until the guard is dropped.
    pub(super) fn hold(&self, now: Now) -> Held {
        if self.0.held.replace(self.0.held.get() + 1) == 0 {
            self.0.quota.borrow_mut().call_in();
        }
        Held { ledger: self.clone(), now }
    }

    /// Is what is open called in already?
    pub(super) fn is_held(&self) -> bool {
        self.0.held.get() > 0
    }

    /// What its window of requests leaves that leaves least, what is open included; `None` where none is bounded.
    pub(super) fn headroom(&self, now: Now) -> Option<RateLimit> {
        self.0.quota.borrow_mut().headroom(self.0.clock.at(now))
    }

    /// What an attempt takes without asking, if this quota is open to that: `Some(None)` if it bounds nothing.
    pub(super) fn allowance(&self) -> Option<Option<Arc<Allowance>>> {
        let quota = self.0.quota.borrow();
        match quota.allowance() {
            Some(allowance) => Some(Some(allowance.clone())),
            None => quota.limits().are_none().then_some(None),
        }
    }

    /// The tightest bound of tokens.
    pub(super) fn tightest_tokens(&self) -> Option<u64> {
        self.0.quota.borrow().tightest_tokens()
    }

    /// Are they one and the same?
    pub(super) fn is(&self, other: &Ledger) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Does it bound anything?
    pub(super) fn is_bounded(&self) -> bool {
        !self.0.quota.borrow().limits().are_none()
    }

    /// Are the saved counts here?
    pub(super) fn is_ready(&self) -> bool {
        self.0.ready.get()
    }

    /// Did the store fail, when it was last asked?
    pub(super) fn is_failing(&self) -> bool {
        self.0.failing.get()
    }

    /// Sets an attempt's part aside, and draws more ahead of the next.
    pub(super) fn take(&self, stamp: &SentAt, demand: u64, now: Now) -> Share {
        let share = self.with(now, |quota, _| quota.take(stamp, demand));
        self.0.active.set(true);
        self.draw_ahead(now);
        share
    }

    /// An attempt was admitted elsewhere, with what it took from `allowance`.
    pub(super) fn join(&self, stamp: &SentAt, (demand, allowance): (u64, Option<&Allowance>), now: Now) -> Share {
        self.0.active.set(true);
        self.with(now, |quota, _| quota.join(stamp, demand, allowance))
    }

    /// Closes an attempt's account.
    pub(super) fn settle(&self, share: &Share, spent: Spent, now: Now) {
        let slots = self.with(now, |quota, now| {
            quota.settle(share, spent, now);
            quota.limits().max_concurrent.is_some()
        });
        if self.0.shared && slots {
            self.plan_renewal(KEPT_FREE);
        }
    }

    /// For `/v1/status`.
    pub(super) fn status(&self, model: Option<Arc<str>>, now: Now) -> QuotaStatus {
        self.with(now, |quota, now| QuotaStatus {
            id: self.0.id.clone(),
            model,
            limits: quota.limits(),
            refusal: quota.room(1, now).err().map(|no_room| Refusal::from(no_room).dated(now)),
            requests: quota.requests_used(now),
            tokens: quota.tokens_used(now),
        })
    }

    /// What is to be kept of it.
    pub(super) fn record(&self) -> (QuotaId, QuotaRecord) {
        let epoch = self.0.epoch.borrow().clone();
        let record = self.with(Now::read(), |quota, now| match self.0.shared {
            true => QuotaRecord { epoch, ..quota.remembered(now) },
            false => quota.record(now),
        });
        (self.0.id.clone(), record)
    }

    fn save(&self) {
        self.0.persistence.do_send(Save { quotas: vec![self.record()], tokens: Vec::new() });
    }

    /// The process stops: gives back what is granted and not used, and saves exact counts.
    pub(super) async fn close(self) {
        // What is not read yet is not to be written over.
        if !self.is_ready() {
            return;
        }
        while self.0.shared && self.is_bounded() {
            match self.with(Now::read(), |quota, now| quota.renew(false, now)) {
                Some(draw) => {
                    self.clone().ask(draw).await;
                    break;
                }
                // It is being asked something: the last word comes after that.
                None => drop(self.woken().await),
            }
        }
        self.with(Now::read(), |quota, _| quota.release_grant());
        self.save();
    }

    /// Resolves when the store has answered.
    pub(super) fn woken(&self) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        self.0.waiting.borrow_mut().push(tell);
        told
    }

    fn wake(&self) {
        for waiting in self.0.waiting.take() {
            // Who has left is not woken.
            let _ = waiting.send(());
        }
    }
}

/// As long as it is there, nothing of a quota is open.
pub(super) struct Held {
    ledger: Ledger,
    now: Now,
}

impl Drop for Held {
    fn drop(&mut self) {
        let Inner { held, quota, clock, .. } = &*self.ledger.0;
        held.set(held.get() - 1);
        if held.get() == 0 {
            quota.borrow_mut().open(clock.at(self.now));
        }
    }
}
