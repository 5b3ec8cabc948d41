//! How much is served at the same time: connections, requests, and the bytes of their bodies. Each share is a guard: the
//! drop gives the share back.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all workers together serve now.
#[derive(Debug, Default)]
pub struct Concurrency {
    connections: AtomicUsize,
    requests: AtomicUsize,
    body_bytes: AtomicUsize,
}

/// The same on a worker's thread, where requests share it by a count of the thread's own.
#[derive(Debug, Clone)]
#[expect(clippy::redundant_allocation, reason = "the outer count is the thread's own, which no other core writes")]
pub(super) struct LocalConcurrency(Rc<Arc<Concurrency>>);

/// How much is served now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadReport {
    /// Open connections.
    pub(crate) connections: usize,
    /// Requests under way.
    pub(crate) requests: usize,
}

/// One of the open connections.
#[derive(Debug)]
pub(super) struct ConnectionSlot(Arc<Concurrency>);

/// One of the requests being served.
#[derive(Debug)]
pub(super) struct RequestSlot(LocalConcurrency);

/// Bytes of one request's body in memory, or soon to be there.
#[derive(Debug)]
pub(super) struct BodyMemory {
    load: LocalConcurrency,
    bytes: usize,
}

impl Concurrency {
    /// Takes one more connection, if there are then at most `most`.
    pub(super) fn connect(self: &Arc<Self>, most: usize) -> Option<ConnectionSlot> {
        take(&self.connections, 1, most).then(|| ConnectionSlot(self.clone()))
    }
}

impl LocalConcurrency {
    /// Takes what all workers share, on a worker's thread.
    pub(super) fn new(load: Arc<Concurrency>) -> LocalConcurrency {
        LocalConcurrency(Rc::new(load))
    }

    /// Takes one more request, if there are then at most `most`.
    pub(super) fn admit(&self, most: usize) -> Option<RequestSlot> {
        take(&self.0.requests, 1, most).then(|| RequestSlot(self.clone()))
    }

    /// Returns how much is served now.
    pub(super) fn report(&self) -> LoadReport {
        let now = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        LoadReport { connections: now(&self.0.connections), requests: now(&self.0.requests) }
    }

    /// Begins with nothing of a body.
    pub(super) fn hold(&self) -> BodyMemory {
        BodyMemory { load: self.clone(), bytes: 0 }
    }
}

impl BodyMemory {
    /// Takes memory for `bytes` in all, if all bodies together then have at most `most`. Never gives any back.
    pub(super) fn grow_to(&mut self, bytes: usize, most: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let taken = take(&self.load.0.body_bytes, more, most);
        if taken {
            self.bytes += more;
        }
        taken
    }

    /// Gives back what is beyond `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        let less = self.bytes.saturating_sub(bytes);
        if less > 0 {
            self.load.0.body_bytes.fetch_sub(less, Ordering::Relaxed);
            self.bytes -= less;
        }
    }
}

/// Adds to a counter within a limit. Nothing else is read or written under these numbers, so the memory order is relaxed.
fn take(counter: &AtomicUsize, more: usize, most: usize) -> bool {
    let sum = |now: usize| now.checked_add(more).filter(|sum| *sum <= most);
    more == 0 || counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for RequestSlot {
    fn drop(&mut self) {
        self.0.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for BodyMemory {
    fn drop(&mut self) {
        self.load.0.body_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_more(load: &LocalConcurrency, bytes: usize) -> bool {
        load.hold().grow_to(bytes, 10)
    }

    #[test]
    fn what_a_guard_took_comes_back_with_its_drop() {
        let load = LocalConcurrency::new(Arc::default());
        let (first, second) = (load.admit(2), load.admit(2));
        assert!(first.is_some() && second.is_some() && load.admit(2).is_none());
        drop(first);
        assert!(load.admit(2).is_some());

        let (mut one, mut other) = (load.hold(), load.hold());
        assert!(one.grow_to(6, 10) && one.grow_to(4, 10), "what is held already counts once");
        assert!(!other.grow_to(5, 10) && other.grow_to(4, 10) && !other.grow_to(usize::MAX, 10));
        drop(one);
        assert!(other.grow_to(10, 10));
        other.shrink_to(4);
        assert!(!one_more(&load, 7) && one_more(&load, 6));
        drop(other);
        assert_eq!(load.0.body_bytes.load(Ordering::Relaxed), 0);
    }
}
