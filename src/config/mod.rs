//! The configuration: what is typed ([`mod@file`]), what is meant ([`Config`]), and the actor that owns it.
//!
//! In reading order: `load` (text → `Config`), `file`, `schema`, `validate`, then `actor` and `watch` (hot reload).

mod actor;
mod base_url;
mod edge;
mod effort;
mod exposure;
pub mod file;
mod json;
mod load;
mod messages;
mod quotas;
mod schema;
mod secret;
mod settings;
mod typed;
mod validate;
mod watch;

pub use actor::ConfigActor;
pub use edge::{EdgeConfig, TlsFiles};
pub use load::{ConfigError, Overrides, Problem, Source, load, parse};
pub use messages::{ConfigChanged, ConfigState, GetConfig, Reload, Subscribe};
pub use quota::Reset;
pub use schema::generate as generate_schema;
pub use secret::{ApiKey, Candidate, ClientKey};
pub use settings::{
    ActorsConfig, ApiConfig, BudgetConfig, Config, CountOn, GroupConfig, Models, QueueConfig, QuotaConfig, RetryConfig,
    ServerConfig, StoreConfig, Timeouts,
};
pub use watch::Watcher;
