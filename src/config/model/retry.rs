//! What happens when an upstream fails.

use std::time::Duration;

use crate::types::ClassSet;

/// What happens when an upstream fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryConfig {
    /// Attempts a request, the first included.
    pub max_attempts: usize,
    /// The failures that move a request on.
    pub retry_on: ClassSet,
    /// What bounds further attempts where upstreams are in trouble.
    pub budget: BudgetConfig,
    /// How often an upstream in trouble is asked again, where no other is left.
    pub same_upstream: u32,
    /// The pause before the first of these.
    pub backoff: Duration,
    /// How long without an answer until a second upstream is asked, too.
    pub hedge_after: Option<Duration>,
}

/// How many further attempts the pool makes because upstreams are in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetConfig {
    /// Of a hundred requests.
    pub percent: u32,
    /// In each second, on top of the percentage.
    pub per_second: u32,
}
