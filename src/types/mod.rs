//! The vocabulary that every room shares: no I/O, no actix, nothing of ours imported.

mod failure;
mod ids;
mod operation;
mod outcome;
mod time;
mod tokens;
mod usage;

pub use clock::{Now, SendProgress, SentAt, Uptime};
pub use failure::{Blame, ClassSet, Failure, FailureClass, LimitSpan, Phase};
pub use ids::{ApiId, QuotaId, RequestId};
pub use operation::Operation;
pub use outcome::{Outcome, Settlement};
pub use quota::{Burst, Limit, Limits, QuotaKind, RateLimitSummary};
pub use time::iso;
pub use tokens::{DAYS_KEPT_MS, HOURS_KEPT_MS, Moment, TokenStats, TokenTotals};
pub use usage::{Demand, Usage, UsageSource, tokens_of_text};

/// What a request asks of the pool: all that routing needs to know.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The model as the client named it.
    pub model: std::sync::Arc<str>,
    /// Which of the OpenAI endpoints was called.
    pub operation: Operation,
    /// What it may cost.
    pub demand: Demand,
}
