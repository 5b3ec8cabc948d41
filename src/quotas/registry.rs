//! All quotas by id. The members of a group share one entry, and counts outlive an absence from the configuration.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use futures_util::future::join_all;
use quota::{OwnerLimits, PoolLimits, Reset};

use super::handle::{QuotaHandle, QuotaStore};
use super::restore::CountsBefore;
use crate::alerts::AlertSender;
use crate::config::{ApiConfig, KeyConfig, PeriodLimit, QuotaConfig};
use crate::mailbox::spawn;
use crate::persistence::PersistenceActor;
use crate::types::{Limits, Now, QuotaId, sorted};

/// The most models of an upstream with counts and without limits. Where an upstream takes any name, clients make
/// names up.
const MAX_MODELS: usize = 256;

/// The quotas of this process. Cheap to clone.
#[derive(Clone)]
pub struct QuotaRegistry(Rc<RegistryState>);

struct RegistryState {
    store: QuotaStore,
    quotas: RefCell<BTreeMap<QuotaId, QuotaHandle>>,
    /// By owner: the limits of other periods in force. Bound: the owners ever configured, with a handful each.
    in_force: RefCell<BTreeMap<QuotaId, BTreeSet<QuotaId>>>,
}

impl QuotaRegistry {
    /// Creates an empty registry. `shared`: other servers share the quotas through the store.
    pub fn new(persistence: Addr<PersistenceActor>, shared: bool) -> QuotaRegistry {
        let store = QuotaStore { clock: Rc::default(), persistence, alerts: AlertSender::default(), shared };
        QuotaRegistry(Rc::new(RegistryState { store, quotas: RefCell::default(), in_force: RefCell::default() }))
    }

    /// Returns an empty registry that tells people of used limits.
    #[must_use]
    pub fn alerting(self, alerts: AlertSender) -> QuotaRegistry {
        let store = QuotaStore { alerts, ..self.0.store.clone() };
        QuotaRegistry(Rc::new(RegistryState { store, quotas: RefCell::default(), in_force: RefCell::default() }))
    }

    /// Returns where people are told of events.
    pub fn alerts(&self) -> &AlertSender {
        &self.0.store.alerts
    }

    /// Opens the quotas of an upstream, or sets the limits of this configuration.
    pub fn configure(&self, api: &ApiConfig) {
        self.open_for(api);
    }

    /// Returns all quotas of an upstream. New ones are opened, and open ones get the limits of this configuration.
    pub(crate) fn open_for(&self, api: &ApiConfig) -> ApiQuotas {
        let own = QuotaOwner::new(QuotaId::of_api(&api.ledger), &api.quota);
        let group = api.group.as_ref().map(|group| QuotaOwner {
            members: group.ledgers.iter().map(QuotaId::of_api).collect(),
            ..QuotaOwner::new(QuotaId::of_group(&group.name), &group.quota)
        });
        let owners = std::iter::once(own).chain(group).map(|owner| self.put_in_force(owner));
        let owners: Vec<QuotaOwner> = owners.collect();
        let plain = owners.iter().map(|owner| self.open(owner, None));
        let listed = owners.iter().flat_map(|owner| self.open_listed(owner, None));
        let common = plain.chain(listed).collect();
        let mut quotas = ApiQuotas { owners, common, models: BTreeMap::new() };
        let limited: Vec<Arc<str>> = quotas.owners.iter().flat_map(|owner| owner.limited_models()).cloned().collect();
        limited.iter().for_each(|model| quotas.add_model(model, self));
        quotas
    }

    /// Returns all quotas of a client's key: the main one first, then one for each entry of the lists `limits` and `budgets`.
    pub(crate) fn open_key(&self, key: &KeyConfig) -> Rc<[QuotaHandle]> {
        let id = QuotaId::of_key(&Arc::from(key.name.as_str()));
        let owner = self.put_in_force(QuotaOwner::new(id, &key.quota));
        std::iter::once(self.open(&owner, None)).chain(self.open_listed(&owner, None)).collect()
    }

    /// Returns the quota of `rpm` and its like, for one model or for all.
    fn open(&self, owner: &QuotaOwner, model: Option<&Arc<str>>) -> QuotaHandle {
        let limits = match model {
            Some(model) => owner.quota.models.get(model).copied().unwrap_or_default(),
            None => owner.quota.limits,
        };
        let id_of = |id: &QuotaId| model.map_or(id.clone(), |model| id.for_model(model));
        let members: Vec<QuotaId> = owner.members.iter().map(id_of).collect();
        let id = id_of(&owner.id);
        let before = move |registry: &QuotaRegistry| {
            CountsBefore::Sum(members.iter().filter_map(|member| registry.get(member)).collect())
        };
        self.open_one(&id, (limits, &owner.quota.reset), before)
    }

    /// Puts the owner's limits of other periods into force. The ones that left the configuration keep their counts, and issue no
    /// credits: nothing is admitted any more without the ones that came.
    fn put_in_force(&self, owner: QuotaOwner) -> QuotaOwner {
        let ids = sorted::set(owner.quota.more.iter().map(|entry| owner.id_of(entry)));
        let before = self.0.in_force.borrow_mut().insert(owner.id.clone(), ids.clone());
        let left = before.iter().flat_map(|before| before.difference(&ids));
        left.filter_map(|id| self.get(id)).for_each(|quota| quota.retire());
        QuotaOwner { before, ..owner }
    }

    /// Returns a quota for each entry of the list `limits`, for one model or for all.
    fn open_listed(&self, owner: &QuotaOwner, model: Option<&Arc<str>>) -> Vec<QuotaHandle> {
        let entries = owner.quota.more.iter().filter(|entry| entry.model.as_ref() == model);
        let of = model.map_or_else(|| owner.id.clone(), |model| owner.id.for_model(model));
        let open = |entry: &PeriodLimit| {
            let limits = Limits { pacing: entry.pacing, ..entry.limit.limits() };
            let id = owner.id_of(entry);
            let comes = owner.before.as_ref().is_some_and(|before| !before.contains(&id));
            let (of, new, before) = (of.clone(), id.clone(), owner.before.clone().unwrap_or_default());
            let others = move |registry: &QuotaRegistry| registry.alike(&of, &new, (&limits, &before));
            let before = move |registry: &QuotaRegistry| CountsBefore::Largest { of: others(registry), comes };
            if comes && let Some(known) = self.get(&id) {
                known.reconfigure(limits, &entry.reset);
                let registry = self.clone();
                known.come_back(move || before(&registry));
                return known;
            }
            self.open_one(&id, (limits, &entry.reset), before)
        };
        entries.map(open).collect()
    }

    /// Returns a quota. `before`: where the counts of a new one come from.
    fn open_one(
        &self,
        id: &QuotaId,
        (limits, reset): (Limits, &Reset),
        before: impl Fn(&QuotaRegistry) -> CountsBefore + 'static,
    ) -> QuotaHandle {
        let mut quotas = self.0.quotas.borrow_mut();
        if let Some(known) = quotas.get(id) {
            known.reconfigure(limits, reset);
            return known.clone();
        }
        let quota = QuotaHandle::new(id.clone(), limits, reset, self.0.store.clone());
        let registry = self.clone();
        spawn(quota.clone().restore(move || before(&registry)));
        quotas.insert(id.clone(), quota.clone());
        quota
    }

    /// Returns the quotas of an owner that count what a `new` quota with these `limits` bounds: the ones of no longer periods and of
    /// the day, and the shortest of the longer ones that were in force `before`, or else of all longer ones. (A longer one may have
    /// counted too much, a shorter one or one that was not in force too little.)
    fn alike(
        &self,
        owner: &QuotaId,
        new: &QuotaId,
        (limits, before): (&Limits, &BTreeSet<QuotaId>),
    ) -> Vec<QuotaHandle> {
        let quotas = self.0.quotas.borrow();
        // Nobody waits for a quota that may be waiting for others: only the quota of `rpm` and its like waits for none of these.
        let is_usable = |id: &QuotaId, quota: &QuotaHandle| id == owner || id != new && quota.is_read();
        let alike = quotas.iter().filter(|(id, quota)| id.is_of(owner) && is_usable(id, quota));
        let alike = alike.filter(|(_, quota)| quota.knows_units_of(limits));
        // The day is always counted. A limit that left the configuration counts no more.
        let is_short =
            |id: &QuotaId, quota: &QuotaHandle| id == owner || quota.period_ms() <= limits.period().length_ms();
        let (mut others, longer): (Vec<_>, Vec<_>) = alike.partition(|(id, quota)| is_short(id, quota));
        others.extend(longer.into_iter().min_by_key(|(id, quota)| (!before.contains(id), quota.period_ms())));
        others.into_iter().map(|(_, quota)| quota.clone()).collect()
    }

    /// Returns an open quota.
    pub(super) fn get(&self, id: &QuotaId) -> Option<QuotaHandle> {
        self.0.quotas.borrow().get(id).cloned()
    }

    /// Returns the limits on requests for a model, of all `apis` together.
    pub fn pool_limits<'a>(&self, apis: impl Iterator<Item = &'a ApiConfig>, model: &str) -> PoolLimits {
        let mut limits = PoolLimits::default();
        for api in apis {
            let upstream_model = api.mapping.get(model).map_or(model, |name| name);
            let own = self.owner_limits(&QuotaId::of_api(&api.ledger), &api.quota, upstream_model);
            let group = api.group.as_ref().map_or_else(OwnerLimits::default, |group| {
                self.owner_limits(&QuotaId::of_group(&group.name), &group.quota, upstream_model)
            });
            limits.add(own, group);
        }
        limits
    }

    fn owner_limits(&self, owner: &QuotaId, quota: &QuotaConfig, model: &str) -> OwnerLimits {
        let of_model = quota.models.get_key_value(model).map(|(model, _)| owner.for_model(model));
        let listed = quota.more.iter().filter(|entry| entry.model.as_deref().is_none_or(|of| of == model));
        let listed = listed.map(|entry| {
            let owner = entry.model.as_ref().map_or_else(|| owner.clone(), |model| owner.for_model(model));
            owner.for_limit(entry.limit)
        });
        let ids = std::iter::once(owner.clone()).chain(of_model).chain(listed);
        OwnerLimits::new(ids.filter_map(|id| self.get(&id)?.credits()))
    }

    /// Closes all quotas, when the process stops: grants are given back, and counts saved.
    pub async fn close(&self) {
        let quotas: Vec<QuotaHandle> = self.0.quotas.borrow().values().cloned().collect();
        join_all(quotas.into_iter().map(QuotaHandle::close)).await;
    }
}

/// An API, a group or a client's key.
struct QuotaOwner {
    id: QuotaId,
    quota: QuotaConfig,
    /// The members' own quotas. A new group begins with the counts of all members.
    members: Vec<QuotaId>,
    /// The limits of other periods in force before this configuration; `None` for an owner that is new to this process.
    before: Option<BTreeSet<QuotaId>>,
}

impl QuotaOwner {
    fn new(id: QuotaId, quota: &QuotaConfig) -> QuotaOwner {
        QuotaOwner { id, quota: quota.clone(), members: Vec::new(), before: None }
    }

    /// Returns the id of a limit of another period.
    fn id_of(&self, entry: &PeriodLimit) -> QuotaId {
        let owner = entry.model.as_ref().map_or_else(|| self.id.clone(), |model| self.id.for_model(model));
        owner.for_limit(entry.limit)
    }

    /// Returns the models with limits of their own.
    fn limited_models(&self) -> impl Iterator<Item = &Arc<str>> {
        self.quota.models.keys().chain(self.quota.more.iter().filter_map(|entry| entry.model.as_ref()))
    }
}

/// The quotas of one upstream: the own ones and the group's.
pub(crate) struct ApiQuotas {
    owners: Vec<QuotaOwner>,
    common: Rc<[QuotaHandle]>,
    /// By the upstream's own names of models: the common quotas, and the model's.
    models: BTreeMap<Arc<str>, Rc<[QuotaHandle]>>,
}

impl ApiQuotas {
    /// Returns the quotas of every attempt. The upstream's own is the first, and the group's the second.
    pub(crate) fn common(&self) -> &Rc<[QuotaHandle]> {
        &self.common
    }

    /// Returns all quotas with limits, each with the model. The upstream's own quota is the first, with limits or without.
    pub(crate) fn each(&self) -> Vec<(Option<Arc<str>>, QuotaHandle)> {
        let of_models = self.models.iter().flat_map(|(model, quotas)| {
            let of_model = quotas.iter().skip(self.common.len()).filter(|quota| quota.is_bounded());
            of_model.map(|quota| (Some(model.clone()), quota.clone()))
        });
        self.common.iter().map(|quota| (None, quota.clone())).chain(of_models).collect()
    }

    /// Returns the latest end of the upstream's day (ms, monotonic).
    pub(crate) fn day_ends(&self, now: Now) -> u64 {
        let ends = |quota: &QuotaHandle| quota.with(now, |quota, now| quota.period_ends(now));
        self.common.first().map_or(now.mono, ends)
    }

    /// Returns the quotas of an attempt for a model, by the upstream's own name. A model is counted even without limits:
    /// a later configuration may bring some.
    pub(crate) fn for_model(&mut self, model: &str, registry: &QuotaRegistry) -> Rc<[QuotaHandle]> {
        if !self.models.contains_key(model) && self.models.len() < MAX_MODELS {
            self.add_model(&Arc::from(model), registry);
        }
        self.models.get(model).unwrap_or(&self.common).clone()
    }

    /// Returns whether these are the quotas of a model.
    pub(crate) fn are(&self, model: &str, quotas: &Rc<[QuotaHandle]>) -> bool {
        self.models.get(model).is_some_and(|of_model| Rc::ptr_eq(of_model, quotas))
    }

    fn add_model(&mut self, model: &Arc<str>, registry: &QuotaRegistry) {
        let of_model = self.owners.iter().map(|owner| registry.open(owner, Some(model)));
        let listed = self.owners.iter().flat_map(|owner| registry.open_listed(owner, Some(model)));
        let all = self.common.iter().cloned().chain(of_model).chain(listed).collect();
        self.models.insert(model.clone(), all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_name_the_number_of_counted_models() {
        let quotas = include_str!("../../docs/quotas.md");
        assert!(quotas.contains(&format!("({MAX_MODELS} models of each API)")));
    }
}
