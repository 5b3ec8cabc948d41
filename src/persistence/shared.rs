//! The seam between a quota and the store that grants its units.

use quota::{Grant, GrantRequest, QuotaRecord};

use super::StoreError;
use crate::types::QuotaId;

/// What a quota asks of its store before it admits more attempts.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The quota.
    pub id: QuotaId,
    /// What it wants, and what it has counted.
    pub request: GrantRequest,
    /// The record that an earlier process saved last, for a store that has forgotten the quota.
    pub remembered: Option<QuotaRecord>,
}

/// A store's answer to one [`Ask`].
pub type GrantResult = Result<Grant, StoreError>;

/// A store that lends parts of quotas to several servers. Its calls block: the [`super::PersistenceActor`] makes them on a thread
/// for blocking calls.
pub trait SharedBackend: Send + Sync + 'static {
    /// Answers all `asks` in their order. An error means that nothing was granted, as far as is known.
    fn grant(&self, asks: &[Ask]) -> Vec<GrantResult>;
}
