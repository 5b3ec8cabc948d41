//! One selection: the upstreams are asked in the order of their tiers, until one admits.
//!
//! 1. Each upstream is asked at most once, by the rules of its quotas and its health.
//! 2. If all decline, panic mode begins: upstreams with an inferred rest are asked once more, and may admit.
//! 3. An upstream without a live actor is skipped, and started again for the next request.

use std::sync::Arc;

use actix::prelude::*;

use super::messages::AdmissionError;
use super::snapshot::{Member, RoutingSnapshot};
use super::weighted_tiers::WeightedTiers;
use crate::types::{ApiId, Profile};
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
}

impl Selection {
    /// Asks one upstream after the other until one admits. `restart` starts an ended actor again.
    ///
    /// # Errors
    /// With the refusals of all upstreams that were asked.
    pub(super) async fn run(mut self, restart: Recipient<RestartUpstream>) -> Result<ChosenUpstream, AdmissionError> {
        let mut refusals: Vec<(ApiId, Refusal)> = Vec::new();
        let mut fast_paths: Vec<(usize, Arc<FastPath>)> = Vec::new();
        let mut panic = false;
        loop {
            let Some(slot) = self.next_slot() else {
                let resting = if panic { Vec::new() } else { take_inferred(&mut refusals) };
                if resting.is_empty() {
                    let model = self.profile.model;
                    return Err(AdmissionError::NoneAvailable { model, refusals, rate: None });
                }
                panic = true;
                self.ask_again(&resting);
                continue;
            };
            let Some(Member { api, upstream }) = self.snapshot.members.get(slot) else { continue };
            match upstream.send(Forward { profile: self.profile.clone(), panic }).await {
                Ok(Ok(Forwarded { permit, fast_path })) => {
                    fast_paths.extend(fast_path.map(|fast_path| (slot, fast_path)));
                    return Ok(ChosenUpstream { permit, fast_paths, snapshot: self.snapshot });
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

    fn ask_again(&mut self, resting: &[ApiId]) {
        for (skipped, member) in self.skipped.iter_mut().zip(&self.snapshot.members) {
            *skipped &= !resting.contains(&member.api);
        }
    }
}

/// Removes the refusals of inferred rests from the list. Returns the upstreams.
fn take_inferred(refusals: &mut Vec<(ApiId, Refusal)>) -> Vec<ApiId> {
    refusals.extract_if(.., |(_, refusal)| refusal.is_inferred()).map(|(api, _)| api).collect()
}
