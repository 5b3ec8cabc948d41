//! A `usageMetadata` object.
//!
//! 1. Thoughts stand beside `candidatesTokenCount`, and what tools added to the prompt beside `promptTokenCount`.
//! 2. What came from a cache is a part of `promptTokenCount`.
//! 3. The counts of a stream are cumulative: the last report replaces the earlier ones.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::usage::{ReportedUsage, count};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageMetadata<'a> {
    #[serde(borrow)]
    prompt_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_use_prompt_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    cached_content_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    candidates_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    thoughts_token_count: Option<&'a RawValue>,
    #[serde(borrow)]
    total_token_count: Option<&'a RawValue>,
}

/// Reads a `usageMetadata` member. What is no object reports nothing.
pub(super) fn read(usage: Option<&RawValue>) -> ReportedUsage {
    let object = usage.map(RawValue::get).filter(|json| json.starts_with('{'));
    let Some(fields) = object.and_then(|json| serde_json::from_str::<UsageMetadata<'_>>(json).ok()) else {
        return ReportedUsage::default();
    };
    let thoughts = count(fields.thoughts_token_count);
    ReportedUsage {
        prompt: sum(count(fields.prompt_token_count), count(fields.tool_use_prompt_token_count)),
        completion: sum(count(fields.candidates_token_count), thoughts),
        total: count(fields.total_token_count),
        cached: count(fields.cached_content_token_count),
        reasoning: thoughts,
        ..ReportedUsage::default()
    }
}

/// Returns the last report in a part of an answer.
pub(in crate::dialect) fn find_last(part: &[u8]) -> ReportedUsage {
    const MEMBER: &[u8] = b"\"usageMetadata\"";
    let Some(at) = memchr::memmem::rfind(part, MEMBER) else { return ReportedUsage::default() };
    let behind = part.get(at + MEMBER.len()..).unwrap_or_default().trim_ascii_start();
    let value = behind.strip_prefix(b":").unwrap_or_default();
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<&RawValue>();
    values.next().and_then(Result::ok).map_or_else(ReportedUsage::default, |value| read(Some(value)))
}

/// Adds two counts; `None` if both are missing.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.or(other).map(|_| one.unwrap_or_default().saturating_add(other.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::usage::EstimatedUsage;
    use crate::types::UsageSource;

    #[test]
    fn every_count_is_of_one_kind_and_all_add_up_to_the_total() {
        for (json, (input, cached, output, reasoning, total), source) in [
            (
                r#"{"promptTokenCount":100,"candidatesTokenCount":20,"totalTokenCount":120}"#,
                (100, 0, 20, 0, 120),
                UsageSource::Reported,
            ),
            (
                r#"{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":20,
                    "thoughtsTokenCount":300,"toolUsePromptTokenCount":7,"totalTokenCount":427}"#,
                (47, 60, 20, 300, 427),
                UsageSource::Reported,
            ),
            (
                r#"{"promptTokenCount":5,"thoughtsTokenCount":64,"totalTokenCount":69}"#,
                (5, 0, 0, 64, 69),
                UsageSource::Reported,
            ),
            (r#"{"promptTokenCount":5,"totalTokenCount":5}"#, (5, 0, 9, 0, 14), UsageSource::Estimated),
            ("null", (3, 0, 9, 0, 12), UsageSource::Estimated),
            ("[]", (3, 0, 9, 0, 12), UsageSource::Estimated),
        ] {
            let raw: &RawValue = serde_json::from_str(json).expect("JSON");
            let usage = read(Some(raw)).completed(EstimatedUsage { prompt: 3, completion: 9 });
            let kinds = usage.kinds;
            let found = (kinds.input, kinds.cached, kinds.output, kinds.reasoning, usage.total);
            assert_eq!((found, usage.source), ((input, cached, output, reasoning, total), source), "{json}");
        }
    }
}
