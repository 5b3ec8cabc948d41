//! In what an API differs from others of the same format.

use schemars::JsonSchema;
use serde::Deserialize;

/// In what an API differs from others of the same format. A preset (`provider`) fills these fields in.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("additionalProperties" = false))]
pub struct QuirksFile {
    /// Which tokens count against `tpm` and `tpd`: those of prompts and answers, or those of prompts alone (Gemini). Default: `all`.
    pub tpm_counts: Option<TpmCountsFile>,
    /// Whether tokens of a prompt that the provider read from a cache count against `tpm` and `tpd`. Default: true. False for
    /// Groq. What Anthropic's format reports as read from a cache never counts.
    pub cached_tokens_count: Option<bool>,
    /// What the provider's own limits are about: the account, or each model by itself (Groq, Gemini). When one is reached, the
    /// whole API rests, or the model alone. A refusal that names its model rests the model in any case. Default: `account`.
    pub limits_per: Option<LimitsPerFile>,
    /// Whether the usage of streams must be asked for (`stream_options`). Default: `ask`, which learns by one refused request where
    /// `stream_options` are not known.
    pub stream_usage: Option<StreamUsageFile>,
    /// Whether a request that this API rejects (400, 413, 415, 422) is tried at another API of the model, if one is left: for APIs
    /// that refuse what others take. A moderator's verdict and a prompt beyond the context stay. Default: false.
    pub retry_rejected: Option<bool>,
    /// Parameters of requests that this API refuses (`logprobs`, `seed`). A request with one of them goes to other APIs of the model
    /// that are enabled and do not refuse it. Without such an API it is sent as it is.
    #[schemars(length(max = 64))]
    pub unsupported_parameters: Option<Vec<String>>,
}

/// Which tokens count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TpmCountsFile {
    /// Tokens of prompts and answers.
    All,
    /// Tokens of prompts alone.
    Input,
}

/// How the usage of streams is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StreamUsageFile {
    /// When it is asked for by `stream_options`. The server asks where a client does not.
    Ask,
    /// With each stream, unasked. The server does not ask, and a client's `stream_options` are not sent.
    Unasked,
    /// Not at all: the server does not ask, and estimates.
    Never,
}

/// What a limit of the provider's own is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LimitsPerFile {
    /// All models together.
    Account,
    /// Each model by itself.
    Model,
}
