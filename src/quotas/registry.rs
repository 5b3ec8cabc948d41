//! All quotas by id. The members of a group share one entry, and counts outlive an absence from the configuration.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use futures_util::future::join_all;
use quota::{Limit, Limits, Measure, OwnerLimits, PoolLimits};

use super::handle::{QuotaHandle, QuotaStore};
use crate::config::{ApiConfig, KeyBudget, KeyConfig, QuotaConfig};
use crate::persistence::PersistenceActor;
use crate::types::{Now, QuotaId};

/// The most models of an upstream with counts and without limits. Where an upstream takes any name, clients make
/// names up.
const MAX_MODELS: usize = 256;

/// The quotas of this process. Cheap to clone.
#[derive(Clone)]
pub struct QuotaRegistry(Rc<RegistryState>);

struct RegistryState {
    store: QuotaStore,
    quotas: RefCell<BTreeMap<QuotaId, QuotaHandle>>,
}

impl QuotaRegistry {
    /// Creates an empty registry. `shared`: other servers share the quotas through the store.
    pub fn new(persistence: Addr<PersistenceActor>, shared: bool) -> QuotaRegistry {
        let store = QuotaStore { clock: Rc::default(), persistence, shared };
        QuotaRegistry(Rc::new(RegistryState { store, quotas: RefCell::default() }))
    }

    /// Opens the quotas of an upstream, or sets the limits of this configuration.
    pub fn configure(&self, api: &ApiConfig) {
        self.open_for(api);
    }

    /// Returns all quotas of an upstream. New ones are opened, and open ones get the limits of this configuration.
    pub(crate) fn open_for(&self, api: &ApiConfig) -> ApiQuotas {
        let own = QuotaOwner { id: QuotaId::of_api(&api.ledger), quota: api.quota.clone(), members: Vec::new() };
        let group = api.group.as_ref().map(|group| QuotaOwner {
            id: QuotaId::of_group(&group.name),
            quota: group.quota.clone(),
            members: group.ledgers.iter().map(QuotaId::of_api).collect(),
        });
        let owners: Vec<QuotaOwner> = std::iter::once(own).chain(group).collect();
        let common = owners.iter().map(|owner| self.open(owner, None)).collect();
        let mut quotas = ApiQuotas { owners, common, models: BTreeMap::new() };
        let limited: Vec<Arc<str>> =
            quotas.owners.iter().flat_map(|owner| owner.quota.models.keys().cloned()).collect();
        limited.iter().for_each(|model| quotas.add_model(model, self));
        quotas
    }

    /// Returns all quotas of a client's key: the main one first, then one for each budget.
    pub(crate) fn open_key(&self, key: &KeyConfig) -> Rc<[QuotaHandle]> {
        let id = QuotaId::of_key(&Arc::from(key.name.as_str()));
        let main = QuotaOwner { id: id.clone(), quota: key.quota.clone(), members: Vec::new() };
        let budget = |budget: &KeyBudget| {
            let tpd = Limit::AtMost(budget.nanodollars);
            let limits = Limits { tpd, measure: Measure::Cost, ..Limits::default() };
            let quota = QuotaConfig { limits, models: BTreeMap::new(), reset: key.quota.reset.clone() };
            QuotaOwner { id: id.for_model(&budget.per), quota, members: Vec::new() }
        };
        let owners: Vec<QuotaOwner> = std::iter::once(main).chain(key.budgets.iter().map(budget)).collect();
        owners.iter().map(|owner| self.open(owner, None)).collect()
    }

    fn open(&self, owner: &QuotaOwner, model: Option<&Arc<str>>) -> QuotaHandle {
        let id_of = |id: &QuotaId| model.map_or(id.clone(), |model| id.for_model(model));
        let (id, reset) = (id_of(&owner.id), &owner.quota.reset);
        let limits = match model {
            Some(model) => owner.quota.models.get(model).copied().unwrap_or_default(),
            None => owner.quota.limits,
        };
        let mut quotas = self.0.quotas.borrow_mut();
        if let Some(known) = quotas.get(&id) {
            known.reconfigure(limits, reset);
            return known.clone();
        }
        let members: Vec<QuotaId> = owner.members.iter().map(id_of).collect();
        let registry = self.clone();
        let members = move || members.iter().filter_map(|member| registry.get(member)).collect();
        let quota = QuotaHandle::new(id.clone(), limits, reset, self.0.store.clone());
        actix::spawn(quota.clone().restore(members));
        quotas.insert(id, quota.clone());
        quota
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
        let of_model = quota.models.get_key_value(model).and_then(|(model, _)| self.get(&owner.for_model(model)));
        let credits = |quota: QuotaHandle| quota.credits();
        OwnerLimits::new(self.get(owner).and_then(credits), of_model.and_then(credits))
    }

    /// Closes all quotas, when the process stops: grants are given back, and counts saved.
    pub async fn close(&self) {
        let quotas: Vec<QuotaHandle> = self.0.quotas.borrow().values().cloned().collect();
        join_all(quotas.into_iter().map(QuotaHandle::close)).await;
    }
}

/// An API or a group.
struct QuotaOwner {
    id: QuotaId,
    quota: QuotaConfig,
    /// The members' own quotas. A new group begins with the counts of all members.
    members: Vec<QuotaId>,
}

/// The quotas of one upstream: the own ones and the group's.
pub(crate) struct ApiQuotas {
    owners: Vec<QuotaOwner>,
    common: Rc<[QuotaHandle]>,
    /// By the upstream's own names of models: the common quotas, and the model's.
    models: BTreeMap<Arc<str>, Rc<[QuotaHandle]>>,
}

impl ApiQuotas {
    /// Returns the quotas of every attempt. The upstream's own is the first.
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
        let ends = |quota: &QuotaHandle| quota.with(now, |quota, now| quota.day_ends(now));
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

    fn add_model(&mut self, model: &Arc<str>, registry: &QuotaRegistry) {
        let of_model = self.owners.iter().map(|owner| registry.open(owner, Some(model)));
        let all = self.common.iter().cloned().chain(of_model).collect();
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
