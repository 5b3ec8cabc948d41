//! The seam between what is saved and where.

use std::fmt;
use std::ops::Range;

use quota::QuotaRecord;
use thiserror::Error;

use super::{Saved, TokenChange};
use crate::types::{LedgerId, LedgerRecord, QuotaId, TokenStats, UsageChange, UsageSpan};

/// A place for records, with blocking calls: the [`super::PersistenceActor`] has a thread for these.
pub trait Store: Send + Sync + 'static {
    /// Returns what is saved of one quota. A damaged record is lost.
    fn quota(&self, id: &QuotaId) -> Saved;

    /// Returns the saved statistics of one upstream. Damaged ones are lost.
    fn tokens(&self, api: &LedgerId) -> TokenStats;

    /// Returns the saved records of homes, in order of their numbers. Damaged ones are left out. A store may keep none.
    fn homes(&self) -> Vec<(u64, Vec<u8>)> {
        Vec::new()
    }

    /// Returns whose ledgers there are. Damaged records are left out. A store may keep none.
    fn ledgers(&self) -> Vec<(LedgerId, LedgerRecord)> {
        Vec::new()
    }

    /// Shows the blocks of usage of the periods that begin in a range: the start, the number, the bytes, in this order. Damaged ones
    /// are left out. A store may keep none.
    fn usage(&self, _span: UsageSpan, _starts: Range<i64>, _show: &mut dyn FnMut(i64, u64, &[u8])) {}

    /// Returns the name of this server's rows of usage, made once for each store.
    fn usage_server(&self) -> String {
        String::new()
    }

    /// Returns the highest number that a block of usage ever had.
    fn usage_number(&self) -> u64 {
        0
    }

    /// Writes all changes or none. The changes are durable when the call returns.
    ///
    /// # Errors
    /// When the changes are not durable.
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError>;
}

/// One change of what is saved.
#[derive(Debug, Clone)]
pub enum Change {
    /// New counts of a quota.
    Quota(QuotaId, QuotaRecord),
    /// New statistics of an upstream.
    Tokens(LedgerId, TokenChange),
    /// Whose a ledger is.
    Ledger(LedgerId, LedgerRecord),
    /// A record of homes, by its number.
    Homes(u64, Vec<u8>),
    /// Records of homes with smaller numbers are forgotten, some with each commit.
    ForgetHomes(u64),
    /// More usage.
    Usage(UsageChange),
}

/// The store failed.
#[derive(Debug, Clone, Error)]
#[error("{what}: {why}")]
pub struct StoreError {
    what: &'static str,
    why: String,
}

impl StoreError {
    /// Creates an error: `what` failed, and `why`.
    pub fn new(what: &'static str, why: impl fmt::Display) -> Self {
        StoreError { what, why: why.to_string() }
    }
}
