//! Why a key's request is refused.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::types::{KeyName, RateLimitSummary};

/// Why a request of a key is not admitted. Times are ms of the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAdmissionError {
    /// A limit or a budget of the key leaves no room.
    Full(FullLimit),
    /// The store can't promise that a crash would not forget this request, or that no other server spends the same.
    StoreUnavailable {
        /// When the store is asked again.
        until: u64,
    },
    /// The mailbox of the keys' actor is full.
    Overloaded,
    /// The actor did not answer in time: the disk is slow, or the process overloaded.
    NotInTime,
    /// The actor has ended: the process is stopping.
    Stopping,
}

/// A limit or a budget without room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullLimit {
    /// Whose.
    pub key: KeyName,
    /// Which kind of limit.
    pub reason: KeyReason,
    /// The limit in words: `30 requests a minute`.
    pub limit: Arc<str>,
    /// When there is room again, at the earliest; `None` if only the end of another request makes room.
    pub until: Option<u64>,
    /// What the key's tightest limit on requests leaves.
    pub rate: Option<RateLimitSummary>,
}

/// The kinds of limits of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyReason {
    /// `rpm`.
    Rpm,
    /// `rpd`.
    Rpd,
    /// `tpm`.
    Tpm,
    /// `tpd`.
    Tpd,
    /// An entry of `limits`, or `burst`.
    Limit,
    /// A limit or a budget has more, and `pacing` holds the rest back.
    Paced,
    /// `maxConcurrent`.
    Concurrency,
    /// A budget is spent.
    BudgetSpent,
    /// A budget is smaller than the request may cost.
    BudgetTooSmall,
    /// A budget is not spent, and requests under way have reserved the rest.
    BudgetReserved,
}

impl KeyReason {
    /// Every reason, in the order of the discriminants.
    pub const ALL: [KeyReason; 10] = [
        KeyReason::Rpm,
        KeyReason::Rpd,
        KeyReason::Tpm,
        KeyReason::Tpd,
        KeyReason::Limit,
        KeyReason::Paced,
        KeyReason::Concurrency,
        KeyReason::BudgetSpent,
        KeyReason::BudgetTooSmall,
        KeyReason::BudgetReserved,
    ];

    /// Returns the word in errors and in counts.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyReason::Rpm => "key_rpm",
            KeyReason::Rpd => "key_rpd",
            KeyReason::Tpm => "key_tpm",
            KeyReason::Tpd => "key_tpd",
            KeyReason::Limit => "key_limit",
            KeyReason::Paced => "key_paced",
            KeyReason::Concurrency => "key_concurrency",
            KeyReason::BudgetSpent | KeyReason::BudgetTooSmall => "insufficient_quota",
            KeyReason::BudgetReserved => "key_budget",
        }
    }
}

impl KeyAdmissionError {
    /// Returns when to try again, if known (ms, monotonic).
    pub fn until(&self) -> Option<u64> {
        match self {
            KeyAdmissionError::Full(full) => full.until,
            KeyAdmissionError::StoreUnavailable { until } => Some(*until),
            KeyAdmissionError::Overloaded | KeyAdmissionError::NotInTime | KeyAdmissionError::Stopping => None,
        }
    }

    /// Returns what the key's tightest limit on requests leaves, if that is why.
    pub fn rate(&self) -> Option<RateLimitSummary> {
        match self {
            KeyAdmissionError::Full(full) => full.rate,
            KeyAdmissionError::StoreUnavailable { .. }
            | KeyAdmissionError::Overloaded
            | KeyAdmissionError::NotInTime
            | KeyAdmissionError::Stopping => None,
        }
    }
}

/// How many requests of a key were refused, by reason. Workers count without a message.
#[derive(Debug, Default)]
pub(super) struct RefusalCounts([AtomicU64; KeyReason::ALL.len()]);

impl RefusalCounts {
    /// Counts one refusal.
    pub(super) fn count(&self, reason: KeyReason) {
        if let Some(count) = self.0.get(reason as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the counts that are not 0.
    pub(super) fn by_reason(&self) -> Vec<(KeyReason, u64)> {
        let counts = self.0.iter().map(|count| count.load(Ordering::Relaxed));
        KeyReason::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}

impl fmt::Display for KeyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
