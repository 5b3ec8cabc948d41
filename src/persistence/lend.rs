//! The seam between a quota and whoever grants its units: what is asked, and what is answered.

use quota::{Grant, QuotaRecord, Units};

use super::StoreError;
use crate::types::{Limits, QuotaId};

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

/// A store that lends parts of quotas to several servers. Its calls block: the [`super::PersistenceActor`] makes them on a
/// thread for that.
pub trait Lender: Send + Sync + 'static {
    /// Answers all `asks`, in their order. Where that fails, nothing was granted, as far as is known.
    fn lend(&self, asks: &[Ask]) -> Vec<Lent>;
}

/// What became of one ask.
pub type Lent = Result<Grant, StoreError>;
