//! What is typed: the shape of `config/apis.json`. `config/apis.schema.json` is generated from these types, and the
//! same schema checks what is typed, so the two can't drift apart. The meaning is in [`super::Config`].
//!
//! Unknown fields are refused: by `deny_unknown_fields`, or by the schema alone where limits are flattened into a struct, as
//! serde can't do both.

mod alerts;
mod api;
mod keys;
mod limits;
mod prices;
mod quirks;
mod retry;
mod server;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use alerts::AlertFile;
pub use api::{ApiFile, AuthFile, CountOnFile, GroupFile};
pub use keys::{KeyBudgetFile, KeyFile, NamedKeyFile, OperatorKeyFile};
pub use limits::{BurstFile, LimitsFile, PacingFile, PeriodLimitFile};
pub use prices::{ApiPricesFile, PriceOfFile, PricesFile};
pub use quirks::{LimitsPerFile, QuirksFile, StreamUsageFile, TpmCountsFile};
pub use retry::{BudgetFile, RetryFile, RetryOnFile, TimeoutsFile};
pub use server::{OneOrMany, ServerFile, ServerTlsFile};

/// Configuration of api-together. In any string `${NAME}` stands for an environment variable,
/// `${NAME:-default}` for one that may be unset, and `$${` for a literal `${`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "api-together configuration")]
pub struct ConfigFile {
    /// Where the JSON Schema of this file is, for editors. Not used by the server.
    #[serde(rename = "$schema", default)]
    pub schema: Option<String>,
    /// The pool's own address and keys.
    #[serde(default)]
    pub server: ServerFile,
    /// The pooled accounts.
    #[schemars(length(min = 1))]
    pub apis: Vec<ApiFile>,
    /// The keys of clients, each with a name, rights and limits of its own. Beside `server.apiKey`, which has none.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub keys: Option<Vec<KeyFile>>,
    /// Other names for models: `{"smart": ["gpt-5.1", "claude-sonnet-4-5"]}`. A request for an alias goes to the first model that
    /// can serve it. One model may be given as a string. `*` in an alias stands for any text (`claude-haiku-*`). An alias with
    /// the name of a model takes the model's place.
    #[serde(default)]
    pub aliases: BTreeMap<String, OneOrMany>,
    /// What happens when an upstream fails.
    #[serde(default)]
    pub retry: RetryFile,
    /// How long to wait for APIs without `timeouts` of their own.
    #[serde(default)]
    pub timeouts: TimeoutsFile,
    /// What happens when every upstream is at a limit.
    #[serde(default)]
    pub queue: QueueFile,
    /// Limits of several APIs together (keys of one account, say), by the name in the APIs' `quotaGroup`.
    #[serde(default)]
    pub quota_groups: BTreeMap<String, GroupFile>,
    /// Where several servers count their limits together. Without a store each server counts for itself.
    #[serde(default)]
    pub store: Option<StoreFile>,
    /// Threads and queue sizes.
    #[serde(default)]
    pub actors: ActorsFile,
    /// Which API the requests of one session prefer.
    #[serde(default)]
    pub affinity: AffinityFile,
    /// What tokens cost, beside the program's own table.
    #[serde(default)]
    pub prices: PricesFile,
    /// Who is told of limits, refused keys, failing accounts and wrong configurations: webhooks.
    #[serde(default)]
    pub alerts: Vec<AlertFile>,
}

/// Which API the requests of one session prefer.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AffinityFile {
    /// Requests of one session prefer one API while it has room, so that the provider's cache of prompts pays. Default.
    #[default]
    Session,
    /// Each request goes by priority and weight alone.
    Off,
}

/// Threads and queue sizes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ActorsFile {
    /// Threads for clients, each with a scheduler of its own. Default: as many as there are cores. A change needs a restart.
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<u32>,
    /// How many requests may wait in the supervisor's mailbox, because no scheduler can admit them at once. With a full mailbox
    /// requests are refused (503). Default: 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub mailbox: Option<u32>,
    /// How many messages wait in the mailbox of each kind of actor. docs/operations.md says when to widen which.
    pub mailboxes: MailboxesFile,
}

/// How many messages wait in a mailbox. The store's takes any number, as nothing there may be lost.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MailboxesFile {
    /// Of each worker's scheduler. With a full one requests wait for room. Default: 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub scheduler: Option<u32>,
    /// Of each API's actor. With a full one requests wait for room. Default: 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub upstream: Option<u32>,
    /// Of the actor that admits requests of keys with limits, where no worker can alone. With a full one requests are refused (503).
    /// Default: 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub keys: Option<u32>,
    /// Of the writer of objects' homes. With a full one a home is not remembered, and found by asking. Default: 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub homes: Option<u32>,
    /// The queue of ended requests for the log, the usage and the metrics. With a full one a request is in none of them. Default: 65536.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub recorder: Option<u32>,
    /// Of the owner of the configuration. With a full one `/v1/status` and `/metrics` wait. Default: 1000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub config: Option<u32>,
    /// Of the actor that asks for lists of models. Default: 1000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub discovery: Option<u32>,
    /// Of the sender of webhooks (`alerts`). With a full one news is left out. Default: 1000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub alerts: Option<u32>,
    /// Of the owner of the dashboard's sessions. Default: 1000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub dashboard: Option<u32>,
    /// Of each worker's copy of the configuration. Default: 1000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub follower: Option<u32>,
}

/// Redis or Valkey, for limits of several servers together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreFile {
    /// `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. A change needs a restart.
    #[schemars(length(min = 1))]
    pub url: String,
    /// Begins every key in the store. Servers with the same prefix share their limits. Default: `api-together`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub prefix: Option<String>,
}

/// Waiting for a limit to free, instead of a 429 at once.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct QueueFile {
    /// How long a request may wait, in milliseconds. Default: 0, not at all. One whose limit frees later is refused at
    /// once.
    #[schemars(range(min = 0, max = 600_000))]
    pub max_wait_ms: Option<u32>,
    /// How many requests may wait. Default: 1000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_waiting: Option<u32>,
}
