//! `keys`: the keys of clients, each with a name, rights and limits. And the keys of people who operate the pool.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{LimitsFile, OneOrMany, PacingFile, PeriodLimitFile};

/// A client's key, with a name, rights and limits of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("additionalProperties" = false))]
pub struct KeyFile {
    /// Unique name, in logs, counts and answers: up to 64 letters, digits and `-_.@/+`. What is spent belongs to the name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The key: in clear text, or as a digest, `sha256:` and what `printf %s KEY | sha256sum` prints. A list has the old key and
    /// the new one while one takes the other's place.
    pub key: OneOrMany,
    /// The models that may be asked for, by the name in the request; `*` stands for any text. An alias counts by the alias's own
    /// name. Default: all.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub models: Option<Vec<String>>,
    /// The ids of the APIs that may serve the key; `*` stands for any text. Default: all.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub apis: Option<Vec<String>>,
    /// Limits on what the key asks for. A request counts once, however many APIs are tried.
    #[serde(flatten)]
    pub limits: LimitsFile,
    /// How much money the key may spend in each period.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub budgets: Option<Vec<KeyBudgetFile>>,
    /// When the days, weeks and months of limits and budgets begin: at midnight in an IANA time zone (`Europe/Berlin`, `UTC`), or
    /// `rolling`. Default: the server's own zone.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub reset: Option<String>,
    /// The last day of the key (`2027-03-01`, in the zone of `reset`), or the moment of its end (`2027-03-01T12:00:00Z`).
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub expires: Option<String>,
    /// Default: true.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// A budget: so many dollars in each period.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyBudgetFile {
    /// US dollars.
    #[schemars(range(min = 0.0, max = 100_000.0))]
    pub usd: f64,
    /// `hour`, `day`, `week`, `month`, or a number of minutes, hours or days (`5h`, `30m`, `7 days`).
    #[schemars(length(min = 1))]
    pub per: String,
    /// How the budget may be spent over the period, which is then one of the calendar. Default: as fast as clients ask.
    #[serde(default)]
    pub pacing: Option<PacingFile>,
}

impl KeyBudgetFile {
    /// Returns the same as an entry of `limits`.
    pub(in crate::config) fn as_limit(&self) -> PeriodLimitFile {
        PeriodLimitFile {
            requests: None,
            tokens: None,
            usd: Some(self.usd),
            per: self.per.clone(),
            reset: None,
            pacing: self.pacing,
        }
    }
}

/// A key of a person who operates the pool: the key alone, or with a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OperatorKeyFile {
    /// The key, or a digest.
    Plain(String),
    /// The same, with a name.
    Named(NamedKeyFile),
}

/// An operator's key with a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedKeyFile {
    /// The name in logs.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The key: in clear text, or as a digest.
    #[schemars(length(min = 1))]
    pub key: String,
}
