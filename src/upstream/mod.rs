//! One upstream: its quotas, its health, its endpoint, and the actor that owns them.
//!
//! In reading order: `messages` (the contract), `permit`, `endpoint`, `actor` (wiring), `state` (decisions on its health, from
//! `breaker`, `cooldown`, `absent` and `latency`), `tally` (its tokens), and its quotas: `admission` (in all of them, or in none), `books` (which there
//! are), `ledger` (one, with its store), `quota` (what it has counted), `lease`, `account`, `bounds`, `window`, `daily` and `day`;
//! `headroom` tells what is left.

mod absent;
mod actor;
mod admission;
mod books;
mod breaker;
mod cooldown;
mod endpoint;
mod headroom;
mod inbox;
mod lane;
mod latency;
mod ledger;
mod messages;
mod permit;
mod state;
mod taking_up;
mod tally;

pub use actor::UpstreamActor;
pub use books::Books;
pub use endpoint::Endpoint;
pub use lane::Lane;
pub use messages::{
    ApiStatus, Declined, Forward, GetStatus, GetTokens, QuotaStatus, Reconfigure, Refusal, ResetTokens, Retire,
    TokenReport,
};
pub use permit::{Permit, Witness};

/// An entry of a configuration.
#[cfg(test)]
fn an_entry() -> std::sync::Arc<crate::config::ApiConfig> {
    use crate::config::{Overrides, Source, parse};
    let text = r#"{"apis": [{"id": "a", "baseUrl": "http://127.0.0.1:1", "apiKey": "sk-upstream", "models": ["m"]}]}"#;
    let source = Source { path: "x.json".into(), overrides: Overrides::default() };
    let config = parse(text, &source, |_| Ok(String::new())).expect("a configuration");
    config.apis.first().expect("an entry").clone()
}
