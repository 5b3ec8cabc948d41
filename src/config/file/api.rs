//! One of `apis`, with limits: alone, or in one of `quotaGroups` with others.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::{ApiPricesFile, LimitsFile, QuirksFile, TimeoutsFile};

/// One account of an API of OpenAI's format, of Anthropic's, of Gemini's, or of several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("additionalProperties" = false))]
pub struct ApiFile {
    /// Unique name. Quotas and statistics outlive reloads and restarts, and a change of the name as well: see `was`.
    #[schemars(length(min = 1))]
    pub id: String,
    /// The former id of a renamed entry, whose counts, statistics and stored objects the entry takes over. Needed only where
    /// base URL or key change at the same time: an account is recognised by these.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub was: Option<String>,
    /// The name for people. Default: the id.
    #[serde(default)]
    pub name: Option<String>,
    /// A known provider (`api-together presets` lists them): fills in what the entry does not say. What the entry says wins, and
    /// `null` takes a field away.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub provider: Option<String>,
    /// The blank in the base URL of the provider `azure`: the name of the resource.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub resource: Option<String>,
    /// The blank in the base URL of the provider `cloudflare`: the account's id.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub account: Option<String>,
    /// The base URL, with or without `/v1`: `https://api.openai.com`, `https://host/prefix/v1`. A `#` at the end keeps the path
    /// as typed, for an API without a version in the path: `https://host/inference#`.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The base URL of the account's API in Anthropic's format (`/v1/messages`), with or without `/v1`:
    /// `https://api.anthropic.com`, `https://api.deepseek.com/anthropic`. A `#` at the end keeps the path as typed. Beside
    /// `baseUrl` or instead; limits and health are the same for both.
    #[serde(default)]
    pub anthropic_base_url: Option<String>,
    /// The base URL of the account's API in Gemini's own format (`/v1beta/models/M:generateContent`), without a version:
    /// `https://generativelanguage.googleapis.com`. Requests bring the version of their path along, unless the base URL has one, or a
    /// `#` at the end. Beside the others or instead; limits and health are the same for all.
    #[serde(default)]
    pub gemini_base_url: Option<String>,
    /// The date of Azure's classic form, such as `2024-10-21` or `2025-04-01-preview`: `baseUrl` is `https://NAME.openai.azure.com`,
    /// and requests go to `/openai/deployments/{model}/…?api-version=…` there. Left out for Azure's form of today, `…/openai/v1`.
    #[serde(default)]
    #[schemars(extend("pattern" = r"^\d{4}-\d{2}-\d{2}(-preview)?$"))]
    pub api_version: Option<String>,
    /// The header with the key at `baseUrl`. Default: `bearer`; with `apiVersion`: `api-key`.
    #[serde(default)]
    pub auth: Option<AuthFile>,
    /// The header with the key at `anthropicBaseUrl`. Default: `x-api-key`.
    #[serde(default)]
    pub anthropic_auth: Option<AuthFile>,
    /// The header with the key at `geminiBaseUrl`. Default: `x-goog-api-key`.
    #[serde(default)]
    pub gemini_auth: Option<AuthFile>,
    /// More headers for each request to this API, by name. A client's header of the same name is not sent. `null` takes away what the
    /// provider's preset has.
    #[serde(default)]
    pub headers: Option<BTreeMap<String, Option<String>>>,
    /// The key. Either this or `apiKeyFile`. With a `provider` the default is its usual variable, such as `${GROQ_API_KEY}`.
    #[serde(default)]
    pub api_key: Option<String>,
    /// A file with the key and nothing else, relative to this file's folder.
    #[serde(default)]
    pub api_key_file: Option<String>,
    /// Limits of all models together.
    #[serde(flatten)]
    pub limits: LimitsFile,
    /// When the day of `rpd` and `tpd` begins: at midnight in an IANA time zone (`America/Los_Angeles`, `UTC`), or `rolling` for
    /// any 24 hours. Default: as known of the provider or the host, else the server's own zone.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub reset: Option<String>,
    /// More limits for single models, by the clients' name or this upstream's own. No patterns.
    #[serde(default)]
    pub model_limits: BTreeMap<String, LimitsFile>,
    /// The group with which this API shares limits: the group's entry in `quotaGroups`; without an entry, the tightest of the
    /// members' limits.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub quota_group: Option<String>,
    /// Which requests count against `rpm`, `rpd` and `burst`: all that may have reached the upstream, or all but the ones turned
    /// away with a 429. Default: `attempt`.
    #[serde(default)]
    pub count_on: Option<CountOnFile>,
    /// Default: true.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// The served models. `*` stands for any text (`claude-*`, `*`): every such name is sent there, and the upstream is asked
    /// which there are, for the list of models. Left out: the upstream is asked (`GET /v1/models`, at `baseUrl` if there is one),
    /// at load and every ten minutes, and serves the models of the answer.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub models: Option<Vec<String>>,
    /// Requested name → this upstream's name for it. Requested names are served as if they stood in `models`, and may have `*`
    /// for any text (`claude-*`). A name of its own comes first, then the pattern with the most text. A model that stands in
    /// `models` by name is not mapped by a pattern.
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
    /// Whether HTTP/2 is offered to an `https://` API. Default: true; false for HTTP/1.1 alone.
    #[serde(default)]
    pub http2: Option<bool>,
    /// The proxy on the way to this API, instead of `server.proxy`. `none` or `null`: no proxy.
    #[serde(default, deserialize_with = "given")]
    #[schemars(length(min = 1))]
    pub proxy: Option<Option<String>>,
    /// How long to wait for this API.
    #[serde(default)]
    pub timeouts: Option<TimeoutsFile>,
    /// In what this API differs from others of the same format.
    #[serde(flatten)]
    pub quirks: QuirksFile,
    /// What this API costs.
    #[serde(flatten)]
    pub prices: ApiPricesFile,
}

/// Keeps a `null` apart from a field that is left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum AuthFile {
    /// `Authorization: Bearer KEY`.
    #[serde(rename = "bearer")]
    Bearer,
    /// `x-api-key: KEY`.
    #[serde(rename = "x-api-key")]
    XApiKey,
    /// `api-key: KEY`, as Azure wants.
    #[serde(rename = "api-key")]
    ApiKey,
    /// `x-goog-api-key: KEY`, as Google wants.
    #[serde(rename = "x-goog-api-key")]
    XGoogApiKey,
}

/// Limits of several APIs together.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("additionalProperties" = false))]
pub struct GroupFile {
    /// Limits of all models together.
    #[serde(flatten)]
    pub limits: LimitsFile,
    /// When the day of `rpd` and `tpd` begins, as for an API. Default: as the members' days do.
    #[schemars(length(min = 1))]
    pub reset: Option<String>,
    /// More limits for single models, by the upstreams' own name.
    pub model_limits: BTreeMap<String, LimitsFile>,
}

/// Which requests count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CountOnFile {
    /// All that may have reached the upstream.
    Attempt,
    /// All but the ones turned away with a 429.
    Accepted,
}
