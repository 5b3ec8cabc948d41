//! The seam between what is kept and where.

use std::fmt;

use quota::QuotaRecord;
use thiserror::Error;

use super::{Saved, TokenChange};
use crate::types::{ApiId, QuotaId, TokenStats};

/// A place that keeps records. Its calls block: the [`super::PersistenceActor`] makes them on a thread for that.
pub trait Store: Send + Sync + 'static {
    /// What is kept of one quota. Nothing kept is not an error; what is damaged is lost, and says so.
    fn quota(&self, id: &QuotaId) -> Saved;

    /// The statistics that are kept of one upstream; what is damaged is lost.
    fn tokens(&self, api: &ApiId) -> TokenStats;

    /// Writes all changes, or none. They are durable when this returns.
    ///
    /// # Errors
    /// When they are not.
    fn commit(&self, changes: &[Change]) -> Result<(), StoreError>;
}

/// One change to what is kept.
#[derive(Debug, Clone)]
pub enum Change {
    /// New counts of a quota.
    Quota(QuotaId, QuotaRecord),
    /// New statistics of an upstream.
    Tokens(ApiId, TokenChange),
}

/// The store failed.
#[derive(Debug, Clone, Error)]
#[error("{what}: {why}")]
pub struct StoreError {
    what: &'static str,
    why: String,
}

impl StoreError {
    /// `what` was to be done, `why` it wasn't.
    pub fn new(what: &'static str, why: impl fmt::Display) -> Self {
        StoreError { what, why: why.to_string() }
    }
}
