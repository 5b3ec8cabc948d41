//! The limits of one owner: an API, a group or a client's key.

use std::collections::BTreeMap;
use std::sync::Arc;

use quota::{ListedLimit, Pacing, Reset};

use crate::types::Limits;

/// The limits of one owner, an API or a group, and of single models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaConfig {
    /// For all models together.
    pub limits: Limits,
    /// For one model, by the upstream's own name.
    pub models: BTreeMap<Arc<str>, Limits>,
    /// Limits of other periods. Each is a quota of its own.
    pub more: Vec<PeriodLimit>,
    /// When a day begins.
    pub reset: Reset,
}

/// A limit of the list `limits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeriodLimit {
    /// The one model with the limit, by the upstream's own name; all together, if there is none.
    pub model: Option<Arc<str>>,
    /// So many requests, tokens or dollars in a period.
    pub limit: ListedLimit,
    /// When a period of the calendar begins.
    pub reset: Reset,
    /// How the limit may be used over the period.
    pub pacing: Pacing,
}
