//! The configuration: what is typed ([`mod@file`]), what is meant ([`Config`]), and the actor that owns it.
//!
//! In reading order: `load` (text → `Config`), `file`, `schema`, `validate`, then `actor` and `watch` (hot reload).
//! `providers` fills in entries that name a provider. `edit` changes the file's text.

mod access;
mod actor;
mod addresses;
mod alerts;
mod aliases;
mod azure;
mod base_url;
mod changes;
mod edit;
mod elsewhere;
pub mod file;
mod file_permissions;
mod json;
mod key_beginnings;
mod keys;
mod load;
mod mailboxes;
mod messages;
mod model;
mod model_names;
mod origin;
mod partial;
mod passthrough;
mod period_limits;
mod placeholder;
pub mod prices;
mod pricing;
mod problem;
pub mod providers;
mod proxies;
mod quirks;
mod quotas;
mod reading;
mod renames;
mod retry_timeouts;
mod schema;
mod secret;
mod served_models;
mod server_limits;
mod source;
mod syntax;
mod validate;
mod validator;
mod variables;
mod warnings;
mod watch;

pub use access::{FoundKey, ServerAccess};
pub use actor::ConfigActor;
pub use alerts::AlertConfig;
pub(crate) use base_url::{check as check_base_url, has_version, without_endpoint};
pub use edit::{ConfigEdit, EditError, EditedConfig, MaskedConfig, TextHash};
pub(crate) use elsewhere::check_for_server;
pub(crate) use json::Unambiguous;
pub(crate) use key_beginnings::begins_like_key;
pub use load::{load, parse};
pub use messages::{
    ConfigChanged, ConfigState, EditConfig, GetConfig, GetConfigText, Reload, ReloadReported, Subscribe,
};
pub use model::{
    Access, ActorsConfig, AddressConfig, Affinity, ApiConfig, AuthScheme, BudgetConfig, Config, CountOn, DASHBOARD_KEY,
    DEFAULT_KEY, GroupConfig, Identity, KeyBudget, KeyConfig, KeyOwners, ModelAliases, OperatorKey, PeriodLimit,
    QueueConfig, QuotaConfig, RetryConfig, ServerConfig, StoreConfig, Timeouts,
};
pub use placeholder::{is_placeholder, is_reference, why_no_key};
pub use problem::Problem;
pub use providers::{LimitScope, Plan, PresetUse, Provider, Providers};
pub use quirks::{LimitsPer, Quirks, StreamUsage};
pub use quota::{Pacing, Reset};
pub use reading::ConfigError;
pub(crate) use reading::LARGEST;
pub use schema::{CONFIG_SCHEMA, config_schema};
pub use secret::{ApiKey, ClientKey};
pub use served_models::Models;
pub use server_limits::{ServerLimits, TlsFiles};
pub use source::{ConfigSource, DEFAULT_NAME, Overrides};
pub use transport::Proxy;
pub use watch::Watcher;
