//! The single writer of the store.
//!
//! 1. Changes during a commit go into the next one. Any number of waiting requests costs one flush (group commit).
//! 2. Without anybody waiting, commits are 100 ms apart. Units that are asked for ahead wait for such a commit.
//! 3. The mailbox takes any number of messages ([`ActorKind::Persistence`]): messages in front of a full one would lose their order.
//! 4. A shared store has its own worker, and waits for no disk.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use quota::{Grant, QuotaRecord, Units};
use tokio::sync::oneshot;

use super::batch_worker::{BatchWorker, reply};
use super::homes_worker::HomesWorker;
use super::shared_worker::SharedWorker;
use super::store_health::StoreHealth;
use super::usage::UsageWorker;
use super::{
    Ask, Change, Flush, GrantResult, Reserve, Restore, RestoreLedgers, RestoreTokens, Save, SaveLedgers, Saved,
    SharedBackend, SharedHomes, SharedUsage, Store, StoreError,
};
use crate::alerts::AlertSender;
use crate::mailbox::{ActorKind, Context, LaterReply, LivesInMailbox};
use crate::types::{LedgerId, LedgerRecord, QuotaId, TokenStats, Uptime};

/// The pause between two commits without anybody waiting. Each commit wakes every thread of the store.
const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// Owns the store.
pub struct PersistenceActor {
    records: BatchWorker<Job>,
    /// Changes for the next commit: with the next job, or after the pause.
    unsaved: Vec<Change>,
    /// Who is told of that commit.
    ahead: Vec<JobReply>,
    /// Whether the pause after a commit lasts.
    pausing: bool,
    /// Grants units if quotas are shared. Otherwise a record on disk is the grant.
    pub(super) shared: Option<SharedWorker>,
    /// Tells other servers of homes, and asks them.
    pub(super) homes: Option<HomesWorker>,
    /// Tells other servers of usage.
    pub(super) usage: Option<UsageWorker>,
    /// For those who read usage.
    pub(super) store: Arc<dyn Store>,
}

/// Changes to commit, and the replies.
struct Job {
    changes: Vec<Change>,
    replies: Vec<JobReply>,
}

enum JobReply {
    Done(oneshot::Sender<Result<(), StoreError>>),
    Granted(Units, oneshot::Sender<GrantResult>),
    Quota(QuotaId, oneshot::Sender<Saved>),
    Tokens(LedgerId, oneshot::Sender<TokenStats>),
    Ledgers(oneshot::Sender<Vec<(LedgerId, LedgerRecord)>>),
}

impl PersistenceActor {
    /// Creates the actor of these stores, with tasks on the current thread.
    pub fn new(store: Arc<dyn Store>, shared: Option<Arc<dyn SharedBackend>>) -> Self {
        PersistenceActor::alerting(store, shared, AlertSender::default())
    }

    /// Creates the same actor. People are told of a store that fails.
    pub fn alerting(store: Arc<dyn Store>, shared: Option<Arc<dyn SharedBackend>>, alerts: AlertSender) -> Self {
        let consequence = "APIs with limits will be refused until it can be written again";
        let written = store.clone();
        let health = StoreHealth::new(consequence, alerts.clone());
        let records = BatchWorker::start(health, move |jobs| commit(&*written, jobs));
        let shared = shared.map(|shared| SharedWorker::start(shared, alerts));
        let (unsaved, ahead) = (Vec::new(), Vec::new());
        PersistenceActor { records, unsaved, ahead, pausing: false, shared, homes: None, usage: None, store }
    }

    /// Shares homes with other servers by this store.
    #[must_use]
    pub fn sharing_homes(mut self, homes: Option<Arc<dyn SharedHomes>>) -> Self {
        self.homes = homes.map(HomesWorker::start);
        self
    }

    /// Returns how the store on disk is.
    pub(super) fn records_health(&self) -> &StoreHealth {
        self.records.health()
    }

    /// Shares usage with other servers by this store.
    #[must_use]
    pub fn sharing_usage(mut self, usage: Option<Arc<dyn SharedUsage>>) -> Self {
        self.usage = usage.map(|shared| UsageWorker::start(shared, self.store.clone()));
        self
    }

    /// Queues a job behind all unsaved changes: of one quota, the last record has to win.
    fn put(&mut self, changes: Vec<Change>, reply: Option<JobReply>) {
        let mut all = std::mem::take(&mut self.unsaved);
        all.extend(changes);
        let mut replies = std::mem::take(&mut self.ahead);
        replies.extend(reply);
        self.records.put(Job { changes: all, replies });
    }

    /// Saves a record with the next commit, instead of an earlier one of the same quota.
    fn note_quota(&mut self, id: QuotaId, record: QuotaRecord) {
        self.unsaved.retain(|older| !matches!(older, Change::Quota(of, _) if *of == id));
        self.unsaved.push(Change::Quota(id, record));
    }

    /// Commits all so far, then replies.
    pub(super) fn flush(&mut self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (sender, receiver) = oneshot::channel();
        self.put(Vec::new(), Some(JobReply::Done(sender)));
        receiver
    }

    /// Saves these changes with the next commit.
    pub(super) fn save_soon(&mut self, changes: impl IntoIterator<Item = Change>, ctx: &mut Context<Self>) {
        self.unsaved.extend(changes);
        if !self.pausing {
            self.save(ctx);
        }
    }

    /// Commits the unsaved changes, and after a pause all later ones.
    fn save(&mut self, ctx: &mut Context<Self>) {
        self.pausing = !self.unsaved.is_empty();
        if self.pausing {
            self.put(Vec::new(), None);
            ctx.run_later(COMMIT_INTERVAL, |actor, ctx| actor.save(ctx));
        }
    }
}

/// Commits the changes of all `jobs` at once, then answers one after the other.
fn commit(store: &dyn Store, jobs: Vec<Job>) -> Result<(), StoreError> {
    let (changes, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.changes, job.replies)).unzip();
    let mut changes: Vec<Change> = changes.into_iter().flatten().collect();
    let committed = if changes.is_empty() {
        Ok(())
    } else {
        mark(&mut changes);
        store.commit(&changes)
    };
    for reply in replies.into_iter().flatten() {
        // A missing receiver is no error.
        match reply {
            JobReply::Done(reply) => drop(reply.send(committed.clone())),
            JobReply::Granted(units, reply) => {
                drop(reply.send(committed.clone().map(|()| Grant { units, shared: None })));
            }
            JobReply::Quota(id, reply) => drop(reply.send(store.quota(&id))),
            JobReply::Tokens(ledger, reply) => drop(reply.send(store.tokens(&ledger))),
            JobReply::Ledgers(reply) => drop(reply.send(store.ledgers())),
        }
    }
    committed
}

/// Marks records with the machine's uptime. Records are a moment old: counts will seem a moment later, never earlier.
fn mark(changes: &mut [Change]) {
    let uptime = Uptime::read();
    for change in changes {
        match change {
            Change::Quota(_, record) => *record = std::mem::take(record).marked(uptime.clone()),
            Change::Tokens(..) | Change::Ledger(..) | Change::Homes(..) | Change::ForgetHomes(_) | Change::Usage(_) => {
            }
        }
    }
}

impl LivesInMailbox for PersistenceActor {
    const KIND: ActorKind = ActorKind::Persistence;
}

impl Actor for PersistenceActor {
    type Context = Context<Self>;
}

impl Handler<Restore> for PersistenceActor {
    type Result = LaterReply<Saved>;

    fn handle(&mut self, Restore(id): Restore, _: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        self.put(Vec::new(), Some(JobReply::Quota(id, sender)));
        // A store without an answer holds nothing reliable.
        LaterReply::of(async { receiver.await.unwrap_or(Saved { record: None, lost: true }) })
    }
}

impl Handler<RestoreTokens> for PersistenceActor {
    type Result = LaterReply<TokenStats>;

    fn handle(&mut self, RestoreTokens(ledger): RestoreTokens, _: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        self.put(Vec::new(), Some(JobReply::Tokens(ledger, sender)));
        LaterReply::of(async { receiver.await.unwrap_or_default() })
    }
}

impl Handler<RestoreLedgers> for PersistenceActor {
    type Result = LaterReply<Vec<(LedgerId, LedgerRecord)>>;

    fn handle(&mut self, _: RestoreLedgers, _: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        self.put(Vec::new(), Some(JobReply::Ledgers(sender)));
        LaterReply::of(async { receiver.await.unwrap_or_default() })
    }
}

impl Handler<SaveLedgers> for PersistenceActor {
    type Result = ();

    /// Counts of a later message must not be durable before.
    fn handle(&mut self, SaveLedgers(records): SaveLedgers, _: &mut Self::Context) {
        self.put(records.into_iter().map(|(ledger, record)| Change::Ledger(ledger, record)).collect(), None);
    }
}

impl Handler<Reserve> for PersistenceActor {
    type Result = LaterReply<GrantResult>;

    /// Units for a waiting attempt are committed at once. Units ahead wait for the next commit.
    fn handle(&mut self, Reserve(ask): Reserve, ctx: &mut Self::Context) -> Self::Result {
        let (sender, receiver) = oneshot::channel();
        match &self.shared {
            Some(shared) => shared.grant(*ask, sender),
            None => {
                let Ask { id, request, .. } = *ask;
                let (may_wait, reply) = (request.may_wait, JobReply::Granted(request.wanted, sender));
                self.note_quota(id, request.record);
                if may_wait {
                    self.ahead.push(reply);
                    self.save_soon([], ctx);
                } else {
                    self.put(Vec::new(), Some(reply));
                }
            }
        }
        LaterReply::of(reply(receiver))
    }
}

impl Handler<Save> for PersistenceActor {
    type Result = ();

    fn handle(&mut self, Save { quotas, tokens }: Save, ctx: &mut Self::Context) {
        quotas.into_iter().for_each(|(id, record)| self.note_quota(id, record));
        self.save_soon(tokens.into_iter().map(|(ledger, change)| Change::Tokens(ledger, change)), ctx);
    }
}

impl Handler<Flush> for PersistenceActor {
    type Result = LaterReply<Result<(), StoreError>>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        LaterReply::of(reply(self.flush()))
    }
}
