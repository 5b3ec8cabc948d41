//! One upstream: quotas, health, endpoint, and the actor that owns all three.
//!
//! In reading order: `messages` (the contract), `permit`, `endpoint`, `actor` (wiring), `state` (decisions), with `health`
//! (may the upstream be asked?), `latency` and `token_stats`. `fast_path` is how workers admit without a message; skip the
//! folder in a first reading. The quotas are in `admission` (of one attempt in all quotas), `books` (all quotas), `ledger` (one
//! quota with a store) and `quota` (the counts).

mod account;
mod actor;
mod admission;
mod allowance;
mod books;
mod bounds;
mod daily;
mod day;
mod endpoint;
mod fast_path;
mod headroom;
mod health;
mod latency;
mod lease;
mod ledger;
mod messages;
mod pace;
mod permit;
mod quota;
mod state;
mod token_stats;
mod window;

pub use actor::UpstreamActor;
pub use allowance::Untaken;
pub use books::Books;
pub use endpoint::Endpoint;
pub use fast_path::FastPath;
pub use health::{Resting, Scope};
pub use messages::{
    ApiStatus, Declined, Forward, Forwarded, GetStatus, GetTokens, QuotaStatus, Reconfigure, Refusal, ResetTokens,
    Retire, TokenReport,
};
pub use permit::{Permit, Suspicion};
pub use quota::{Draw, Quota, Share, Spent};

#[cfg(test)]
pub(crate) mod testing;
