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

/// So many models of an upstream are counted without limits of their own: where it takes any name, clients make them up.
const MOST_MODELS: usize = 256;

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
        let own = Owner { id: QuotaId::of_api(&api.id), quota: api.quota.clone(), members: Vec::new() };
        let group = api.group.as_ref().map(|group| Owner {
            id: QuotaId::of_group(&group.name),
            quota: group.quota.clone(),
            members: group.members.iter().map(QuotaId::of_api).collect(),
        });
        let owners: Vec<Owner> = std::iter::once(own).chain(group).collect();
        let common = owners.iter().map(|owner| self.open(owner, None)).collect();
        let mut ledgers = ApiLedgers { owners, common, models: BTreeMap::new() };
        let limited: Vec<Arc<str>> =
            ledgers.owners.iter().flat_map(|owner| owner.quota.models.keys().cloned()).collect();
        limited.iter().for_each(|model| ledgers.count(model, self));
        ledgers
    }

    fn open(&self, owner: &Owner, model: Option<&Arc<str>>) -> Ledger {
        let of = |id: &QuotaId| model.map_or(id.clone(), |model| id.for_model(model));
        let (id, reset) = (of(&owner.id), &owner.quota.reset);
        let limits = match model {
            Some(model) => owner.quota.models.get(model).copied().unwrap_or_default(),
            None => owner.quota.limits,
        };
        let mut ledgers = self.0.ledgers.borrow_mut();
        if let Some(known) = ledgers.get(&id) {
            known.reconfigure(limits, reset);
            return known.clone();
        }
        let members: Vec<QuotaId> = owner.members.iter().map(of).collect();
        let books = self.clone();
        let begins_with = move || members.iter().filter_map(|member| books.ledger(member)).collect();
        let store = (self.0.clock.clone(), self.0.persistence.clone(), self.0.shared);
        let ledger = Ledger::open(id.clone(), (limits, reset), begins_with, store);
        ledgers.insert(id, ledger.clone());
        ledger
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

/// An API, or its group.
struct Owner {
    id: QuotaId,
    quota: QuotaConfig,
    /// The quotas that it shares: what they have counted, it has.
    members: Vec<QuotaId>,
}

/// The ledgers of one upstream: its own, and its group's.
pub(super) struct ApiLedgers {
    owners: Vec<Owner>,
    common: Rc<[Ledger]>,
    /// Of models (by the upstream's own name), with the common ones.
    models: BTreeMap<Arc<str>, Rc<[Ledger]>>,
}

impl ApiLedgers {
    /// Those that every attempt is counted in; its own is the first.
    pub(super) fn common(&self) -> &Rc<[Ledger]> {
        &self.common
    }

    /// All of them that have limits, each with the model that it is for; its own is the first.
    pub(super) fn each(&self) -> Vec<(Option<Arc<str>>, Ledger)> {
        let besides = self.models.iter().flat_map(|(model, ledgers)| {
            let of_model = ledgers.iter().skip(self.common.len()).filter(|ledger| ledger.is_bounded());
            of_model.map(|ledger| (Some(model.clone()), ledger.clone()))
        });
        self.common.iter().map(|ledger| (None, ledger.clone())).chain(besides).collect()
    }

    /// When a day's limit of the upstream begins anew, at the latest (ms, monotonic).
    pub(super) fn day_ends(&self, now: Now) -> u64 {
        let ends = |ledger: &Ledger| ledger.with(now, |quota, now| quota.day_ends(now));
        self.common.first().map_or(now.mono, ends)
    }

    /// Those that an attempt for a model (by the upstream's own name) is counted in. A model is counted whether it has limits
    /// or not: if it is given some, they apply to what is spent.
    pub(super) fn for_model(&mut self, model: &str, books: &Books) -> Rc<[Ledger]> {
        if !self.models.contains_key(model) && self.models.len() < MOST_MODELS {
            self.count(&Arc::from(model), books);
        }
        self.models.get(model).unwrap_or(&self.common).clone()
    }

    fn count(&mut self, model: &Arc<str>, books: &Books) {
        let besides = self.owners.iter().map(|owner| books.open(owner, Some(model)));
        let all = self.common.iter().cloned().chain(besides).collect();
        self.models.insert(model.clone(), all);
    }
}
