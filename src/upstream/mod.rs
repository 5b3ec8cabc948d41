//! One upstream: quotas, health, endpoint, and the actor that owns all three.
//!
//! In reading order: `messages` (the contract), `permit`, `endpoint`, `actor` (wiring), `state` (decisions), with `health`
//! (may the upstream be asked?), `latency` and `token_stats`, and `quotas` (the limits, with their stores). `fast_path` is how
//! workers admit without a message; skip the folder in a first reading.

mod actor;
mod endpoint;
mod fast_path;
mod health;
mod latency;
mod messages;
mod permit;
mod quotas;
mod state;
mod token_stats;

pub use actor::UpstreamActor;
pub use endpoint::Endpoint;
pub use fast_path::FastPath;
pub use health::{Resting, Scope};
pub use messages::{
    ApiStatus, Declined, Forward, Forwarded, GetStatus, GetTokens, QuotaStatus, Reconfigure, Refusal, ResetTokens,
    Retire, TokenReport,
};
pub use permit::{Permit, Suspicion};
pub use quotas::QuotaRegistry;

#[cfg(test)]
pub(crate) mod testing;
