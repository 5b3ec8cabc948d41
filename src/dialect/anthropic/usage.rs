//! A `usage` object of Anthropic's API. What the prompt's cache gave and took stands beside `input_tokens`, and not within.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::usage::{CacheTokens, ReportedUsage, count};

#[derive(Deserialize)]
struct MessageUsage<'a> {
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_creation_input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_read_input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens: Option<&'a RawValue>,
}

/// Reads a `usage` member. What is no object reports nothing.
pub(super) fn read(usage: Option<&RawValue>) -> ReportedUsage {
    let object = usage.map(RawValue::get).filter(|json| json.starts_with('{'));
    let Some(fields) = object.and_then(|json| serde_json::from_str::<MessageUsage<'_>>(json).ok()) else {
        return ReportedUsage::default();
    };
    ReportedUsage {
        prompt: count(fields.input_tokens),
        completion: count(fields.output_tokens),
        beside_prompt: CacheTokens {
            read: count(fields.cache_read_input_tokens),
            written: count(fields.cache_creation_input_tokens),
        },
        ..ReportedUsage::default()
    }
}

/// Reads the usage at the beginning of a stream. Its count of generated tokens is a placeholder.
pub(super) fn read_at_start(usage: Option<&RawValue>) -> ReportedUsage {
    ReportedUsage { completion: None, ..read(usage) }
}
