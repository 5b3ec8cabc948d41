//! The ledgers of all quotas, by their id: those of a group are found by each of its members, and counts outlive an
//! absence from the configuration.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use futures_util::future::join_all;

use super::ledger::Ledger;
use crate::config::{ApiConfig, QuotaConfig};
use crate::persistence::PersistenceActor;
use crate::types::{Now, QuotaId};

/// Every ledger of this process. Cheap to clone.
#[derive(Clone)]
pub struct Books(Rc<Inner>);

struct Inner {
    persistence: Addr<PersistenceActor>,
    shared: bool,
    clock: Rc<Clock>,
    ledgers: RefCell<BTreeMap<QuotaId, Ledger>>,
}

/// The clock that quotas go by: the shared store's, where there is one, so that all servers' days turn at once.
#[derive(Default)]
pub(super) struct Clock(Cell<Option<i64>>);

impl Clock {
    /// Now.
    pub(super) fn now(&self) -> Now {
        self.at(Now::read())
    }

    /// A reading of this machine's clocks, by this one.
    pub(super) fn at(&self, now: Now) -> Now {
        match self.0.get() {
            Some(ahead) => Now { wall: now.mono as i64 + ahead, ..now },
            None => now,
        }
    }

    /// The store's clock reads `wall` (ms since the Unix epoch).
    pub(super) fn set(&self, wall: i64) {
        self.0.set(Some(wall - Now::read().mono as i64));
    }
}

impl Books {
    /// Empty books. `shared`: the quotas are shared with other servers, by way of the store.
    pub fn new(persistence: Addr<PersistenceActor>, shared: bool) -> Books {
        Books(Rc::new(Inner { persistence, shared, clock: Rc::default(), ledgers: RefCell::default() }))
    }

    /// All quotas of an upstream: opened, or given the limits that are now in force.
    pub(super) fn of(&self, api: &ApiConfig) -> ApiLedgers {
        let own = self.owned(&QuotaId::of_api(&api.id), &api.quota);
        let group = api.group.as_ref().map(|group| self.owned(&QuotaId::of_group(&group.name), &group.quota));
        let owners: Vec<Owned> = std::iter::once(own).chain(group).collect();
        let common = || owners.iter().map(|owned| owned.all.clone());
        let models = owners.iter().flat_map(|owned| owned.models.keys());
        let of_model = |model: &Arc<str>| {
            let besides = owners.iter().filter_map(|owned| owned.models.get(model).cloned());
            (model.clone(), common().chain(besides).collect())
        };
        ApiLedgers { common: common().collect(), models: models.map(of_model).collect() }
    }

    fn owned(&self, id: &QuotaId, quota: &QuotaConfig) -> Owned {
        let open = |id: QuotaId, limits| {
            let mut ledgers = self.0.ledgers.borrow_mut();
            if let Some(known) = ledgers.get(&id) {
                known.reconfigure(limits, &quota.reset);
                return known.clone();
            }
            let store = (self.0.clock.clone(), self.0.persistence.clone(), self.0.shared);
            let ledger = Ledger::open(id.clone(), (limits, &quota.reset), store);
            ledgers.insert(id, ledger.clone());
            ledger
        };
        let models = quota.models.iter().map(|(model, limits)| (model.clone(), open(id.for_model(model), *limits)));
        Owned { models: models.collect(), all: open(id.clone(), quota.limits) }
    }

    /// A ledger, if it is open.
    pub(super) fn ledger(&self, id: &QuotaId) -> Option<Ledger> {
        self.0.ledgers.borrow().get(id).cloned()
    }

    /// The process stops: every ledger gives back what is granted, and is saved.
    pub async fn close(&self) {
        let ledgers: Vec<Ledger> = self.0.ledgers.borrow().values().cloned().collect();
        join_all(ledgers.into_iter().map(Ledger::close)).await;
    }
}

/// The ledgers of one owner, an API or a group.
struct Owned {
    /// For all models together.
    all: Ledger,
    /// For single models besides.
    models: BTreeMap<Arc<str>, Ledger>,
}

/// The ledgers of one upstream: its own, and its group's.
pub(super) struct ApiLedgers {
    common: Rc<[Ledger]>,
    /// Of models (by the upstream's own name) that have limits of their own.
    models: BTreeMap<Arc<str>, Rc<[Ledger]>>,
}

impl ApiLedgers {
    /// Those that every attempt is counted in; its own is the first.
    pub(super) fn common(&self) -> &Rc<[Ledger]> {
        &self.common
    }

    /// All of them, each with the model that it is for; its own is the first.
    pub(super) fn each(&self) -> Vec<(Option<Arc<str>>, Ledger)> {
        let besides = self.models.iter().flat_map(|(model, ledgers)| {
            let of_model = ledgers.iter().skip(self.common.len());
            of_model.map(|ledger| (Some(model.clone()), ledger.clone()))
        });
        self.common.iter().map(|ledger| (None, ledger.clone())).chain(besides).collect()
    }

    /// When a day's limit of the upstream begins anew, at the latest (ms, monotonic).
    pub(super) fn day_ends(&self, now: Now) -> u64 {
        let ends = |ledger: &Ledger| ledger.with(now, |quota, now| quota.requests.day_ends(now));
        self.common.first().map_or(now.mono, ends)
    }

    /// Those that an attempt for a model (by the upstream's own name) is counted in.
    pub(super) fn for_model(&self, model: &str) -> &Rc<[Ledger]> {
        self.models.get(model).unwrap_or(&self.common)
    }
}
