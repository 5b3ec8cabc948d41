//! `GET /metrics`: all numbers in Prometheus' text format.
//!
//! 1. Every number is asked of its owner by a message, with one deadline for all. Who does not answer in time is left out.
//! 2. The page is written on a thread for blocking work: no request waits for a large page.

mod limits;
mod page;

use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::prelude::*;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::{join, join3};
use tokio::time::timeout;

use super::auth::worker;
use crate::config::GetConfig;
use crate::error::ApiError;
use crate::mailbox::blocking;
use crate::metrics::Exposition;
use crate::records::GetRequestCells;
use crate::scheduler::{GetReports, GetStores, GetWaiting};
use crate::types::Now;
use page::Scrape;

/// How long an actor may take to answer. Prometheus waits ten seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

pub(super) async fn metrics(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let worker = worker(&request)?;
    let core = join(ask(&worker.config_actor, GetConfig), ask(&worker.recorder_actor, GetRequestCells));
    let supervisor = &worker.supervisor;
    let pool = join3(ask(supervisor, GetReports), ask(supervisor, GetWaiting), ask(supervisor, GetStores));
    let ((config, cells), (reports, waiting, stores), keys) = join3(core, pool, worker.keys.status(None)).await;
    let budget = worker.pool.budget.report(worker.config().retry.budget, Now::read_mono());
    let scrape = Scrape { config, reports, keys, waiting, stores, cells, budget, load: worker.concurrency.report() };
    let page = blocking(move || scrape.page()).await.map_err(|_| ApiError::Stopping)?;
    Ok(HttpResponse::Ok().content_type(Exposition::CONTENT_TYPE).body(page))
}

/// Returns an actor's answer, if one comes in time.
async fn ask<A, M>(actor: &Addr<A>, message: M) -> Option<M::Result>
where
    M: Message<Result: Send> + Send + 'static,
    A: Actor<Context: ToEnvelope<A, M>> + Handler<M>,
{
    timeout(ANSWER_WITHIN, actor.send(message)).await.ok()?.ok()
}
