//! One upstream: its quotas, its health, its endpoint, and the actor that owns them.
//!
//! In reading order: `messages` (the contract), `permit`, `endpoint`, `actor` (wiring), `state` (decisions on its health, from
//! `breaker`, `cooldown`, `absent` and `latency`), `tally` (its tokens), and `quotas` (its limits, with their stores).

mod absent;
mod actor;
mod breaker;
mod cooldown;
mod endpoint;
mod inbox;
mod lane;
mod latency;
mod messages;
mod permit;
mod quotas;
mod state;
mod taking_up;
mod tally;

pub use actor::UpstreamActor;
pub use endpoint::Endpoint;
pub use lane::Lane;
pub use messages::{
    ApiStatus, Declined, Forward, GetStatus, GetTokens, QuotaStatus, Reconfigure, Refusal, ResetTokens, Retire,
    TokenReport,
};
pub use permit::{Permit, Witness};
pub use quotas::QuotaRegistry;

/// An entry of a configuration.
#[cfg(test)]
fn an_entry() -> std::sync::Arc<crate::config::ApiConfig> {
    use crate::config::{Overrides, Source, parse};
    let text = r#"{"apis": [{"id": "a", "baseUrl": "http://127.0.0.1:1", "apiKey": "sk-upstream", "models": ["m"]}]}"#;
    let source = Source { path: "x.json".into(), overrides: Overrides::default() };
    let config = parse(text, &source, |_| Ok(String::new())).expect("a configuration");
    config.apis.first().expect("an entry").clone()
}
