//! The bounds of one kind of unit, requests or tokens.

use crate::limits::{Burst, Limits, QuotaKind};

/// How many requests are drawn from the store at a time, at most: a crash loses as many.
const MOST_REQUESTS: u64 = 32;

/// The bounds of an account's windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// In any minute.
    pub(super) minute: Option<u64>,
    /// In a day.
    pub(super) day: Option<u64>,
    /// What these two are called.
    pub(super) kinds: [QuotaKind; 2],
    /// In a shorter span.
    pub(super) burst: Option<Burst>,
    /// The largest block.
    pub(super) most: u64,
    /// Are these shared with other servers? Then a burst is, too.
    pub(super) shared: bool,
}

impl Bounds {
    /// Of requests.
    pub(super) fn of_requests(limits: &Limits, shared: bool) -> Bounds {
        Bounds {
            minute: limits.rpm.bound(),
            day: limits.rpd.bound(),
            kinds: [QuotaKind::Rpm, QuotaKind::Rpd],
            burst: limits.burst,
            most: MOST_REQUESTS,
            shared,
        }
    }

    /// Is there any?
    pub(super) fn are_any(&self) -> bool {
        self.minute.is_some() || self.day.is_some() || self.burst.is_some()
    }

    /// Of tokens.
    pub(super) fn of_tokens(limits: &Limits, shared: bool) -> Bounds {
        Bounds {
            minute: limits.tpm.bound(),
            day: limits.tpd.bound(),
            kinds: [QuotaKind::Tpm, QuotaKind::Tpd],
            burst: None,
            most: u64::MAX,
            shared,
        }
    }
}
