//! The bounds of one kind of unit, requests or tokens.

use crate::limits::{Burst, Limits, QuotaKind};

/// The largest block of requests in one grant: a crash loses as many.
const MAX_REQUEST_BLOCK: u64 = 32;

/// The bounds of one counter's windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Units in any minute.
    pub(crate) minute: Option<u64>,
    /// Units in a day.
    pub(crate) day: Option<u64>,
    /// The names of these two.
    pub(crate) kinds: [QuotaKind; 2],
    /// Units in a shorter span.
    pub(crate) burst: Option<Burst>,
    /// The largest block of units.
    pub(crate) max_block: u64,
    /// Whether other servers use the same units. Then the store has to know the burst, too.
    pub(crate) shared: bool,
}

impl Bounds {
    /// Returns the bounds of requests.
    pub(crate) fn of_requests(limits: &Limits, shared: bool) -> Bounds {
        Bounds {
            minute: limits.rpm.bound(),
            day: limits.rpd.bound(),
            kinds: [QuotaKind::Rpm, QuotaKind::Rpd],
            burst: limits.burst,
            max_block: MAX_REQUEST_BLOCK,
            shared,
        }
    }

    /// Returns the bounds of tokens.
    pub(crate) fn of_tokens(limits: &Limits, shared: bool) -> Bounds {
        Bounds {
            minute: limits.tpm.bound(),
            day: limits.tpd.bound(),
            kinds: [QuotaKind::Tpm, QuotaKind::Tpd],
            burst: None,
            max_block: u64::MAX,
            shared,
        }
    }

    /// Returns whether anything is bounded.
    pub(crate) fn are_any(&self) -> bool {
        self.minute.is_some() || self.day.is_some() || self.burst.is_some()
    }
}
