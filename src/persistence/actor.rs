//! The single writer of the store.
//!
//! Messages queue up while a commit runs on a blocking thread; then all that has queued goes into one commit, so that
//! any number of waiting requests costs one flush to the disk (group commit).

use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::oneshot;

use super::{Change, Flush, Reserve, Restore, Save, Saved, Store, StoreError};
use crate::types::ApiId;

/// Owns the store.
pub struct PersistenceActor {
    store: Arc<dyn Store>,
    queue: Vec<Job>,
    busy: bool,
    /// Was the last commit an error? So that a full disk is told once and not for each request.
    failing: bool,
}

/// A message that waits for its turn.
struct Job {
    changes: Vec<Change>,
    reply: Reply,
}

enum Reply {
    Nobody,
    Done(oneshot::Sender<Result<(), StoreError>>),
    Loaded(ApiId, oneshot::Sender<Saved>),
}

impl PersistenceActor {
    /// Takes the store over.
    pub fn new(store: Arc<dyn Store>) -> Self {
        PersistenceActor { store, queue: Vec::new(), busy: false, failing: false }
    }

    fn enqueue(&mut self, job: Job, ctx: &mut Context<Self>) {
        self.queue.push(job);
        self.work(ctx);
    }

    fn work(&mut self, ctx: &mut Context<Self>) {
        if self.busy || self.queue.is_empty() {
            return;
        }
        self.busy = true;
        let (store, jobs) = (self.store.clone(), std::mem::take(&mut self.queue));
        let work = tokio::task::spawn_blocking(move || run(&*store, jobs));
        work.into_actor(self)
            .map(|committed, actor, ctx| {
                actor.busy = false;
                actor.report(committed.unwrap_or_else(|e| Err(StoreError::new("the store's thread ended", e))));
                actor.work(ctx);
            })
            .spawn(ctx);
    }

    fn report(&mut self, committed: Result<(), StoreError>) {
        match committed {
            Ok(()) if self.failing => log::info!("persistence: the store can be written again"),
            Err(ref e) if !self.failing => {
                log::error!("persistence: {e}; APIs with limits will be refused until it can be written again");
            }
            Ok(()) | Err(_) => {}
        }
        self.failing = committed.is_err();
    }
}

/// Commits the changes of all `jobs` at once, then answers each of them in turn.
fn run(store: &dyn Store, jobs: Vec<Job>) -> Result<(), StoreError> {
    let (changes, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.changes, job.reply)).unzip();
    let changes: Vec<Change> = changes.into_iter().flatten().collect();
    let committed = if changes.is_empty() { Ok(()) } else { store.commit(&changes) };
    for reply in replies {
        // Whoever asked may have gone: a reply without a reader is no error.
        match reply {
            Reply::Nobody => {}
            Reply::Done(tell) => drop(tell.send(committed.clone())),
            Reply::Loaded(api, tell) => drop(tell.send(store.load(&api))),
        }
    }
    committed
}

async fn answer(told: oneshot::Receiver<Result<(), StoreError>>) -> Result<(), StoreError> {
    told.await.unwrap_or_else(|_| Err(StoreError::new("the store did not answer", "its thread ended")))
}

impl Actor for PersistenceActor {
    type Context = Context<Self>;
}

impl Handler<Restore> for PersistenceActor {
    type Result = ResponseFuture<Saved>;

    fn handle(&mut self, Restore(api): Restore, ctx: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.enqueue(Job { changes: Vec::new(), reply: Reply::Loaded(api, tell) }, ctx);
        // A store that breaks while it is read keeps nothing that can be relied on.
        Box::pin(async { told.await.unwrap_or_else(|_| Saved { lost: true, ..Saved::default() }) })
    }
}

impl Handler<Reserve> for PersistenceActor {
    type Result = ResponseFuture<Result<(), StoreError>>;

    fn handle(&mut self, Reserve(api, record): Reserve, ctx: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.enqueue(Job { changes: vec![Change::Quota(api, record)], reply: Reply::Done(tell) }, ctx);
        Box::pin(answer(told))
    }
}

impl Handler<Save> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, Save { api, quota, tokens }: Save, ctx: &mut Self::Context) {
        let tokens = tokens.into_iter().map(|change| Change::Tokens(api.clone(), change));
        let changes = std::iter::once(Change::Quota(api.clone(), quota)).chain(tokens).collect();
        self.enqueue(Job { changes, reply: Reply::Nobody }, ctx);
    }
}

impl Handler<Flush> for PersistenceActor {
    type Result = ResponseFuture<Result<(), StoreError>>;

    fn handle(&mut self, _: Flush, ctx: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.enqueue(Job { changes: Vec::new(), reply: Reply::Done(tell) }, ctx);
        Box::pin(answer(told))
    }
}
