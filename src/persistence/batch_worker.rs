//! Runs jobs for a store whose calls block: all jobs during one batch go into the next.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::StoreError;
use super::store_health::StoreHealth;
use crate::mailbox::{blocking, spawn};

/// Runs one batch of jobs, on a thread for blocking calls.
type RunBatch<J> = Arc<dyn Fn(Vec<J>) -> Result<(), StoreError> + Send + Sync>;

/// A queue of jobs, and a task to run all of them.
pub(super) struct BatchWorker<J> {
    jobs: UnboundedSender<J>,
    health: Rc<StoreHealth>,
}

impl<J: Send + 'static> BatchWorker<J> {
    /// Starts a worker on the current thread. `health` records failures of the store.
    pub(super) fn start(
        health: StoreHealth,
        run: impl Fn(Vec<J>) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Self {
        let (put, jobs) = unbounded_channel();
        let health = Rc::new(health);
        spawn(work(jobs, Arc::new(run), health.clone()));
        BatchWorker { jobs: put, health }
    }

    /// Puts a job at the end of the queue.
    pub(super) fn put(&self, job: J) {
        // The task lives as long as this sender: the channel is open.
        let _ = self.jobs.send(job);
    }

    /// Returns how the store is.
    pub(super) fn health(&self) -> &StoreHealth {
        &self.health
    }
}

async fn work<J: Send + 'static>(mut jobs: UnboundedReceiver<J>, run: RunBatch<J>, health: Rc<StoreHealth>) {
    while let Some(first) = jobs.recv().await {
        let mut batch = vec![first];
        while let Ok(next) = jobs.try_recv() {
            batch.push(next);
        }
        let run = run.clone();
        health.batch_began();
        let ended = blocking(move || run(batch)).await;
        let ended = ended.unwrap_or_else(|e| Err(StoreError::new("the store's thread ended", e)));
        health.batch_ended(ended.err().as_ref());
    }
}

/// Returns what a worker sends back.
pub(super) async fn reply<T>(received: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
    received.await.unwrap_or_else(|_| Err(StoreError::new("the store did not answer", "its thread ended")))
}
