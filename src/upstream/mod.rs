//! One upstream: quotas, health, endpoint, and the actor that owns all three.
//!
//! In reading order:
//!
//! - `messages`: the contract. `permit` and `endpoint`: what an attempt needs.
//! - `actor`: the wiring. `state`: the decisions, with `health`, `latency` and `token_stats`.
//! - `shared_state` and `fast_path`: how workers admit without a message. Skip both in a first reading.

mod actor;
mod alarms;
mod endpoint;
mod fast_path;
mod health;
mod latency;
mod messages;
mod permit;
mod place;
mod shared_state;
mod state;
mod token_stats;
mod usage_meter;

pub use actor::{RestUntil, TryAgain, UpstreamActor};
pub use endpoint::{Endpoint, Reach};
pub use fast_path::FastPath;
#[cfg(test)]
pub(crate) use health::mends;
pub(crate) use health::{PROBE_EVERY_MS, mend, split_mend};
pub use health::{Resting, Scope};
pub use messages::{
    ApiStatus, Declined, Forward, Forwarded, GetStatus, GetTokens, ListFailed, Reconfigure, Refusal, ResetTokens,
    Retire, TokenReport,
};
pub use permit::{Permit, Suspicion};
pub use place::AskedPath;
pub use usage_meter::UsageMeter;

#[cfg(test)]
pub(crate) mod testing;
