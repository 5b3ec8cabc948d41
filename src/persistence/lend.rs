//! The seam between a quota and whoever grants its units: what is asked, and what is answered.

use crate::types::{Limits, QuotaId, QuotaKind};

use super::{QuotaRecord, StoreError};

/// An amount of each kind of unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    /// Requests.
    pub requests: u64,
    /// Tokens.
    pub tokens: u64,
    /// Requests at the same time.
    pub slots: u32,
}

/// What a quota asks for before it admits more.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Which quota.
    pub id: QuotaId,
    /// Its bounds.
    pub limits: Limits,
    /// What it has counted; `granted` holds what is wanted, too.
    pub record: QuotaRecord,
    /// What it wants.
    pub wanted: Units,
    /// Of that, what it can't do without.
    pub needed: Units,
    /// Requests at the same time that it holds already.
    pub slots: u32,
    /// What it remembers of an earlier life: the record that was last saved.
    pub remembered: Option<QuotaRecord>,
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// So much of what was wanted may be used.
    pub units: Units,
    /// What is to be known besides, where others share the quota.
    pub shared: Option<SharedGrant>,
}

/// What a store tells that lends parts of a shared quota.
#[derive(Debug, Clone, Default)]
pub struct SharedGrant {
    /// What is granted may be used for so long, from when it was asked for (ms); 0 if the store only says what time it is:
    /// the day that was asked for is not its own.
    pub lasts_ms: u64,
    /// Requests at the same time that are held, with those just granted.
    pub slots: u32,
    /// If what was needed is not to be had: in which window, and when it frees (ms from when it was asked for). No window
    /// is named if the store itself is not ready.
    pub denied: Option<(Option<QuotaKind>, u64)>,
    /// Requests of others: in the last minute and today.
    pub requests: (u64, u64),
    /// Tokens of others.
    pub tokens: (u64, u64),
    /// The store's clock, in ms since the Unix epoch.
    pub wall: i64,
    /// Which life of the store it is: another one has forgotten what this one knows.
    pub epoch: String,
}

/// A store that lends parts of quotas to several servers. Its calls block: the [`super::PersistenceActor`] makes them on a
/// thread for that.
pub trait Lender: Send + Sync + 'static {
    /// Answers all `asks`, in their order. Where that fails, nothing was granted, as far as is known.
    fn lend(&self, asks: &[Ask]) -> Vec<Lent>;
}

/// What became of one ask.
pub type Lent = Result<Grant, StoreError>;
