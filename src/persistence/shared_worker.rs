//! The queue to the store that several servers share: the part of the [`PersistenceActor`] about grants and ledgers.

use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::batch_worker::{BatchWorker, reply};
use super::store_health::StoreHealth;
use super::{Ask, GrantResult, PersistenceActor, ShareLedgers, SharedBackend, StoreError};
use crate::alerts::AlertSender;
use crate::mailbox::LaterReply;
use crate::types::{LedgerId, LedgerRecord};

/// Whose ledgers the servers know.
type LedgersResult = Result<Vec<(LedgerId, LedgerRecord)>, StoreError>;

/// The worker of the shared store.
pub(super) struct SharedWorker(BatchWorker<SharedJob>);

#[expect(clippy::large_enum_variant, reason = "nearly all jobs are grants, and a box would cost each an allocation")]
enum SharedJob {
    Grant(Ask, oneshot::Sender<GrantResult>),
    Ledgers(Vec<(LedgerId, LedgerRecord)>, oneshot::Sender<LedgersResult>),
}

impl SharedWorker {
    /// Starts the worker on the current thread.
    pub(super) fn start(backend: Arc<dyn SharedBackend>, alerts: AlertSender) -> SharedWorker {
        let consequence = "once what is lent is used up, APIs with limits will be refused until it answers again";
        SharedWorker(BatchWorker::start(StoreHealth::new(consequence, alerts), move |jobs| run(&*backend, jobs)))
    }

    /// Returns how the store is.
    pub(super) fn health(&self) -> &StoreHealth {
        self.0.health()
    }

    /// Queues a question for units.
    pub(super) fn grant(&self, ask: Ask, reply: oneshot::Sender<GrantResult>) {
        self.0.put(SharedJob::Grant(ask, reply));
    }
}

/// Runs the jobs about ledgers, then asks for all grants at once.
fn run(backend: &dyn SharedBackend, jobs: Vec<SharedJob>) -> Result<(), StoreError> {
    let mut ended = Ok(());
    let (mut asks, mut replies) = (Vec::new(), Vec::new());
    for job in jobs {
        match job {
            SharedJob::Grant(ask, reply) => {
                asks.push(ask);
                replies.push(reply);
            }
            SharedJob::Ledgers(own, reply) => {
                let known = backend.ledgers(&own);
                ended = ended.and(known.as_ref().map(drop).map_err(Clone::clone));
                // A supervisor that has ended reads no reply.
                drop(reply.send(known));
            }
        }
    }
    if asks.is_empty() {
        return ended;
    }
    let results = backend.grant(&asks);
    let failed = results.iter().find_map(|result| result.as_ref().err().cloned());
    replies.into_iter().zip(results).for_each(|(reply, result)| drop(reply.send(result)));
    ended.and(failed.map_or(Ok(()), Err))
}

impl Handler<ShareLedgers> for PersistenceActor {
    type Result = LaterReply<LedgersResult>;

    fn handle(&mut self, ShareLedgers(own): ShareLedgers, _: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        match &self.shared {
            Some(SharedWorker(worker)) => worker.put(SharedJob::Ledgers(own, sender)),
            None => drop(sender.send(Ok(Vec::new()))),
        }
        LaterReply::of(reply(receiver))
    }
}
