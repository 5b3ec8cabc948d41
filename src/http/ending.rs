//! The end of the server, as its requests see it.

use tokio::sync::watch;

/// How far the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not in sight.
    Serving,
    /// Wished for: who asks for the health is told to send nobody here any more. All are served as ever.
    Stopping,
    /// There: what still runs is to end now.
    Over,
}

/// Tells the workers how far the end is.
#[derive(Debug)]
pub struct End(watch::Sender<Phase>);

/// What a worker is told. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ending(watch::Receiver<Phase>);

impl Default for End {
    fn default() -> Self {
        End(watch::Sender::new(Phase::Serving))
    }
}

impl End {
    /// It is as far as this.
    pub fn reached(&self, phase: Phase) {
        self.0.send_replace(phase);
    }

    /// For a worker.
    pub fn watch(&self) -> Ending {
        Ending(self.0.subscribe())
    }
}

impl Ending {
    /// Does the server wish to stop?
    pub(super) fn has_begun(&self) -> bool {
        *self.0.borrow() >= Phase::Stopping
    }

    /// Resolves when what runs is to end. Never, if the one who tells is gone.
    pub(super) async fn over(mut self) {
        if self.0.wait_for(|phase| *phase == Phase::Over).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
