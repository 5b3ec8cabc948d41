//! The limits of one owner or of one model: `rpm` and its like, and the list `limits`.

use schemars::JsonSchema;
use serde::Deserialize;

/// Limits of one owner, or of one model.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
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
    /// How `rpd` and `tpd` may be used over the day. Default: as fast as clients ask.
    pub pacing: Option<PacingFile>,
    /// A bound on a span shorter than the minute of `rpm`.
    pub burst: Option<BurstFile>,
    /// Requests at the same time. Default: no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_concurrent: Option<u32>,
    /// Limits of other periods, eight at most: `{"requests": 200, "per": "5h"}`, `{"tokens": 1000000, "per": "week"}`,
    /// `{"usd": 10, "per": "month"}`.
    pub limits: Vec<PeriodLimitFile>,
}

/// How a limit may be used over a period of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PacingFile {
    /// Evenly: a twenty-fourth at once, and the rest as the period goes on.
    Spread,
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

/// At most so many requests, tokens or dollars in a period. One of the three is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PeriodLimitFile {
    /// Requests.
    #[serde(default)]
    #[schemars(range(min = 1, max = 4_294_967_295_i64))]
    pub requests: Option<u64>,
    /// Tokens.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000_000_000_000_000_i64))]
    pub tokens: Option<u64>,
    /// Dollars, by the prices of the models.
    #[serde(default)]
    #[schemars(range(min = 0.000_001, max = 100_000.0))]
    pub usd: Option<f64>,
    /// `hour`, `day`, `week` (from Monday) or `month` (from the 1st), or any so many minutes, hours or days: `30m`, `5h`, `7 days`.
    #[schemars(length(min = 1))]
    pub per: String,
    /// When an hour, day, week or month begins: in an IANA time zone, or `rolling` for any time of that length. Default: the `reset`
    /// of the owner.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub reset: Option<String>,
    /// How the limit may be used over the period, which is then one of the calendar. Default: as fast as clients ask.
    #[serde(default)]
    pub pacing: Option<PacingFile>,
}
