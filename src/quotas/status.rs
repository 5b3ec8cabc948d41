//! The state of a quota, for `/v1/status`.

use std::sync::Arc;

use quota::{Forecast, NoRoom, WindowUsage};

use crate::types::{Limits, QuotaId};

/// One quota.
#[derive(Debug, Clone)]
pub struct QuotaStatus {
    /// The name of the quota, with the owner.
    pub id: QuotaId,
    /// The model, by the upstream's own name. `None` stands for all models together.
    pub model: Option<Arc<str>>,
    /// The bounds.
    pub limits: Limits,
    /// Requests, with the ones under way and the ones of other servers.
    pub requests: WindowUsage,
    /// Tokens, likewise.
    pub tokens: WindowUsage,
    /// What becomes of the period's limits of requests and of tokens (or money), if the use goes on as before.
    pub forecasts: [Option<Forecast>; 2],
    /// How many requests, and tokens or nano-dollars, may be used up to now, where a limit is spread.
    pub usable: [Option<u64>; 2],
    /// When the period ends, at the latest (ms since the Unix epoch).
    pub period_ends: i64,
    /// Why there is no room just now, and until when (ms since the Unix epoch).
    pub refusal: Option<(NoRoom, Option<i64>)>,
}
