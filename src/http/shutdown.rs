//! The server's shutdown, as requests see it.

use crate::mailbox::spawn;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use tokio::sync::{Notify, watch};

/// How far the shutdown is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShutdownPhase {
    /// No shutdown is in sight.
    Serving,
    /// Shutdown was requested: `/health` answers 503 so that load balancers stop sending traffic. Requests are still served.
    Stopping,
    /// No more connections are taken. What runs may end in its time.
    Draining,
    /// What still runs ends now.
    Over,
}

/// Says to the workers how far the shutdown is.
#[derive(Debug)]
pub struct ShutdownHandle(watch::Sender<ShutdownPhase>);

/// What a worker follows. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ShutdownSignal(watch::Receiver<ShutdownPhase>);

impl Default for ShutdownHandle {
    fn default() -> Self {
        ShutdownHandle(watch::Sender::new(ShutdownPhase::Serving))
    }
}

impl ShutdownHandle {
    /// Enters a phase.
    pub fn reached(&self, phase: ShutdownPhase) {
        self.0.send_replace(phase);
    }

    /// Returns a signal for a worker.
    pub fn watch(&self) -> ShutdownSignal {
        ShutdownSignal(self.0.subscribe())
    }
}

/// The same signal on a worker's thread, where every request waits for the end: a signal shared by all threads would cost
/// each thread more.
#[derive(Debug, Clone)]
pub(super) struct LocalShutdown(Rc<ShutdownState>);

#[derive(Debug)]
struct ShutdownState {
    signal: ShutdownSignal,
    over: Cell<bool>,
    is_over: Notify,
}

impl LocalShutdown {
    /// Follows the signal, from the worker's thread.
    pub(super) fn follow(signal: ShutdownSignal) -> Self {
        let mut phase = signal.0.clone();
        let state = Rc::new(ShutdownState { signal, over: Cell::new(false), is_over: Notify::new() });
        let followed = state.clone();
        spawn(async move {
            // The sender is gone only with the process.
            if phase.wait_for(|phase| *phase == ShutdownPhase::Over).await.is_ok() {
                followed.over.set(true);
                followed.is_over.notify_waiters();
            }
        });
        LocalShutdown(state)
    }

    /// Returns whether no more connections are taken.
    pub(super) fn is_draining(&self) -> bool {
        *self.0.signal.0.borrow() >= ShutdownPhase::Draining
    }

    pub(super) fn has_begun(&self) -> bool {
        *self.0.signal.0.borrow() >= ShutdownPhase::Stopping
    }

    /// Resolves when no more connections are taken.
    pub(super) async fn draining(self) {
        let mut phase = self.0.signal.0.clone();
        // The sender is gone only with the process.
        if phase.wait_for(|phase| *phase >= ShutdownPhase::Draining).await.is_err() {
            std::future::pending().await
        }
    }

    /// Returns whether what runs is to end now.
    pub(super) fn is_over(&self) -> bool {
        self.0.over.get()
    }

    /// Resolves when what runs is to end.
    pub(super) async fn over(self) {
        // Made before the look, so nothing is missed between the two.
        let is_over = self.0.is_over.notified();
        if !self.is_over() {
            is_over.await;
        }
    }
}

/// Watches for the end of the shutdown beside other work of the same task, at the cost of a look each time.
pub(super) struct ShutdownWatch {
    shutdown: LocalShutdown,
    /// Begun when the task waits for the first time.
    over: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// Of the task to wake.
    waker: Option<Waker>,
}

impl ShutdownWatch {
    pub(super) fn new(shutdown: LocalShutdown) -> Self {
        ShutdownWatch { shutdown, over: None, waker: None }
    }

    /// Returns whether what runs is to end now.
    pub(super) fn is_over(&self) -> bool {
        self.shutdown.is_over()
    }

    /// Lets the task be woken at the end. To be called before each wait; only the first call of a task costs more than a look.
    pub(super) fn wake_when_over(&mut self, cx: &mut Context<'_>) {
        if self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return;
        }
        self.waker = Some(cx.waker().clone());
        let over = self.over.get_or_insert_with(|| Box::pin(self.shutdown.clone().over()));
        if over.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }
}
