//! What the supervisor shows the schedulers of all workers: the routing, and a few shared flags.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix::prelude::*;

use super::routes::Routes;
use super::weighted_tiers::WeightedTiers;
use crate::types::{ApiId, NameList, ParameterSet, Profile, RequestTarget};
use crate::upstream::UpstreamActor;

/// The routing changed. Sent by the supervisor to every scheduler. A lost one leaves a scheduler with fast paths that are
/// closed, so the scheduler asks the supervisor.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RoutingChanged(pub(super) Arc<RoutingSnapshot>);

/// Send the routing now, and at each change. Sent by each scheduler at its start; without it every
/// selection is left to the supervisor.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct SubscribeRouting(pub(super) Recipient<RoutingChanged>);

/// The routing at one moment.
#[derive(Debug, Default)]
pub(super) struct RoutingSnapshot {
    /// Of two snapshots, the newer has the larger number.
    pub(super) serial: u64,
    pub(super) routes: Routes,
    /// In the order of the configuration. A slot of `routes` is a position here.
    pub(super) members: Vec<Member>,
    /// The parameters that any upstream refuses.
    pub(super) unsupported: ParameterSet,
    /// How long a request may wait for a limit.
    pub(super) max_wait: Duration,
    pub(super) flags: Arc<SharedFlags>,
}

impl RoutingSnapshot {
    /// Returns the slot of a target's home; `None` if any upstream may serve, or the home is not configured any more.
    pub(super) fn home(&self, target: &RequestTarget) -> Option<usize> {
        match target {
            RequestTarget::Any => None,
            RequestTarget::Home(home) => self.members.iter().position(|member| member.api == *home),
        }
    }

    /// Returns the slots of the upstreams that are closed to the client's key. `open`: the ids of the open upstreams. `None`: all are
    /// open.
    pub(super) fn closed_to(&self, open: Option<&Arc<NameList>>) -> Vec<usize> {
        let Some(open) = open else { return Vec::new() };
        let members = self.members.iter().enumerate();
        members.filter(|(_, member)| !open.has(member.api.as_str())).map(|(slot, _)| slot).collect()
    }

    /// Returns the slots that are passed over for a request, unless an object lives there: the slots of upstreams that refuse a parameter.
    /// For a request without a model they are the slots of upstreams without a model that the path is for, as long as another
    /// upstream is allowed.
    pub(super) fn unfit(
        &self,
        tiers: &WeightedTiers,
        profile: &Profile,
        is_allowed: impl Fn(&ApiId) -> bool,
    ) -> Vec<usize> {
        let likely = profile.route.likely_models();
        if !profile.model.is_empty() || likely.is_empty() {
            return self.refusing(tiers, profile.parameters);
        }
        let serving = self.routes.slots_of_any(profile.route.format(), likely);
        let (serving, others): (Vec<usize>, Vec<usize>) = tiers.slots().partition(|slot| serving.contains(slot));
        let is_left = |slot: &usize| {
            self.routes.is_enabled(*slot) && self.members.get(*slot).is_some_and(|member| is_allowed(&member.api))
        };
        if serving.iter().any(is_left) { others } else { Vec::new() }
    }

    /// Returns the slots of a model's upstreams that refuse one of these parameters, if an enabled upstream of the model refuses none.
    fn refusing(&self, tiers: &WeightedTiers, parameters: ParameterSet) -> Vec<usize> {
        if !self.unsupported.intersects(parameters) {
            return Vec::new();
        }
        let refuses =
            |slot: &usize| self.members.get(*slot).is_some_and(|member| member.unsupported.intersects(parameters));
        let (refusing, others): (Vec<usize>, Vec<usize>) = tiers.slots().partition(refuses);
        if others.iter().any(|slot| self.routes.is_enabled(*slot)) { refusing } else { Vec::new() }
    }
}

/// One upstream of the pool.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) api: ApiId,
    pub(super) upstream: Addr<UpstreamActor>,
    /// The parameters that the upstream refuses.
    pub(super) unsupported: ParameterSet,
}

/// What changes too often for a new snapshot.
#[derive(Debug, Default)]
pub(super) struct SharedFlags {
    /// Requests wait in a queue, and a new one goes behind: no fast path is taken.
    pub(super) queueing: AtomicBool,
}
