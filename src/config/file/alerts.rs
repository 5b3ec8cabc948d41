//! `alerts`: who is told of what.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::types::AlertEvent;

/// A receiver of messages about events: a webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AlertFile {
    /// Where a JSON message is posted to, by `https://` or `http://`. May be a secret; never shown.
    #[schemars(length(min = 1))]
    pub url: String,
    /// The events. Default: all.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub on: Option<Vec<AlertEvent>>,
    /// Headers of each message, such as `Authorization`. The values may be secrets; never shown.
    #[serde(default)]
    pub headers: Option<BTreeMap<String, String>>,
}
