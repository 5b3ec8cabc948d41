//! The single writer of the store.
//!
//! What is sent while a commit runs goes into the next one, so that any number of waiting requests costs one flush to the
//! disk (group commit). What is asked of a shared store has a lane of its own: it waits for no disk.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use quota::{Grant, Units};
use tokio::sync::oneshot;

use super::lane::Lane;
use super::{Ask, Change, Flush, Lender, Lent, Reserve, Restore, RestoreTokens, Save, Saved, Store, StoreError};
use crate::types::{ApiId, QuotaId, TokenStats, Uptime};

/// Between two commits that nobody waits for. A commit wakes every thread of the store: a load is to cost it twenty a second.
const GATHER: Duration = Duration::from_millis(50);

/// Owns the store.
pub struct PersistenceActor {
    records: Lane<Job>,
    /// To be committed with the next job, or when the pause is over.
    unsaved: Vec<Change>,
    /// A commit was made a moment ago.
    pausing: bool,
    /// Grants units where quotas are shared; else the records do, by being on disk.
    loans: Option<Lane<Loan>>,
}

/// A message that waits for its turn.
struct Job {
    changes: Vec<Change>,
    reply: Reply,
}

enum Reply {
    Nobody,
    Done(oneshot::Sender<Result<(), StoreError>>),
    Granted(Units, oneshot::Sender<Lent>),
    Quota(QuotaId, oneshot::Sender<Saved>),
    Tokens(ApiId, oneshot::Sender<TokenStats>),
}

/// An ask that waits for its turn.
struct Loan {
    ask: Ask,
    tell: oneshot::Sender<Lent>,
}

impl PersistenceActor {
    /// Takes the stores over, on the current thread.
    pub fn new(store: Arc<dyn Store>, lender: Option<Arc<dyn Lender>>) -> Self {
        let otherwise = "APIs with limits will be refused until it can be written again";
        let records = Lane::start(otherwise, move |jobs| commit(&*store, jobs));
        let otherwise = "once what is lent is used up, APIs with limits will be refused until it answers again";
        let loans = lender.map(|lender| Lane::start(otherwise, move |loans| lend(&*lender, loans)));
        PersistenceActor { records, unsaved: Vec::new(), pausing: false, loans }
    }

    /// Puts a job, and before it whatever is unsaved: of one quota, what was said last is to stand.
    fn put(&mut self, changes: Vec<Change>, reply: Reply) {
        let mut all = std::mem::take(&mut self.unsaved);
        all.extend(changes);
        self.records.put(Job { changes: all, reply });
    }

    /// Commits what is unsaved, and what comes in the pause that follows after it.
    fn save(&mut self, ctx: &mut Context<Self>) {
        self.pausing = !self.unsaved.is_empty();
        if self.pausing {
            self.put(Vec::new(), Reply::Nobody);
            ctx.run_later(GATHER, |actor, ctx| actor.save(ctx));
        }
    }
}

/// Commits the changes of all `jobs` at once, then answers each of them in turn.
fn commit(store: &dyn Store, jobs: Vec<Job>) -> Result<(), StoreError> {
    let (changes, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.changes, job.reply)).unzip();
    let mut changes: Vec<Change> = changes.into_iter().flatten().collect();
    let committed = if changes.is_empty() {
        Ok(())
    } else {
        mark(&mut changes);
        store.commit(&changes)
    };
    for reply in replies {
        // Whoever asked may have gone: a reply without a reader is no error.
        match reply {
            Reply::Nobody => {}
            Reply::Done(tell) => drop(tell.send(committed.clone())),
            Reply::Granted(units, tell) => {
                drop(tell.send(committed.clone().map(|()| Grant { units, shared: None })));
            }
            Reply::Quota(id, tell) => drop(tell.send(store.quota(&id))),
            Reply::Tokens(api, tell) => drop(tell.send(store.tokens(&api))),
        }
    }
    committed
}

/// Marks records with the machine's uptime. They are a moment old: what they hold will seem later by that, and not earlier.
fn mark(changes: &mut [Change]) {
    let records = changes.iter_mut().filter_map(|change| match change {
        Change::Quota(_, record) => Some(record),
        Change::Tokens(..) => None,
    });
    let uptime = Uptime::read();
    records.for_each(|record| *record = std::mem::take(record).marked(uptime.clone()));
}

/// Asks the shared store for all of them at once.
fn lend(lender: &dyn Lender, loans: Vec<Loan>) -> Result<(), StoreError> {
    let (asks, tells): (Vec<_>, Vec<_>) = loans.into_iter().map(|loan| (loan.ask, loan.tell)).unzip();
    let lent = lender.lend(&asks);
    let failed = lent.iter().find_map(|one| one.as_ref().err().cloned());
    tells.into_iter().zip(lent).for_each(|(tell, one)| drop(tell.send(one)));
    failed.map_or(Ok(()), Err)
}

async fn answer<T>(told: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    told.await.unwrap_or_else(|_| Err(StoreError::new("the store did not answer", "its thread ended")))
}

impl Actor for PersistenceActor {
    type Context = Context<Self>;

    /// All messages are taken in the order in which they are sent: those that a full mailbox lets wait are not.
    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(usize::MAX >> 8);
    }
}

impl Handler<Restore> for PersistenceActor {
    type Result = ResponseFuture<Saved>;

    fn handle(&mut self, Restore(id): Restore, _: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.put(Vec::new(), Reply::Quota(id, tell));
        // A store that breaks while it is read keeps nothing that can be relied on.
        Box::pin(async { told.await.unwrap_or(Saved { record: None, lost: true }) })
    }
}

impl Handler<RestoreTokens> for PersistenceActor {
    type Result = ResponseFuture<TokenStats>;

    fn handle(&mut self, RestoreTokens(api): RestoreTokens, _: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.put(Vec::new(), Reply::Tokens(api, tell));
        Box::pin(async { told.await.unwrap_or_default() })
    }
}

impl Handler<Reserve> for PersistenceActor {
    type Result = ResponseFuture<Result<Grant, StoreError>>;

    fn handle(&mut self, Reserve(ask): Reserve, _: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        match &self.loans {
            Some(loans) => loans.put(Loan { ask: *ask, tell }),
            None => {
                let reply = Reply::Granted(ask.wanted, tell);
                self.put(vec![Change::Quota(ask.id, ask.record)], reply);
            }
        }
        Box::pin(answer(told))
    }
}

impl Handler<Save> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, Save { quotas, tokens }: Save, ctx: &mut Self::Context) {
        let tokens = tokens.into_iter().map(|(api, change)| Change::Tokens(api, change));
        let quotas = quotas.into_iter().map(|(id, record)| Change::Quota(id, record));
        for change in quotas.chain(tokens) {
            if let Change::Quota(id, _) = &change {
                self.unsaved.retain(|older| !matches!(older, Change::Quota(of, _) if of == id));
            }
            self.unsaved.push(change);
        }
        if !self.pausing {
            self.save(ctx);
        }
    }
}

impl Handler<Flush> for PersistenceActor {
    type Result = ResponseFuture<Result<(), StoreError>>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        let (tell, told) = oneshot::channel();
        self.put(Vec::new(), Reply::Done(tell));
        Box::pin(answer(told))
    }
}
