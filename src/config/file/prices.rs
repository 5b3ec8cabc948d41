//! What tokens cost: `prices` of the file, and `prices` and `priceFactor` of an entry of `apis`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where prices come from, beside the program's own table.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PricesFile {
    /// A table of prices, relative to this file's folder: our CSV, LiteLLM's `model_prices_and_context_window.json`, or
    /// models.dev's `api.json`. A change of the file takes effect within two seconds.
    #[schemars(length(min = 1))]
    pub file: Option<String>,
}

/// What an account costs, beside the tables.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("additionalProperties" = false))]
pub struct ApiPricesFile {
    /// Prices of single models, by this upstream's own name or a pattern (`gpt-*`), in dollars for a million tokens, or for an image
    /// and other units. They go before the tables.
    pub prices: Option<BTreeMap<String, PriceOfFile>>,
    /// What this account pays of the tables' prices: 0 for a free account, 0.5 for half. Default: 1.
    #[schemars(range(min = 0, max = 1_000))]
    pub price_factor: Option<f64>,
}

/// The price of a model, in dollars for a million tokens, or for one of what is billed beside tokens. `input` or one of the latter is
/// needed.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceOfFile {
    /// Of the prompt. Default: 0, if something beside tokens has a price.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub input: Option<f64>,
    /// Of the answer. Default: as `input`.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub output: Option<f64>,
    /// Of the prompt's part that a cache gave. Default: as `input`.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub cache_read: Option<f64>,
    /// Of the prompt's part that was written into a cache. Default: as `input`.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub cache_write: Option<f64>,
    /// The same, for a cache of one hour. Default: as `cacheWrite`.
    #[serde(default, rename = "cacheWrite1h")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub cache_write_1h: Option<f64>,
    /// Of thoughts. Default: as `output`.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub reasoning: Option<f64>,
    /// Dollars for an image that is made.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub per_image: Option<f64>,
    /// Dollars for a second of sound that is written down.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub per_audio_second: Option<f64>,
    /// Dollars for a character of a text that is spoken.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub per_character: Option<f64>,
    /// Dollars for a page of a document that is read.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub per_page: Option<f64>,
    /// Dollars for a search, in the web or of a ranking.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub per_search: Option<f64>,
}
