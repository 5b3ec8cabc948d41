//! Homes of objects, saved and shared: the part of the [`PersistenceActor`] about homes.

use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::batch_worker::BatchWorker;
use super::store_health::StoreHealth;
use super::{Change, FindSharedHomes, PersistenceActor, SaveHomes, ShareHomes, SharedHomes, StoreError};
use crate::alerts::AlertSender;
use crate::mailbox::LaterReply;
use crate::types::{LedgerId, ObjectKey};

/// The queue to the store that several servers share. A question stands behind all that was told before.
pub(super) struct HomesWorker(BatchWorker<HomesJob>);

enum HomesJob {
    Keep(Vec<(ObjectKey, LedgerId)>),
    Find(Vec<ObjectKey>, oneshot::Sender<Vec<(ObjectKey, LedgerId)>>),
}

impl HomesWorker {
    /// Starts the worker on the current thread.
    pub(super) fn start(store: Arc<dyn SharedHomes>) -> HomesWorker {
        let consequence = "homes of other servers' objects will be found by asking the APIs";
        HomesWorker(BatchWorker::start(StoreHealth::new(consequence, AlertSender::default()), move |jobs| {
            run(&*store, jobs)
        }))
    }
}

/// Runs jobs in order, with one round trip for all neighbours that keep something.
fn run(store: &dyn SharedHomes, jobs: Vec<HomesJob>) -> Result<(), StoreError> {
    let mut ended = Ok(());
    let mut gathered: Vec<(ObjectKey, LedgerId)> = Vec::new();
    for job in jobs {
        match job {
            HomesJob::Keep(homes) => gathered.extend(homes),
            HomesJob::Find(objects, reply) => {
                ended = ended.and(keep(store, &mut gathered));
                let found = store.find(&objects);
                // A request without a client reads no reply.
                let _ = reply.send(found.as_ref().ok().cloned().unwrap_or_default());
                ended = ended.and(found.map(drop));
            }
        }
    }
    ended.and(keep(store, &mut gathered))
}

fn keep(store: &dyn SharedHomes, gathered: &mut Vec<(ObjectKey, LedgerId)>) -> Result<(), StoreError> {
    let homes = std::mem::take(gathered);
    if homes.is_empty() { Ok(()) } else { store.keep(&homes) }
}

impl Handler<SaveHomes> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, SaveHomes { records, forget_before }: SaveHomes, ctx: &mut Self::Context) {
        let saved = records.into_iter().map(|(number, record)| Change::Homes(number, record));
        self.save_soon(saved.chain([Change::ForgetHomes(forget_before)]), ctx);
    }
}

impl Handler<ShareHomes> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, ShareHomes { objects, home }: ShareHomes, _: &mut Self::Context) {
        if let Some(HomesWorker(worker)) = &self.homes {
            worker.put(HomesJob::Keep(objects.into_iter().map(|object| (object, home.clone())).collect()));
        }
    }
}

impl Handler<FindSharedHomes> for PersistenceActor {
    type Result = LaterReply<Vec<(ObjectKey, LedgerId)>>;

    fn handle(&mut self, FindSharedHomes(objects): FindSharedHomes, _: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        if let Some(HomesWorker(worker)) = &self.homes {
            worker.put(HomesJob::Find(objects, sender));
        }
        LaterReply::of(async { receiver.await.unwrap_or_default() })
    }
}
