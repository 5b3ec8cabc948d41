//! `retry` and `timeouts`: what happens when an upstream fails or takes long.

use schemars::JsonSchema;
use serde::Deserialize;

/// How long to wait for an upstream. All in milliseconds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TimeoutsFile {
    /// DNS, TCP and TLS together. Default: 10000.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub connect_ms: Option<u32>,
    /// From the request to the first content of a stream. When time is up, another upstream is tried. Default: 120000.
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
    /// `timeouts.firstTokenTimeoutMs` for APIs without their own.
    #[schemars(range(min = 1, max = 3_600_000))]
    pub first_token_timeout_ms: Option<u32>,
    /// Which failures move a request to another upstream: `any`, or classes of docs/failures.md. Default: all of them but `rejected`,
    /// the caller's own mistake.
    pub retry_on: Option<RetryOnFile>,
    /// What bounds further attempts where upstreams are in trouble.
    pub budget: BudgetFile,
    /// How often a failed upstream is asked again, where no other one is left. Default: 0.
    #[schemars(range(min = 0, max = 10))]
    pub same_upstream: Option<u32>,
    /// The pause before asking again, in milliseconds: doubled each time, and by chance up to a half shorter. Default: 250.
    #[schemars(range(min = 1, max = 60_000))]
    pub backoff_ms: Option<u32>,
    /// After so many milliseconds without an answer (of a stream: without content), a second upstream is asked, too. The first to
    /// answer wins, the other one is stopped, and both count. Default: 0, never.
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
    /// In each second, on top of the percentage; ten times as many may come at once. Default: 10.
    #[schemars(range(min = 0, max = 10_000))]
    pub per_second: Option<u32>,
}
