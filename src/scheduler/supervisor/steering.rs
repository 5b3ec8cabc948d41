//! What an operator does with one upstream at run time. The end of a rest is kept with the ledger of the upstream.

use actix::prelude::*;

use super::SupervisorActor;
use crate::mailbox::LaterReply;
use crate::persistence::SaveLedgers;
use crate::scheduler::messages::{ClearRest, RestUpstream, UnknownApi};
use crate::types::{ApiId, LedgerId, Now};
use crate::upstream::{RestUntil, TryAgain, UpstreamActor};

/// The longest rest by an operator, in ms: a year. For longer there is `enabled: false`.
const LONGEST_MS: i64 = 366 * 86_400_000;

impl SupervisorActor {
    /// Returns the actor of a configured entry, and keeps the end of the rest.
    fn steer(&mut self, id: &ApiId, until: Option<i64>) -> Option<Addr<UpstreamActor>> {
        let ledger: LedgerId = self.apis.iter().find(|api| api.id == *id)?.ledger.clone();
        if let Some(record) = self.ledgers.rest_until(&ledger, until) {
            self.persistence().do_send(SaveLedgers(vec![record]));
        }
        self.upstreams.get(&ledger).cloned()
    }
}

impl Handler<RestUpstream> for SupervisorActor {
    type Result = LaterReply<Result<i64, UnknownApi>>;

    /// Answered when the upstream rests.
    fn handle(&mut self, RestUpstream { api, until }: RestUpstream, _: &mut Self::Context) -> Self::Result {
        let now = Now::read().wall;
        let until = until.min(now.saturating_add(LONGEST_MS));
        let Some(upstream) = self.steer(&api, Some(until).filter(|until| *until > now)) else {
            return LaterReply::of(async { Err(UnknownApi(api)) });
        };
        LaterReply::of(async move {
            // An actor that has ended by a defect is started again, and told of the rest then.
            let _ = upstream.send(RestUntil(until)).await;
            Ok(until)
        })
    }
}

impl Handler<ClearRest> for SupervisorActor {
    type Result = LaterReply<Result<(), UnknownApi>>;

    /// Answered when the upstream may be asked.
    fn handle(&mut self, ClearRest { api }: ClearRest, _: &mut Self::Context) -> Self::Result {
        let Some(upstream) = self.steer(&api, None) else { return LaterReply::of(async { Err(UnknownApi(api)) }) };
        LaterReply::of(async move {
            // An actor that has ended by a defect is started again, and remembers no rest.
            let _ = upstream.send(TryAgain).await;
            Ok(())
        })
    }
}
