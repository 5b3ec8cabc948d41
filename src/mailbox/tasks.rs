//! Work beside the actors: tasks on the same thread, replies that come later, and jobs that block.
//!
//! Each is boxed. The runtime has some 8 KB of code for each type of task, and boxed tasks are of one type. An allocation costs nothing
//! beside what such work does: no plain request starts any.

use std::future::Future;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, Message};
use futures_util::future::LocalBoxFuture;
use thiserror::Error;
use tokio::sync::oneshot;

/// Starts a task on the current thread.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    let task: LocalBoxFuture<'static, ()> = Box::pin(task);
    actix::spawn(task);
}

/// The result of a handler that replies later, while the actor goes on.
pub struct LaterReply<T>(LocalBoxFuture<'static, T>);

impl<T> LaterReply<T> {
    /// Returns the reply that a future resolves to.
    pub fn of(reply: impl Future<Output = T> + 'static) -> LaterReply<T> {
        LaterReply(Box::pin(reply))
    }
}

impl<A, M> MessageResponse<A, M> for LaterReply<M::Result>
where
    A: Actor,
    M: Message,
{
    /// The work is done even where nobody waits for the reply.
    fn handle(self, _: &mut A::Context, sender: Option<OneshotSender<M::Result>>) {
        spawn(async move {
            let reply = self.0.await;
            if let Some(sender) = sender {
                let _ = sender.send(reply);
            }
        });
    }
}

/// A job that blocks has ended without an outcome: by a panic, or as the process stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the job ended without an outcome")]
pub struct JobLost;

/// Starts a job on a thread for what blocks, and returns the outcome.
///
/// # Errors
/// When the job panics, or the process stops.
///
/// # Cancel safety
/// A job goes on when nobody waits for the outcome.
pub fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> impl Future<Output = Result<T, JobLost>> {
    let (sender, outcome) = oneshot::channel();
    let job: Box<dyn FnOnce() + Send> = Box::new(move || {
        let _ = sender.send(job());
    });
    tokio::task::spawn_blocking(job);
    async { outcome.await.map_err(|_| JobLost) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn a_job_has_an_outcome_and_a_job_that_panics_has_none() {
        assert_eq!(blocking(|| 7).await, Ok(7));
        assert_eq!(blocking(|| -> u8 { panic!("a defect of this test's job") }).await, Err(JobLost));
    }
}
