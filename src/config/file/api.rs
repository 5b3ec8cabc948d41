//! One of `apis`, and what limits it: alone, or in one of `quotaGroups` with others.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::TimeoutsFile;

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
    /// Where it is, with or without `/v1`: `https://api.openai.com`, `https://host/prefix/v1`. One that ends in `#` is taken
    /// as it stands, for an API without a version in its path: `https://host/inference#`.
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
    #[schemars(range(min = -2_147_483_648_i64, max = 2_147_483_647_i64))]
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
