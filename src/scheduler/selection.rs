//! One selection: the upstreams are asked in the order of their tiers, until one admits.
//!
//! 1. Each upstream is asked at most once, by the rules of its quotas and its health.
//! 2. If all decline, panic mode begins: upstreams with an inferred rest are asked once more ([`panic_mode`]), and may admit.
//! 3. An upstream without a live actor is skipped, and started again for the next request.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::messages::AdmissionError;
use super::panic_mode;
use super::snapshot::{Member, RoutingSnapshot};
use super::weighted_tiers::WeightedTiers;
use crate::types::{ApiId, Now, Profile};
use crate::upstream::{Declined, FastPath, Forward, Forwarded, Permit, Refusal};

/// Start an upstream's actor again, after an end by a defect of this program. Sent by a selection to the supervisor. A lost one
/// leaves the upstream out until the next request.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct RestartUpstream(pub(super) ApiId);

/// A permit, and the fast paths learned on the way to it.
#[derive(Debug)]
pub(super) struct ChosenUpstream {
    pub(super) permit: Permit,
    /// The fast paths to the asked upstreams, by slot.
    pub(super) fast_paths: Vec<(usize, Arc<FastPath>)>,
    /// The routing behind the choice.
    pub(super) snapshot: Arc<RoutingSnapshot>,
    /// How long the request waited for a limit to free.
    pub(super) waited: Duration,
}

/// A selection on its way through the upstreams.
pub(super) struct Selection {
    pub(super) snapshot: Arc<RoutingSnapshot>,
    /// The upstreams of the model.
    pub(super) tiers: Arc<WeightedTiers>,
    pub(super) profile: Profile,
    /// The slot to begin with, if one is picked already.
    pub(super) first: Option<usize>,
    /// For each slot: is not to be asked, or not again.
    pub(super) skipped: Vec<bool>,
    /// May panic mode begin?
    pub(super) may_panic: bool,
}

impl Selection {
    /// Asks one upstream after the other until one admits. `restart` starts an ended actor again.
    ///
    /// # Errors
    /// With the refusals of all upstreams that were asked.
    pub(super) async fn run(mut self, restart: Recipient<RestartUpstream>) -> Result<ChosenUpstream, AdmissionError> {
        let mut refusals: Vec<(ApiId, Refusal)> = Vec::new();
        let mut fast_paths: Vec<(usize, Arc<FastPath>)> = Vec::new();
        let mut resting: Option<Vec<ApiId>> = (!self.may_panic).then(Vec::new);
        loop {
            let Some(slot) = self.next_slot() else {
                let resting = resting.get_or_insert_with(|| panic_mode::begin(&mut refusals, Now::read_mono()));
                let Some(api) = resting.pop() else {
                    let model = self.profile.model;
                    return Err(AdmissionError::NoneAvailable { model, refusals, rate: None });
                };
                refusals.retain(|(other, _)| *other != api);
                self.ask_again(&api);
                continue;
            };
            let Some(Member { api, upstream, .. }) = self.snapshot.members.get(slot) else { continue };
            let panic = self.may_panic && resting.is_some();
            match upstream.send(Forward { profile: self.profile.clone(), panic }).await {
                Ok(Ok(Forwarded { permit, fast_path })) => {
                    fast_paths.extend(fast_path.map(|fast_path| (slot, fast_path)));
                    return Ok(ChosenUpstream { permit, fast_paths, snapshot: self.snapshot, waited: Duration::ZERO });
                }
                Ok(Err(Declined { refusal, fast_path })) => {
                    refusals.push((api.clone(), refusal));
                    fast_paths.extend(fast_path.map(|fast_path| (slot, fast_path)));
                }
                Err(_) => restart.do_send(RestartUpstream(api.clone())),
            }
        }
    }

    /// Returns the next upstream to ask, which is then skipped.
    fn next_slot(&mut self) -> Option<usize> {
        let slot = match self.first.take() {
            Some(slot) => slot,
            None => {
                let is_skipped = |slot: usize| self.skipped.get(slot).copied().unwrap_or(true);
                self.tiers.pick(self.profile.session, &mut rand::rng(), is_skipped)?
            }
        };
        if let Some(skipped) = self.skipped.get_mut(slot) {
            *skipped = true;
        }
        Some(slot)
    }

    fn ask_again(&mut self, api: &ApiId) {
        for (skipped, member) in self.skipped.iter_mut().zip(&self.snapshot.members) {
            *skipped &= member.api != *api;
        }
    }
}
