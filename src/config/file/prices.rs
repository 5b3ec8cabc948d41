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
    /// Prices of single models, by this upstream's own name or a pattern (`gpt-*`), in dollars for a million tokens. They go before
    /// the tables.
    pub prices: Option<BTreeMap<String, PriceOfFile>>,
    /// What this account pays of the tables' prices: 0 for a free account, 0.5 for half. Default: 1.
    #[schemars(range(min = 0, max = 1_000))]
    pub price_factor: Option<f64>,
}

/// The price of a model, in dollars for a million tokens.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceOfFile {
    /// Of the prompt.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub input: f64,
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
}
