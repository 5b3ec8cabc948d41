//! What is typed: the shape of `config/apis.json`. `config/apis.schema.json` is generated from these types, and the
//! same schema checks what is typed, so that the two can't drift apart. What it means is in [`super::Config`].
//!
//! Unknown fields are refused: by `deny_unknown_fields`, or by the schema alone where limits are flattened into a struct, as
//! serde can't do both.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

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
    /// What happens when an upstream fails.
    #[serde(default)]
    pub retry: RetryFile,
    /// How long to wait for the APIs that say nothing else themselves.
    #[serde(default)]
    pub timeouts: TimeoutsFile,
    /// What happens when every upstream is at a limit.
    #[serde(default)]
    pub queue: QueueFile,
    /// Limits that several APIs share, by the name that they give as `quotaGroup`: keys of one account, say.
    #[serde(default)]
    pub quota_groups: BTreeMap<String, GroupFile>,
    /// Where limits are counted, if several servers share them. Without it each server counts for itself.
    #[serde(default)]
    pub store: Option<StoreFile>,
    /// How the server is laid out over the machine.
    #[serde(default)]
    pub actors: ActorsFile,
}

/// How the server is laid out over the machine.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ActorsFile {
    /// Threads that serve clients, each with a scheduler of its own. Default: as many as there are cores. A change needs a
    /// restart.
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<u32>,
    /// How many requests may wait in the supervisor's mailbox: those that no scheduler can admit at once. One that finds it
    /// full is refused (503). Default: 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub mailbox: Option<u32>,
}

/// Redis or Valkey, for limits that several servers share.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreFile {
    /// `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. A change needs a restart.
    #[schemars(length(min = 1))]
    pub url: String,
    /// Begins every key there: servers that share it share their limits. Default: `api-together`.
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

/// The pool's own address and keys.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServerFile {
    /// The name that `/health`, `/v1/status` and `/v1/token/stats` give as `service`. Default: "OpenAI API代理服务".
    pub name: Option<String>,
    /// Address to listen on. Default: `localhost`, which is 127.0.0.1 and \[::1\]; `0.0.0.0` for every interface.
    pub host: Option<String>,
    /// TCP port. Default: 3001. 0 takes any free one. A change needs a restart.
    pub port: Option<u16>,
    /// The key (or a list of keys) that clients must send: as it is, or its digest, `sha256:` and what
    /// `printf %s KEY | sha256sum` prints. Without any, clients need none.
    pub api_key: Option<OneOrMany>,
    /// More keys for clients.
    #[schemars(length(min = 1))]
    pub api_keys: Option<Vec<String>>,
    /// A stream whose client has heard nothing for so many milliseconds is sent a comment (`: ping`), which clients pass over, so that
    /// nothing on the way takes it for dead. Default: 0, never. One that waits for its first content is then answered
    /// with a 200 at once, and a failure is told as an event.
    #[schemars(range(min = 0, max = 600_000))]
    pub stream_ping_ms: Option<u32>,
    /// The largest request body, in MiB. Default: 64.
    #[schemars(range(min = 1, max = 4096))]
    pub body_limit_mb: Option<u32>,
    /// Origins (`https://app.example.com`) whose pages may call the pool from a browser; `*` for any. Default: none.
    #[schemars(length(min = 1))]
    pub cors: Option<Vec<String>>,
    /// Clients' connections at the same time; more are told so (503). Default: a little less than half of the file descriptors that
    /// the process may open, at most 25000. A change needs a restart.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: Option<u32>,
    /// Requests at the same time; more are refused (503). Default: 10000.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_requests: Option<u32>,
    /// Request bodies held in memory at the same time, in MiB; more are refused (503). Default: an eighth of the memory of the
    /// machine or the container.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub bodies_in_flight_mb: Option<u32>,
    /// How long a request's head may take to come, in milliseconds (to the half second). Default: 10000. A change needs a
    /// restart.
    #[schemars(range(min = 1_000, max = 3_600_000))]
    pub head_timeout_ms: Option<u32>,
    /// How long the next piece of a request's body may take to come, in milliseconds; and all of it, with a second more for
    /// each 1,000 bytes. Default: 30000.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub body_timeout_ms: Option<u32>,
    /// How long a client may take nothing of what is written to it, in milliseconds. Default: 60000. A change needs a restart.
    #[schemars(range(min = 10, max = 3_600_000))]
    pub write_timeout_ms: Option<u32>,
    /// How long `/health` says `stopping` before the server takes no more connections, in milliseconds. Default: 0. A change
    /// needs a restart.
    #[schemars(range(min = 0, max = 600_000))]
    pub drain_delay_ms: Option<u32>,
    /// How long running answers may take to end when the server stops, in seconds. Default: 30. A change needs a restart.
    #[schemars(range(min = 0, max = 86_400))]
    pub shutdown_timeout_sec: Option<u32>,
    /// Makes the server speak HTTPS. A change needs a restart, a new content of the files does not.
    pub tls: Option<ServerTlsFile>,
}

/// A certificate of the server's own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerTlsFile {
    /// PEM file with the certificate and those that vouch for it, relative to this file's folder.
    #[schemars(length(min = 1))]
    pub cert_file: String,
    /// PEM file with the certificate's private key, relative to this file's folder.
    #[schemars(length(min = 1))]
    pub key_file: String,
}

/// One string, or a list of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// A single one.
    One(String),
    /// A list.
    Many(#[schemars(length(min = 1))] Vec<String>),
}

/// One account of one OpenAI-format API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("additionalProperties" = false))]
pub struct ApiFile {
    /// Unique name. Quotas and statistics belong to it, across reloads and restarts.
    #[schemars(length(min = 1))]
    pub id: String,
    /// What people call it. Default: the id.
    #[serde(default)]
    pub name: Option<String>,
    /// Where it is, with or without `/v1`: `https://api.openai.com`, `https://host/prefix/v1`.
    pub base_url: String,
    /// Its key, sent as `Authorization: Bearer`. Either this or `apiKeyFile`.
    #[serde(default)]
    pub api_key: Option<String>,
    /// A file that holds the key and nothing else, relative to this file's folder.
    #[serde(default)]
    pub api_key_file: Option<String>,
    /// Limits of all its models together.
    #[serde(flatten)]
    pub limits: LimitsFile,
    /// When the day of `rpd` and `tpd` begins anew: at midnight in an IANA time zone (`America/Los_Angeles`, `UTC`), or `rolling`
    /// for any 24 hours. Default: the zone that the provider is known to count in (Gemini, OpenRouter), else the
    /// server's own.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub reset: Option<String>,
    /// Limits for single models besides, by the name that clients ask for or this upstream's own.
    #[serde(default)]
    pub model_limits: BTreeMap<String, LimitsFile>,
    /// The group whose limits this API shares with others: its entry in `quotaGroups`; without one, the tightest of the
    /// limits that its members give.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub quota_group: Option<String>,
    /// Which requests count against `rpm`, `rpd` and `burst`: every one that may have reached the upstream, or only those
    /// that it did not turn away with a 429. Default: `attempt`.
    #[serde(default)]
    pub count_on: Option<CountOnFile>,
    /// Default: true.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// The models it serves. Left out: the upstream is asked (`GET /v1/models`), at load and every ten minutes.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub models: Option<Vec<String>>,
    /// Requested name → this upstream's name for it. Requested names are served as if they stood in `models`.
    #[serde(default)]
    pub model_mapping: Option<BTreeMap<String, String>>,
    /// Share of the traffic among the APIs of one priority, relative to theirs. Default: 1.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub weight: Option<u32>,
    /// APIs of the lowest number are used first; the next only when none of these can serve. Default: 0.
    #[serde(default)]
    pub priority: Option<i32>,
    /// Is HTTP/2 spoken to an `https://` API that chooses it? Default: true; false for HTTP/1.1 alone.
    #[serde(default)]
    pub http2: Option<bool>,
    /// How long to wait for this API.
    #[serde(default)]
    pub timeouts: Option<TimeoutsFile>,
}

/// Limits of one owner, or of one model of it.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("additionalProperties" = false))]
pub struct LimitsFile {
    /// Requests in any 60 seconds; -1 for no limit (the default), 0 disables.
    #[schemars(range(min = -1, max = 4_294_967_295_i64))]
    pub rpm: Option<i64>,
    /// Requests a day, as `reset` counts days; -1 for no limit (the default), 0 disables.
    #[schemars(range(min = -1, max = 4_294_967_295_i64))]
    pub rpd: Option<i64>,
    /// Tokens in any 60 seconds, of prompts and answers; -1 for no limit (the default), 0 disables.
    #[schemars(range(min = -1, max = 1_000_000_000_000_000_i64))]
    pub tpm: Option<i64>,
    /// Tokens a day, as `reset` counts days; -1 for no limit (the default), 0 disables.
    #[schemars(range(min = -1, max = 1_000_000_000_000_000_i64))]
    pub tpd: Option<i64>,
    /// A bound on a span shorter than the minute of `rpm`.
    pub burst: Option<BurstFile>,
    /// Requests at the same time. Default: no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_concurrent: Option<u32>,
}

/// Limits that several APIs share.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("additionalProperties" = false))]
pub struct GroupFile {
    /// Limits of all models together.
    #[serde(flatten)]
    pub limits: LimitsFile,
    /// When the day of `rpd` and `tpd` begins anew, as for an API. Default: as its members' days do.
    #[schemars(length(min = 1))]
    pub reset: Option<String>,
    /// Limits for single models besides, by the upstreams' own name.
    pub model_limits: BTreeMap<String, LimitsFile>,
}

/// Which requests count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CountOnFile {
    /// Every one that may have reached the upstream.
    Attempt,
    /// Those that it did not turn away with a 429.
    Accepted,
}

/// At most so many requests in any so many seconds.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BurstFile {
    /// Requests.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests: u32,
    /// Seconds.
    #[schemars(range(min = 1, max = 60))]
    pub seconds: u32,
}

/// How long to wait for an upstream. All in milliseconds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TimeoutsFile {
    /// DNS, TCP and TLS together. Default: 10000.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub connect_ms: Option<u32>,
    /// From the request to the first content of a stream; after it another upstream is tried. Default: 120000.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub first_token_timeout_ms: Option<u32>,
    /// Between two pieces of an answer. Default: 120000.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub idle_ms: Option<u32>,
    /// The whole exchange. Default: 600000; for a stream 3600000.
    #[schemars(range(min = 1, max = 86_400_000))]
    pub total_ms: Option<u32>,
}

/// What happens when an upstream fails.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetryFile {
    /// How many upstreams are tried for one request, each at most once. Default: 10.
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: Option<u32>,
    /// `timeouts.firstTokenTimeoutMs` of the APIs that name none of their own.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub first_token_timeout_ms: Option<u32>,
    /// Which failures move a request to another upstream: `any`, or classes of docs/failures.md. Default: all of them but `rejected`,
    /// the caller's own mistake.
    pub retry_on: Option<RetryOnFile>,
    /// What bounds further attempts where upstreams are in trouble.
    pub budget: BudgetFile,
    /// How often an upstream that is in trouble is asked again, where no other one is left. Default: 0.
    #[schemars(range(min = 0, max = 10))]
    pub same_upstream: Option<u32>,
    /// The pause before that, in milliseconds; doubled each time, and up to a half of it left out by chance. Default: 250.
    #[schemars(range(min = 1, max = 60_000))]
    pub backoff_ms: Option<u32>,
    /// After so many milliseconds without an answer (of a stream: without its first content), a second upstream is asked
    /// besides; the first to speak is heard, the other one stopped, and both count. Default: 0, never.
    #[schemars(range(min = 0, max = 600_000))]
    pub hedge_after_ms: Option<u32>,
}

/// `any`, or a list of failure classes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RetryOnFile {
    /// `any`: whatever is no success, as the original did.
    One(String),
    /// Classes, as docs/failures.md names them.
    Many(Vec<String>),
}

/// How many further attempts the pool makes, over all requests, because upstreams are in trouble.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BudgetFile {
    /// Of a hundred requests. Default: 20.
    #[schemars(range(min = 0, max = 1_000))]
    pub percent: Option<u32>,
    /// Besides, in each second; ten times as many may come at once. Default: 10.
    #[schemars(range(min = 0, max = 10_000))]
    pub per_second: Option<u32>,
}
