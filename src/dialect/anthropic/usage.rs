//! A `usage` object of Anthropic's API. What the prompt's cache gave and took stands beside `input_tokens`, and not within.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::billed::searches_of_tools;
use crate::dialect::usage::{CacheTokens, ReportedUsage, count};

#[derive(Deserialize)]
struct MessageUsage<'a> {
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_creation_input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_read_input_tokens: Option<&'a RawValue>,
    /// The written tokens by how long they stay.
    #[serde(borrow)]
    cache_creation: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    server_tool_use: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CacheCreation<'a> {
    #[serde(borrow)]
    ephemeral_5m_input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    ephemeral_1h_input_tokens: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OutputDetails<'a> {
    #[serde(borrow)]
    thinking_tokens: Option<&'a RawValue>,
}

/// Reads a member that is an object. Any other says nothing.
fn member<'a, T: Default + Deserialize<'a>>(value: Option<&'a RawValue>) -> T {
    let object = value.map(RawValue::get).filter(|json| json.starts_with('{'));
    object.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// Reads a `usage` member. What is no object reports nothing.
pub(super) fn read(usage: Option<&RawValue>) -> ReportedUsage {
    let object = usage.map(RawValue::get).filter(|json| json.starts_with('{'));
    let Some(fields) = object.and_then(|json| serde_json::from_str::<MessageUsage<'_>>(json).ok()) else {
        return ReportedUsage::default();
    };
    let created: CacheCreation<'_> = member(fields.cache_creation);
    let (short, long) = (count(created.ephemeral_5m_input_tokens), count(created.ephemeral_1h_input_tokens));
    let both = || short.or(long).map(|_| short.unwrap_or_default().saturating_add(long.unwrap_or_default()));
    let thought: OutputDetails<'_> = member(fields.output_tokens_details);
    ReportedUsage {
        prompt: count(fields.input_tokens),
        completion: count(fields.output_tokens),
        cache_write_1h: long,
        reasoning: count(thought.thinking_tokens),
        beside_prompt: CacheTokens {
            read: count(fields.cache_read_input_tokens),
            written: count(fields.cache_creation_input_tokens).or_else(both),
        },
        billed: searches_of_tools(fields.server_tool_use),
        ..ReportedUsage::default()
    }
}

/// Reads the usage at the beginning of a stream. Its count of generated tokens is a placeholder.
pub(super) fn read_at_start(usage: Option<&RawValue>) -> ReportedUsage {
    ReportedUsage { completion: None, ..read(usage) }
}
