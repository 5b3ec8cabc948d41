//! The answers to questions of the upstream's state and tokens.

use actix::prelude::*;
use quota::Demand;

use super::UpstreamActor;
use crate::mailbox::LaterReply;
use crate::persistence::Flush;
use crate::quotas::{AppliesEvents, room};
use crate::types::Now;
use crate::upstream::messages::{ApiStatus, GetStatus, GetTokens, ListFailed, Refusal, ResetTokens, TokenReport};

impl Handler<GetStatus> for UpstreamActor {
    type Result = ApiStatus;

    fn handle(&mut self, _: GetStatus, _: &mut Self::Context) -> ApiStatus {
        self.drain_events();
        let now = Now::read();
        let room = room(self.quotas.common(), Demand::of_tokens(1), now).map_err(Refusal::from);
        self.state.status(self.quotas(now), room, now)
    }
}

impl Handler<ListFailed> for UpstreamActor {
    type Result = ();

    fn handle(&mut self, ListFailed { class, detail }: ListFailed, _: &mut Self::Context) {
        self.state.on_list_failed(class, detail, Now::read());
    }
}

impl Handler<GetTokens> for UpstreamActor {
    type Result = TokenReport;

    fn handle(&mut self, _: GetTokens, _: &mut Self::Context) -> TokenReport {
        self.drain_events();
        self.state.token_stats.report(self.state.config.id.clone(), Now::read())
    }
}

impl Handler<ResetTokens> for UpstreamActor {
    type Result = LaterReply<()>;

    /// Answered when the reset is durable.
    fn handle(&mut self, _: ResetTokens, _: &mut Self::Context) -> Self::Result {
        self.drain_events();
        self.state.token_stats.reset();
        self.unsaved.reset_tokens();
        self.save();
        let flushed = self.persistence.send(Flush);
        LaterReply::of(async {
            // A store without write access says so in the log, once.
            let _ = flushed.await;
        })
    }
}
