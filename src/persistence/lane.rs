//! A lane of jobs for a store whose calls block: all that came while a batch runs goes into the next one.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::StoreError;

/// Runs one batch of jobs, on a thread for what blocks.
type Run<J> = Arc<dyn Fn(Vec<J>) -> Result<(), StoreError> + Send + Sync>;

/// Where jobs are put.
pub(super) struct Lane<J>(UnboundedSender<J>);

impl<J: Send + 'static> Lane<J> {
    /// Starts a lane on the current thread. `otherwise` says in the log what becomes of requests while the store fails.
    pub(super) fn start(
        otherwise: &'static str,
        run: impl Fn(Vec<J>) -> Result<(), StoreError> + Send + Sync + 'static,
    ) -> Self {
        let (put, jobs) = unbounded_channel();
        actix::spawn(work(jobs, otherwise, Arc::new(run)));
        Lane(put)
    }

    /// Puts a job at the end.
    pub(super) fn put(&self, job: J) {
        // The lane works as long as there is somebody to put jobs into it.
        let _ = self.0.send(job);
    }
}

async fn work<J: Send + 'static>(mut jobs: UnboundedReceiver<J>, otherwise: &'static str, run: Run<J>) {
    // Was the last batch an error? So that a full disk is told once and not for each request.
    let mut failing = false;
    while let Some(first) = jobs.recv().await {
        let mut batch = vec![first];
        while let Ok(next) = jobs.try_recv() {
            batch.push(next);
        }
        let run = run.clone();
        let ended = tokio::task::spawn_blocking(move || run(batch)).await;
        let ended = ended.unwrap_or_else(|e| Err(StoreError::new("the store's thread ended", e)));
        match &ended {
            Ok(()) if failing => log::info!("persistence: the store works again"),
            Err(e) if !failing => log::error!("persistence: {e}; {otherwise}"),
            Ok(()) | Err(_) => {}
        }
        failing = ended.is_err();
    }
}
