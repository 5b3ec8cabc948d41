//! What can be asked about the pool: its models, the state of its upstreams, their token statistics.

use actix::prelude::*;
use futures_util::future::join_all;

use super::SupervisorActor;
use super::board::MailboxReport;
use super::messages::{ApiReport, GetMailbox, GetModels, GetReports, GetTokenReports, ResetTokenStats, UnknownApi};
use super::routes::names;
use crate::upstream::{GetStatus, GetTokens, ResetTokens, TokenReport};

impl Handler<GetModels> for SupervisorActor {
    type Result = MessageResult<GetModels>;

    fn handle(&mut self, _: GetModels, _: &mut Self::Context) -> Self::Result {
        let enabled = |slot: usize| self.apis.get(slot).is_some_and(|api| api.enabled);
        MessageResult(self.board.routes.names(enabled))
    }
}

impl Handler<GetMailbox> for SupervisorActor {
    type Result = MailboxReport;

    fn handle(&mut self, _: GetMailbox, _: &mut Self::Context) -> MailboxReport {
        self.board.signs.report()
    }
}

impl Handler<GetReports> for SupervisorActor {
    type Result = ResponseFuture<Vec<ApiReport>>;

    fn handle(&mut self, _: GetReports, _: &mut Self::Context) -> Self::Result {
        let asked = self.apis.iter().filter_map(|api| {
            let (upstream, models) = (self.upstreams.get(&api.id)?.clone(), names(api, &self.found));
            Some(async move { Some(ApiReport { status: upstream.send(GetStatus).await.ok()?, models }) })
        });
        let asked = join_all(asked);
        Box::pin(async { asked.await.into_iter().flatten().collect() })
    }
}

impl Handler<GetTokenReports> for SupervisorActor {
    type Result = ResponseFuture<Vec<TokenReport>>;

    fn handle(&mut self, _: GetTokenReports, _: &mut Self::Context) -> Self::Result {
        let asked =
            join_all(self.addresses().into_iter().map(|upstream| async move { upstream.send(GetTokens).await }));
        Box::pin(async { asked.await.into_iter().flatten().collect() })
    }
}

impl Handler<ResetTokenStats> for SupervisorActor {
    type Result = ResponseFuture<Result<(), UnknownApi>>;

    fn handle(&mut self, ResetTokenStats(which): ResetTokenStats, _: &mut Self::Context) -> Self::Result {
        let told = match which {
            None => self.addresses(),
            Some(id) => match self.upstreams.get(&id) {
                Some(upstream) => vec![upstream.clone()],
                None => return Box::pin(async { Err(UnknownApi(id)) }),
            },
        };
        Box::pin(async {
            join_all(told.into_iter().map(|upstream| async move { upstream.send(ResetTokens).await })).await;
            Ok(())
        })
    }
}
