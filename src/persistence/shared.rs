//! The seam between a quota and the store behind.

use std::ops::Range;

use quota::{Grant, GrantRequest, QuotaRecord};

use super::StoreError;
use crate::types::{LedgerId, LedgerRecord, ObjectKey, QuotaId, UsagePeriod, UsageSpan};

/// A quota's request to the store, before more attempts are admitted.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The quota.
    pub id: QuotaId,
    /// The wanted units, and the counts.
    pub request: GrantRequest,
    /// The last record of an earlier process, for a store without memory of the quota.
    pub remembered: Option<QuotaRecord>,
}

/// A store's answer to one [`Ask`].
pub type GrantResult = Result<Grant, StoreError>;

/// A store of quotas for several servers, with blocking calls: the [`super::PersistenceActor`] has a thread for these.
pub trait SharedBackend: Send + Sync + 'static {
    /// Answers all `asks` in order. After an error nothing was granted, as far as is known. Before the first success of
    /// [`Self::ledgers`] nothing is granted: the counts may belong to a ledger of another name.
    fn grant(&self, asks: &[Ask]) -> Vec<GrantResult>;

    /// Keeps `own`, and returns whose ledgers all servers know.
    ///
    /// # Errors
    /// When the store does not answer.
    fn ledgers(&self, own: &[(LedgerId, LedgerRecord)]) -> Result<Vec<(LedgerId, LedgerRecord)>, StoreError>;
}

/// A store of usage for several servers, with blocking calls likewise.
pub trait SharedUsage: Send + Sync + 'static {
    /// Keeps these rows of this server: all of each period so far.
    ///
    /// # Errors
    /// When the rows are not kept.
    fn keep(&self, rows: &[(UsagePeriod, Vec<u8>)]) -> Result<(), StoreError>;

    /// Returns which of these periods have no row of this server.
    ///
    /// # Errors
    /// When the store does not answer.
    fn missing(&self, periods: &[UsagePeriod]) -> Result<Vec<UsagePeriod>, StoreError>;

    /// Shows the rows of other servers for periods that begin in a range, and for some around it: the start, and the block.
    ///
    /// # Errors
    /// When the store does not answer; some rows may have been shown.
    fn others(&self, span: UsageSpan, starts: Range<i64>, show: &mut dyn FnMut(i64, &[u8])) -> Result<(), StoreError>;
}

/// A store of homes for several servers, with blocking calls likewise.
pub trait SharedHomes: Send + Sync + 'static {
    /// Keeps the homes of these objects for their time.
    ///
    /// # Errors
    /// When the homes are not kept: the other servers find them by asking.
    fn keep(&self, homes: &[(ObjectKey, LedgerId)]) -> Result<(), StoreError>;

    /// Returns the homes of those of these objects that have one.
    ///
    /// # Errors
    /// When the store does not answer.
    fn find(&self, objects: &[ObjectKey]) -> Result<Vec<(ObjectKey, LedgerId)>, StoreError>;
}
