//! Why a quota takes no attempt now.

use std::fmt;

use crate::limits::QuotaKind;

/// Why a quota takes no attempt now. Times are ms of the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// A limit is 0.
    Disabled,
    /// A window is full.
    Full {
        /// The window.
        which: QuotaKind,
        /// The earliest moment with room again; `None` if only the end of an attempt makes room.
        until: Option<u64>,
    },
    /// The shared store grants nothing to anybody until then.
    StoreNotReady {
        /// When the store is asked again.
        until: u64,
    },
}

impl NoRoom {
    /// Returns when to try again, if known.
    pub fn until(&self) -> Option<u64> {
        match self {
            NoRoom::Disabled => None,
            NoRoom::Full { until, .. } => *until,
            NoRoom::StoreNotReady { until } => Some(*until),
        }
    }

    /// Returns the word in `/v1/status`.
    pub fn as_str(&self) -> &'static str {
        match self {
            NoRoom::Disabled => "disabled",
            NoRoom::Full { which, .. } => which.as_str(),
            NoRoom::StoreNotReady { .. } => "store",
        }
    }

    /// Returns the last reason to end.
    pub fn last(reasons: impl Iterator<Item = NoRoom>) -> Option<NoRoom> {
        reasons.max_by_key(|reason| match reason {
            NoRoom::Disabled => u64::MAX,
            NoRoom::Full { .. } | NoRoom::StoreNotReady { .. } => reason.until().unwrap_or(0),
        })
    }
}

impl fmt::Display for NoRoom {
    /// Writes the reason for people: the word, or a limit of the list `limits` as written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoRoom::Full { which, .. } => which.fmt(f),
            NoRoom::Disabled | NoRoom::StoreNotReady { .. } => f.write_str(self.as_str()),
        }
    }
}
