//! How much is served at the same time: requests, and the bytes of their bodies. What is taken is a guard, whose drop gives it
//! back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all workers together serve just now.
#[derive(Debug, Default)]
pub struct Load {
    requests: AtomicUsize,
    body_bytes: AtomicUsize,
}

/// One request that is served.
#[derive(Debug)]
pub(super) struct Admitted(Arc<Load>);

/// Bytes of one request's body that are held in memory, or are about to be.
#[derive(Debug)]
pub(super) struct Held {
    load: Arc<Load>,
    bytes: usize,
}

impl Load {
    /// One more request, if that makes at most `most`.
    pub(super) fn admit(self: &Arc<Self>, most: usize) -> Option<Admitted> {
        take(&self.requests, 1, most).then(|| Admitted(self.clone()))
    }

    /// Nothing yet of a body.
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        Held { load: self.clone(), bytes: 0 }
    }
}

impl Held {
    /// Holds `bytes` in all, if all bodies together are then at most `most`. Never fewer than before.
    pub(super) fn grow_to(&mut self, bytes: usize, most: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let taken = take(&self.load.body_bytes, more, most);
        if taken {
            self.bytes += more;
        }
        taken
    }
}

/// Counts only: nothing else is read or written under these numbers, so their order does not matter.
fn take(counter: &AtomicUsize, more: usize, most: usize) -> bool {
    let sum = |now: usize| now.checked_add(more).filter(|sum| *sum <= most);
    more == 0 || counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.load.body_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_comes_back() {
        let load = Arc::new(Load::default());
        let (first, second) = (load.admit(2), load.admit(2));
        assert!(first.is_some() && second.is_some() && load.admit(2).is_none());
        drop(first);
        assert!(load.admit(2).is_some());

        let (mut one, mut other) = (load.hold(), load.hold());
        assert!(one.grow_to(6, 10) && one.grow_to(4, 10), "what it has it has");
        assert!(!other.grow_to(5, 10) && other.grow_to(4, 10) && !other.grow_to(usize::MAX, 10));
        drop(one);
        assert!(other.grow_to(10, 10));
        drop(other);
        assert_eq!(load.body_bytes.load(Ordering::Relaxed), 0);
    }
}
