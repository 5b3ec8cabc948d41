//! What an operator does with one upstream at run time: let it rest, or try it again now.
//!
//! 1. A rest by an operator is certain: no panic mode and no probe goes before its end. It ends by itself. A changed entry does not
//!    end it.
//! 2. To try again is to forget all health, as after a change of the entry: what open attempts will say is about the time before.
//! 3. Neither touches a count of a limit.

use std::sync::Arc;

use actix::prelude::*;

use super::UpstreamActor;
use crate::quotas::AppliesEvents;
use crate::types::Now;
use crate::upstream::Endpoint;
use crate::upstream::shared_state::{AdmissionMode, SharedState};

/// Take no attempt until then (ms since the Unix epoch), in place of an earlier such rest. Sent by the supervisor; a lost one leaves
/// the upstream as it was.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RestUntil(pub i64);

/// End every rest of the upstream and its models. Sent by the supervisor; a lost one leaves the upstream as it was.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TryAgain;

impl UpstreamActor {
    /// Puts a new state in the place of the one that workers know: whoever holds a fast path asks the actor, and open attempts say
    /// nothing of what begins now.
    pub(super) fn renew_shared(&mut self) {
        self.shared.publish_state(AdmissionMode::AskActorFrom(0));
        let endpoint = Arc::new(Endpoint::new(&self.state.config));
        self.shared = Arc::new(SharedState::new(endpoint, self.events.queue.clone()));
    }
}

impl Handler<RestUntil> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, RestUntil(until): RestUntil, _: &mut Self::Context) {
        self.drain_events();
        self.state.rest_until(until, Now::read());
        self.publish_state();
    }
}

impl Handler<TryAgain> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, _: TryAgain, _: &mut Self::Context) {
        self.drain_events();
        self.state.try_again();
        self.renew_shared();
        self.publish_state();
    }
}
