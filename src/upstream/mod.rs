//! One upstream: its quotas, its health, its endpoint, and the actor that owns them.
//!
//! In reading order: `messages` (the contract), `permit`, `endpoint`, `actor` (wiring), `state` (decisions), and the
//! parts that `state` is made of: `quota` (with `window`, `daily` and `day`), `breaker`, `cooldown`, `latency`.

mod actor;
mod breaker;
mod cooldown;
mod daily;
mod day;
mod endpoint;
mod latency;
mod messages;
mod permit;
mod quota;
mod state;
mod window;

pub use actor::UpstreamActor;
pub use endpoint::Endpoint;
pub use messages::{
    ApiStatus, Forward, GetStatus, GetTokens, QuotaKind, Reconfigure, Refusal, ResetTokens, Retire, Settle, Stop,
    StreamOptionsRefused, TokenReport,
};
pub use permit::Permit;
