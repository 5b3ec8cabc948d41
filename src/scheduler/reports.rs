//! Questions about the pool: models, the state of upstreams, token statistics.

use actix::prelude::*;
use futures_util::future::join_all;

use super::messages::{ApiReport, GetModels, GetReports, GetTokenReports, GetWaiting, ResetTokenStats, UnknownApi};
use super::model_names::names;
use super::supervisor::SupervisorActor;
use crate::mailbox::LaterReply;
use crate::persistence::{GetStores, StoreReport};
use crate::types::{ApiId, WireFormat};
use crate::upstream::{GetStatus, GetTokens, ResetTokens, TokenReport};

impl Handler<GetStores> for SupervisorActor {
    type Result = LaterReply<Vec<StoreReport>>;

    fn handle(&mut self, _: GetStores, _: &mut Self::Context) -> Self::Result {
        let asked = self.persistence().send(GetStores);
        LaterReply::of(async { asked.await.unwrap_or_default() })
    }
}

impl Handler<GetWaiting> for SupervisorActor {
    type Result = usize;

    fn handle(&mut self, _: GetWaiting, _: &mut Self::Context) -> usize {
        self.waiting()
    }
}

impl Handler<GetModels> for SupervisorActor {
    type Result = MessageResult<GetModels>;

    fn handle(&mut self, GetModels { format: asked, apis }: GetModels, _: &mut Self::Context) -> Self::Result {
        let is_offered = |format: &WireFormat| self.apis.iter().any(|api| api.enabled && api.offers(*format));
        let format = std::iter::once(asked).chain(asked.others()).find(is_offered).unwrap_or(asked);
        MessageResult(self.snapshot.routes.names(format, &self.snapshot.closed_to(apis.as_ref())))
    }
}

impl Handler<GetReports> for SupervisorActor {
    type Result = LaterReply<Vec<ApiReport>>;

    fn handle(&mut self, _: GetReports, _: &mut Self::Context) -> Self::Result {
        let reports = self.apis.iter().filter_map(|api| {
            let upstream = self.upstreams.get(&api.ledger)?.clone();
            let models = names(api, &self.found);
            let models_at = self.models_at(api);
            Some(async move { Some(ApiReport { status: upstream.send(GetStatus).await.ok()?, models, models_at }) })
        });
        let reports = join_all(reports);
        LaterReply::of(async { reports.await.into_iter().flatten().collect() })
    }
}

impl Handler<GetTokenReports> for SupervisorActor {
    type Result = LaterReply<Vec<TokenReport>>;

    fn handle(&mut self, _: GetTokenReports, _: &mut Self::Context) -> Self::Result {
        let reports = self.upstreams.iter().map(|(ledger, upstream)| {
            let is_present = self.apis.iter().any(|api| api.ledger == *ledger);
            // A present entry may have the id of a former one.
            let former = (!is_present).then(|| ApiId::from(format!("{ledger} (former)").as_str()));
            let report = upstream.send(GetTokens);
            async move { Some((report.await.ok()?, former)) }
        });
        let reports = join_all(reports);
        let present: Vec<ApiId> = self.apis.iter().map(|api| api.id.clone()).collect();
        LaterReply::of(async move {
            let named = reports.await.into_iter().flatten().map(|(report, former)| match former {
                Some(api) if present.contains(&report.api) => TokenReport { api, ..report },
                Some(_) | None => report,
            });
            named.collect()
        })
    }
}

impl Handler<ResetTokenStats> for SupervisorActor {
    type Result = LaterReply<Result<(), UnknownApi>>;

    fn handle(&mut self, ResetTokenStats(which): ResetTokenStats, _: &mut Self::Context) -> Self::Result {
        let upstreams = match which {
            None => self.addresses(),
            Some(id) => match self.upstream(&id).or_else(|| self.upstreams.get(self.ledgers.last_of(&id)?)) {
                Some(upstream) => vec![upstream.clone()],
                None => return LaterReply::of(async { Err(UnknownApi(id)) }),
            },
        };
        LaterReply::of(async {
            join_all(upstreams.into_iter().map(|upstream| async move { upstream.send(ResetTokens).await })).await;
            Ok(())
        })
    }
}
