//! The end of the server, as its requests see it.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::{Notify, watch};

/// How far the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShutdownPhase {
    /// Not in sight.
    Serving,
    /// Wished for: who asks for the health is told to send nobody here any more. All are served as ever.
    Stopping,
    /// There: what still runs is to end now.
    Over,
}

/// Tells the workers how far the end is.
#[derive(Debug)]
pub struct ShutdownHandle(watch::Sender<ShutdownPhase>);

/// What a worker is told. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ShutdownSignal(watch::Receiver<ShutdownPhase>);

impl Default for ShutdownHandle {
    fn default() -> Self {
        ShutdownHandle(watch::Sender::new(ShutdownPhase::Serving))
    }
}

impl ShutdownHandle {
    /// It is as far as this.
    pub fn reached(&self, phase: ShutdownPhase) {
        self.0.send_replace(phase);
    }

    /// For a worker.
    pub fn watch(&self) -> ShutdownSignal {
        ShutdownSignal(self.0.subscribe())
    }
}

/// The same on a worker's thread, where every request waits for it: what all threads share would cost each of them more.
#[derive(Debug, Clone)]
pub(super) struct LocalShutdown(Rc<Here>);

#[derive(Debug)]
struct Here {
    ending: ShutdownSignal,
    over: Cell<bool>,
    told: Notify,
}

impl LocalShutdown {
    /// To be called on the worker's thread.
    pub(super) fn follow(ending: ShutdownSignal) -> Self {
        let mut phase = ending.0.clone();
        let here = Rc::new(Here { ending, over: Cell::new(false), told: Notify::new() });
        let tells = here.clone();
        actix_web::rt::spawn(async move {
            // The one who tells is gone only with the process.
            if phase.wait_for(|phase| *phase == ShutdownPhase::Over).await.is_ok() {
                tells.over.set(true);
                tells.told.notify_waiters();
            }
        });
        LocalShutdown(here)
    }

    /// Does the server wish to stop?
    pub(super) fn has_begun(&self) -> bool {
        *self.0.ending.0.borrow() >= ShutdownPhase::Stopping
    }

    /// Returns whether the server cuts off what still runs.
    pub(super) fn is_over(&self) -> bool {
        *self.0.ending.0.borrow() == ShutdownPhase::Over
    }

    /// Resolves when what runs is to end.
    pub(super) async fn over(self) {
        // Made before the look, so that nothing is missed between the two.
        let told = self.0.told.notified();
        if !self.0.over.get() {
            told.await;
        }
    }
}
