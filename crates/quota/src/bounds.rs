//! The bounds of one kind of unit: requests, tokens or money.

use crate::demand::Measure;
use crate::limits::{Burst, Limits, QuotaKind};
use crate::pacing::Pacing;
use crate::period::Period;

/// The largest block of requests in one grant: a crash loses as many.
const MAX_REQUEST_BLOCK: u64 = 32;

/// The largest block of money in one grant (nano-dollars): 25 cents.
const MAX_COST_BLOCK: u64 = 250_000_000;

/// The bounds of one counter's windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Units in any minute.
    pub(crate) minute: Option<u64>,
    /// Units in a period.
    pub(crate) period: Option<u64>,
    /// The period: a day, or another one of the list `limits`.
    pub(crate) length: Period,
    /// How the period's units may be used.
    pub(crate) pacing: Pacing,
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
            period: limits.rpd.bound(),
            length: limits.period(),
            pacing: limits.pacing,
            kinds: [QuotaKind::Rpm, limits.listed_limit().map_or(QuotaKind::Rpd, QuotaKind::Listed)],
            burst: limits.burst,
            max_block: MAX_REQUEST_BLOCK,
            shared,
        }
    }

    /// Returns the bounds of tokens or money.
    pub(crate) fn of_tokens(limits: &Limits, shared: bool) -> Bounds {
        Bounds {
            minute: limits.tpm.bound(),
            period: limits.tpd.bound(),
            length: limits.period(),
            pacing: limits.pacing,
            kinds: [QuotaKind::Tpm, limits.listed_limit().map_or(QuotaKind::Tpd, QuotaKind::Listed)],
            burst: None,
            max_block: match limits.measure {
                Measure::Tokens => u64::MAX,
                Measure::Cost => MAX_COST_BLOCK,
            },
            shared,
        }
    }

    /// Returns whether anything is bounded.
    pub(crate) fn are_any(&self) -> bool {
        self.minute.is_some() || self.period.is_some() || self.burst.is_some()
    }
}
