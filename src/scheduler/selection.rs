//! One selection: the upstreams are asked in the order of the strategy, until one admits.

use std::sync::Arc;

use actix::prelude::*;

use super::board::{Board, Seat};
use super::messages::AdmissionError;
use super::supervisor::{Revive, SupervisorActor};
use crate::types::{ApiId, Profile};
use crate::upstream::{Declined, FastPath, Forward, Forwarded, Permit, Refusal};

/// A permit, and the short ways that were learned on the way to it.
pub(super) struct Selected {
    pub(super) permit: Permit,
    pub(super) lanes: Vec<(usize, Arc<FastPath>)>,
    pub(super) board: Arc<Board>,
}

/// Asks one after the other until one admits: `next`, and then those that are not `left_out`.
pub(super) async fn select(
    board: Arc<Board>,
    profile: Profile,
    (mut next, mut left_out): (Option<usize>, Vec<bool>),
    supervisor: Addr<SupervisorActor>,
) -> Result<Selected, AdmissionError> {
    let mut refusals: Vec<(ApiId, Refusal)> = Vec::new();
    let mut lanes: Vec<(usize, Arc<FastPath>)> = Vec::new();
    let mut panic = false;
    loop {
        let is_left_out = |slot: usize| left_out.get(slot).copied().unwrap_or(true);
        let drawn = || board.routes.lot(&profile.model).draw(&mut rand::rng(), is_left_out);
        let Some(slot) = next.take().or_else(drawn) else {
            // Panic mode: nobody else can serve, and an inferred rest is no obstacle.
            let resting = refusals.extract_if(.., |(_, refusal)| !panic && refusal.is_inferred());
            let resting: Vec<ApiId> = resting.map(|(api, _)| api).collect();
            panic = true;
            if resting.is_empty() {
                return Err(AdmissionError::NoneAvailable { model: profile.model, refusals, rate: None });
            }
            let again = |(left_out, seat): (&mut bool, &Seat)| *left_out &= !resting.contains(&seat.api);
            left_out.iter_mut().zip(&board.seats).for_each(again);
            continue;
        };
        left_out.get_mut(slot).into_iter().for_each(|left_out| *left_out = true);
        let Some(Seat { api, upstream }) = board.seats.get(slot) else { continue };
        match upstream.send(Forward { profile: profile.clone(), panic }).await {
            Ok(Ok(Forwarded { permit, fast_path })) => {
                lanes.extend(fast_path.map(|fast_path| (slot, fast_path)));
                return Ok(Selected { permit, lanes, board });
            }
            Ok(Err(Declined { refusal, fast_path })) => {
                refusals.push((api.clone(), refusal));
                lanes.extend(fast_path.map(|fast_path| (slot, fast_path)));
            }
            Err(_) => supervisor.do_send(Revive(api.clone())),
        }
    }
}
