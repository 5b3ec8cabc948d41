//! The moment at which an attempt's request was written, set by the socket and read by the quota.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const UNTOUCHED: u64 = 0;
const WRITING: u64 = u64::MAX;

/// SendState by the socket of one attempt, which sets the moment, and by its quotas, which read it.
///
/// A quota entry counts as "now" until its request is fully written, and at that time afterwards. Reading an atomic
/// when the quota is next asked is cheaper than a message for each request, and as exact.
#[derive(Debug, Clone)]
pub struct SentAt(Arc<SendState>);

#[derive(Debug)]
struct SendState {
    state: AtomicU64,
    /// The last moment (ms, monotonic) at which sending may begin: later, the leased unit belongs to another server.
    begin_by: u64,
}

/// How far the sending of a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendProgress {
    /// Not a byte has left: the attempt may be refunded.
    NotStarted,
    /// Some bytes may have left; nobody knows yet when the last one will.
    InProgress,
    /// The last byte of the request left at this time (ms of the monotonic clock).
    Done(u64),
}

impl Default for SentAt {
    fn default() -> Self {
        SentAt::to_begin_by(u64::MAX)
    }
}

impl SentAt {
    /// Creates the record of an attempt that must begin to be sent by `begin_by` (ms, monotonic).
    pub fn to_begin_by(begin_by: u64) -> Self {
        SentAt(Arc::new(SendState { state: AtomicU64::new(UNTOUCHED), begin_by }))
    }

    /// Creates the record of a request whose last byte left at `mono`.
    pub fn at(mono: u64) -> Self {
        let sent_at = SentAt::default();
        sent_at.finish(mono);
        sent_at
    }

    /// Returns a number that identifies the attempt as long as any copy of this value exists.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// Records that bytes are about to leave at `mono`. Returns whether they may: not when it is too late to begin.
    pub fn begin(&self, mono: u64) -> bool {
        if self.read() == SendProgress::NotStarted && self.is_too_late(mono) {
            return false;
        }
        // A request that was sent and is sent again (a replay) is in progress again.
        self.0.state.store(WRITING, Ordering::Release);
        true
    }

    /// Returns whether `mono` is too late to begin.
    pub fn is_too_late(&self, mono: u64) -> bool {
        mono > self.0.begin_by
    }

    /// Records that the last byte left at `mono`.
    pub fn finish(&self, mono: u64) {
        self.0.state.store(mono.clamp(1, WRITING - 1), Ordering::Release);
    }

    /// Returns how far the sending has come.
    pub fn read(&self) -> SendProgress {
        match self.0.state.load(Ordering::Acquire) {
            UNTOUCHED => SendProgress::NotStarted,
            WRITING => SendProgress::InProgress,
            mono => SendProgress::Done(mono),
        }
    }

    /// Returns whether both are of the same attempt.
    pub fn is(&self, other: &SentAt) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_does_not_begin_after_its_lease_has_ended() {
        let sent = SentAt::to_begin_by(10);
        assert!(!sent.begin(11));
        assert_eq!(sent.read(), SendProgress::NotStarted, "so the attempt is refunded");
        assert!(sent.begin(10));
        assert!(sent.is_too_late(11) && !sent.is_too_late(10), "a replay may be too late as well");
        // A request that began in time may end later.
        assert!(sent.begin(11));
        sent.finish(12);
        assert_eq!(sent.read(), SendProgress::Done(12));
    }
}
