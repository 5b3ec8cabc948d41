//! One quota and the store. All handles live on the thread of the core actors. Several upstreams' actors share the handle of a group.
//!
//! 1. The store grants units before their use, and leases are renewed in time.
//! 2. Each look at the quota is a pause: credits are reclaimed before, and issued again afterwards.
//! 3. A quota admits nothing before the saved counts are there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use quota::{ActualUsage, Credits, Demand, LimitUnit, Measure, Quota, QuotaRecord, Reservation, Reset};
use tokio::sync::oneshot;

use super::known_counts::KnownCounts;
use super::limit_watch::LimitWatch;
use super::quota_clock::QuotaClock;
use super::status::QuotaStatus;
use crate::alerts::AlertSender;
use crate::persistence::{PersistenceActor, Save};
use crate::types::{Limits, Now, QuotaId, SentAt};

/// How long a freed part of a shared quota is kept from other servers, in case this server needs more again.
pub(super) const KEPT_FREE: Duration = Duration::from_millis(100);

/// The store of all quotas.
#[derive(Clone)]
pub(super) struct QuotaStore {
    pub(super) clock: Rc<QuotaClock>,
    pub(super) persistence: Addr<PersistenceActor>,
    /// Where people are told of used limits.
    pub(super) alerts: AlertSender,
    /// Whether other servers share the quotas.
    pub(super) shared: bool,
}

/// A quota and the store.
#[derive(Clone)]
pub(crate) struct QuotaHandle(pub(super) Rc<HandleState>);

pub(super) struct HandleState {
    pub(super) id: QuotaId,
    pub(super) quota: RefCell<Quota>,
    pub(super) store: QuotaStore,
    /// Whether the saved counts are there.
    pub(super) counts: Cell<KnownCounts>,
    /// Whether the last request to the store failed.
    pub(super) is_failing: Cell<bool>,
    /// Whether units were asked for ahead, with the next commit.
    pub(super) asks_ahead: Cell<bool>,
    /// Waiters for the store's answer.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
    /// The saved record of a shared quota, for a store without memory.
    pub(super) remembered: RefCell<Option<QuotaRecord>>,
    pub(super) epoch: RefCell<Option<String>>,
    /// Whether anything was used since the lease was last renewed.
    pub(super) is_active: Cell<bool>,
    /// When the lease is renewed next (ms, monotonic).
    pub(super) renewal: Cell<Option<u64>>,
    /// How many [`Paused`] there are.
    pauses: Cell<u32>,
    /// What people were told of used limits.
    watch: Cell<LimitWatch>,
}

impl QuotaHandle {
    /// Creates a quota. [`QuotaHandle::restore`] has to follow.
    pub(super) fn new(id: QuotaId, limits: Limits, reset: &Reset, store: QuotaStore) -> QuotaHandle {
        QuotaHandle(Rc::new(HandleState {
            id,
            quota: RefCell::new(Quota::new(limits, reset, store.shared, store.clock.now())),
            store,
            counts: Cell::default(),
            is_failing: Cell::default(),
            asks_ahead: Cell::default(),
            waiting: RefCell::default(),
            remembered: RefCell::default(),
            epoch: RefCell::default(),
            is_active: Cell::new(false),
            renewal: Cell::new(None),
            pauses: Cell::new(0),
            watch: Cell::default(),
        }))
    }

    /// Sets new limits.
    pub(super) fn reconfigure(&self, limits: Limits, reset: &Reset) {
        self.with(Now::read(), |quota, now| quota.reconfigure(limits, reset, now));
    }

    /// Looks at the whole quota during a pause, by the clock of quotas.
    pub(crate) fn with<T>(&self, now: Now, look: impl FnOnce(&mut Quota, Now) -> T) -> T {
        let _paused = self.pause(now);
        look(&mut self.0.quota.borrow_mut(), self.0.store.clock.at(now))
    }

    /// Reclaims the issued credits until the guard is dropped.
    pub(crate) fn pause(&self, now: Now) -> Paused {
        if self.0.pauses.replace(self.0.pauses.get() + 1) == 0 {
            self.0.quota.borrow_mut().reclaim();
        }
        Paused { handle: self.clone(), now }
    }

    /// Returns whether the credits are reclaimed already.
    pub(crate) fn is_paused(&self) -> bool {
        self.0.pauses.get() > 0
    }

    /// Returns the credits; `None` if nothing is limited.
    pub(crate) fn credits(&self) -> Option<Arc<Credits>> {
        self.0.quota.borrow().credits().cloned()
    }

    /// Returns whether attempts may be admitted with credits alone. Where the number of attempts at the
    /// same time is limited, every attempt has to ask: the end of another frees a place.
    pub(crate) fn allows_fast_path(&self) -> bool {
        self.0.quota.borrow().limits().max_concurrent.is_none()
    }

    /// Returns the tightest bound of tokens.
    pub(crate) fn tightest_tokens(&self) -> Option<u64> {
        self.0.quota.borrow().tightest_tokens().filter(|_| !self.counts_cost())
    }

    /// Returns whether the quota counts money.
    pub(crate) fn counts_cost(&self) -> bool {
        self.0.quota.borrow().limits().measure == Measure::Cost
    }

    /// Returns whether the quota counts what a quota of these `limits` bounds.
    pub(super) fn knows_units_of(&self, limits: &Limits) -> bool {
        let own = self.0.quota.borrow().limits();
        own.measure == limits.measure || limits.listed.is_some_and(|(unit, _)| unit == LimitUnit::Requests)
    }

    /// Returns the length of the period of `rpd` and `tpd`, or of another one (ms).
    pub(super) fn period_ms(&self) -> u64 {
        self.0.quota.borrow().limits().period().length_ms()
    }

    /// Returns whether both are the same quota.
    pub(crate) fn is(&self, other: &QuotaHandle) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the limits.
    pub(crate) fn limits(&self) -> Limits {
        self.0.quota.borrow().limits()
    }

    /// Returns whether the quota bounds anything.
    pub(super) fn is_bounded(&self) -> bool {
        !self.0.quota.borrow().limits().are_none()
    }

    /// Returns whether the saved counts are there.
    pub(super) fn is_ready(&self) -> bool {
        self.0.counts.get() == KnownCounts::All
    }

    /// Returns whether the last request to the store failed.
    pub(super) fn is_failing(&self) -> bool {
        self.0.is_failing.get()
    }

    /// Reserves an attempt's part, and asks for more ahead of the next attempt.
    pub(super) fn reserve(&self, sent_at: &SentAt, demand: Demand, now: Now) -> Reservation {
        let reservation = self.with(now, |quota, _| quota.reserve(sent_at, demand));
        self.0.is_active.set(true);
        self.prefetch(now);
        reservation
    }

    /// Counts an attempt admitted by a worker, with units from `credits`.
    pub(crate) fn join(&self, sent_at: &SentAt, demand: Demand, credits: Option<&Credits>) -> Reservation {
        self.0.is_active.set(true);
        self.0.quota.borrow_mut().join(sent_at, demand, credits)
    }

    /// Ends an attempt.
    pub(crate) fn settle(&self, reservation: &Reservation, actual: ActualUsage, now: Now) {
        let has_slots = self.with(now, |quota, now| {
            quota.settle(reservation, actual, now);
            quota.limits().max_concurrent.is_some()
        });
        if self.0.store.shared && has_slots {
            self.plan_renewal(KEPT_FREE);
        }
    }

    /// Tells people, once a period, that the rest of a budget pays for no more.
    pub(crate) fn tell_spent(&self, now: Now) {
        let HandleState { id, watch, .. } = &*self.0;
        let alert = self.with(now, |quota, now| {
            let mut told = watch.get();
            let alert = told.refuse(id, quota, now);
            watch.set(told);
            alert
        });
        alert.into_iter().for_each(|alert| self.0.store.alerts.send(alert));
    }

    /// Returns the quota's part of `/v1/status`.
    pub(crate) fn status(&self, model: Option<Arc<str>>, now: Now) -> QuotaStatus {
        self.with(now, |quota, now| QuotaStatus {
            id: self.0.id.clone(),
            model,
            limits: quota.limits(),
            refusal: quota
                .room(Demand::of_tokens(1), now)
                .err()
                .map(|full| (full, full.until().map(|at| now.wall_at(at)))),
            period_ends: now.wall_at(quota.period_ends(now)),
            forecasts: quota.forecasts(now),
            usable: quota.usable(now),
            requests: quota.requests_used(now),
            tokens: quota.tokens_used(now),
        })
    }

    /// Returns what is to be saved.
    pub(crate) fn record(&self) -> (QuotaId, QuotaRecord) {
        let record = if self.0.store.shared {
            let epoch = self.0.epoch.borrow().clone();
            let record = self.with(Now::read(), |quota, now| quota.record_of_all_servers(now));
            QuotaRecord { epoch, ..record }
        } else {
            self.with(Now::read(), |quota, now| quota.record(now))
        };
        (self.0.id.clone(), record)
    }

    pub(super) fn save(&self) {
        self.0.store.persistence.do_send(Save { quotas: vec![self.record()], tokens: Vec::new() });
    }

    /// Gives back what is granted and not used, and saves exact counts, when the process stops.
    pub(super) async fn close(self) {
        // Unread counts must not be overwritten.
        if !self.is_read() {
            return;
        }
        while self.0.store.shared && self.is_bounded() {
            match self.with(Now::read(), |quota, now| quota.renew(false, now)) {
                Some(request) => {
                    self.clone().ask(request).await;
                    break;
                }
                // An earlier request is not answered yet: this one has to come last.
                None => drop(self.notified().await),
            }
        }
        self.with(Now::read(), |quota, _| quota.release_grant());
        self.save();
    }

    /// Returns a receiver for the next answer of the store.
    pub(super) fn notified(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.0.waiting.borrow_mut().push(sender);
        receiver
    }

    pub(super) fn notify(&self) {
        for waiting in self.0.waiting.take() {
            // A missing waiter is no error.
            let _ = waiting.send(());
        }
    }
}

/// Pauses each of these quotas that is not paused already. `held` ends the pauses.
pub(crate) fn pause_all(quotas: &[QuotaHandle], held: &mut Vec<Paused>, now: Now) {
    held.extend(quotas.iter().filter(|quota| !quota.is_paused()).map(|quota| quota.pause(now)));
}

/// Holds a quota's credits back until the drop.
pub(crate) struct Paused {
    handle: QuotaHandle,
    now: Now,
}

impl Drop for Paused {
    fn drop(&mut self) {
        let HandleState { pauses, quota, store, watch, id, counts, .. } = &*self.handle.0;
        pauses.set(pauses.get() - 1);
        if pauses.get() == 0 {
            let now = store.clock.at(self.now);
            let mut quota = quota.borrow_mut();
            if counts.get() == KnownCounts::All {
                let mut told = watch.get();
                told.judge(id, &mut quota, now).into_iter().for_each(|alert| store.alerts.send(alert));
                watch.set(told);
            }
            quota.issue(now);
        }
    }
}
