//! The moment at which an attempt's request was written, told by the socket to the quota.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const UNTOUCHED: u64 = 0;
const WRITING: u64 = u64::MAX;

/// Shared by one attempt's socket, which sets it, and its upstream's quota, which reads it.
///
/// A quota entry counts as "now" until its request is fully written, and from then at that time. Reading an atomic
/// when the quota is next asked is cheaper than a message for each request, and as exact.
#[derive(Debug, Clone)]
pub struct WriteStamp(Arc<Stamp>);

#[derive(Debug)]
struct Stamp {
    state: AtomicU64,
    /// Later than this (ms, monotonic) nothing may be begun: what was lent for the attempt is another's by then.
    begin_by: u64,
}

impl WriteStamp {
    /// Tells stamps apart, and so the attempts that they are of, as long as any copy of them is there.
    pub fn id(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
}

impl Default for WriteStamp {
    fn default() -> Self {
        WriteStamp::to_begin_by(u64::MAX)
    }
}

/// What a [`WriteStamp`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Not a byte has left: the attempt may be refunded.
    Nothing,
    /// Some bytes may have left; when the last one does is open.
    Partly,
    /// The whole request had been written at this time (ms of the monotonic clock).
    Whole(u64),
}

impl WriteStamp {
    /// A stamp of an attempt that must have begun to be written by `begin_by` (ms, monotonic).
    pub fn to_begin_by(begin_by: u64) -> Self {
        WriteStamp(Arc::new(Stamp { state: AtomicU64::new(UNTOUCHED), begin_by }))
    }

    /// Bytes are about to leave, at `mono`. Says whether they may: not if it is too late to begin.
    pub fn begin(&self, mono: u64) -> bool {
        if self.read() == Written::Nothing && self.is_too_late(mono) {
            return false;
        }
        // A request that was whole and is written again (a replay) is open again.
        self.0.state.store(WRITING, Ordering::Release);
        true
    }

    /// Would it be too late at `mono` to begin?
    pub fn is_too_late(&self, mono: u64) -> bool {
        mono > self.0.begin_by
    }

    /// The last byte left at `mono`.
    pub fn finish(&self, mono: u64) {
        self.0.state.store(mono.clamp(1, WRITING - 1), Ordering::Release);
    }

    /// How far the writing has come.
    pub fn read(&self) -> Written {
        match self.0.state.load(Ordering::Acquire) {
            UNTOUCHED => Written::Nothing,
            WRITING => Written::Partly,
            mono => Written::Whole(mono),
        }
    }

    /// Is this the stamp of the same attempt?
    pub fn is(&self, other: &WriteStamp) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_too_late_is_not_begun() {
        let stamp = WriteStamp::to_begin_by(10);
        assert!(!stamp.begin(11));
        assert_eq!(stamp.read(), Written::Nothing, "so it is given back");
        assert!(stamp.begin(10));
        assert!(stamp.is_too_late(11) && !stamp.is_too_late(10), "also for what is begun anew");
        // What was begun in time may end later.
        assert!(stamp.begin(11));
        stamp.finish(12);
        assert_eq!(stamp.read(), Written::Whole(12));
    }
}
