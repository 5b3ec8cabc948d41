//! A `usage` object of OpenAI's APIs and of similar ones. Each count is read separately.

use memchr::memmem::FinderRev;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::LazyLock;

use super::fields::TopLevel;
use crate::dialect::billed::{searches, searches_of_items, searches_of_tools};
use crate::dialect::usage::{ReportedUsage, count};

/// Finds the last member of this name.
static USAGE: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new("\"usage\""));

#[derive(Deserialize)]
struct UsageFields<'a> {
    #[serde(borrow)]
    prompt_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    completion_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    total_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    input_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    completion_tokens_details: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens_details: Option<&'a RawValue>,
    /// The Realtime API's.
    #[serde(borrow)]
    input_token_details: Option<&'a RawValue>,
    #[serde(borrow)]
    output_token_details: Option<&'a RawValue>,
    /// DeepSeek's: together the prompt.
    #[serde(borrow)]
    prompt_cache_hit_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_cache_miss_tokens: Option<&'a RawValue>,
    /// Moonshot's, and Together's.
    #[serde(borrow)]
    cached_tokens: Option<&'a RawValue>,
    /// Of relays to Anthropic, within the prompt.
    #[serde(borrow)]
    cache_creation_input_tokens: Option<&'a RawValue>,
    /// Perplexity's.
    #[serde(borrow)]
    reasoning_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    num_search_queries: Option<&'a RawValue>,
    /// Of relays to Anthropic.
    #[serde(borrow)]
    server_tool_use: Option<&'a RawValue>,
}

/// The details of a prompt, or of a completion.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Details<'a> {
    #[serde(borrow)]
    cached_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_write_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_creation_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_tokens: Option<&'a RawValue>,
}

fn details(value: Option<&RawValue>) -> Details<'_> {
    let object = value.map(RawValue::get).filter(|json| json.starts_with('{'));
    object.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

impl ReportedUsage {
    /// Reads the value of a `usage` member. What is no object reports nothing.
    pub(crate) fn read(json: &str) -> ReportedUsage {
        // By order, serde would take a list for an object.
        let fields = json.starts_with('{').then(|| serde_json::from_str::<UsageFields<'_>>(json).ok()).flatten();
        fields.as_ref().map_or_else(ReportedUsage::default, Self::of_fields)
    }

    fn of_fields(fields: &UsageFields<'_>) -> ReportedUsage {
        let of_prompt = [fields.prompt_tokens_details, fields.input_tokens_details, fields.input_token_details];
        let of_answer = [fields.completion_tokens_details, fields.output_tokens_details, fields.output_token_details];
        let prompt = details(of_prompt.into_iter().flatten().next());
        let generated = details(of_answer.into_iter().flatten().next());
        let (hit, miss) = (count(fields.prompt_cache_hit_tokens), count(fields.prompt_cache_miss_tokens));
        let of_hit_and_miss = || hit.zip(miss).map(|(hit, miss)| hit.saturating_add(miss));
        ReportedUsage {
            prompt: count(fields.prompt_tokens).or(count(fields.input_tokens)).or_else(of_hit_and_miss),
            completion: count(fields.completion_tokens).or(count(fields.output_tokens)),
            total: count(fields.total_tokens),
            cached: count(prompt.cached_tokens).or(hit).or(count(fields.cached_tokens)),
            cache_write: [prompt.cache_write_tokens, prompt.cache_creation_tokens, fields.cache_creation_input_tokens]
                .into_iter()
                .find_map(count),
            reasoning: count(generated.reasoning_tokens).or(count(fields.reasoning_tokens)),
            billed: match count(fields.num_search_queries) {
                Some(queries) => searches(queries),
                None => searches_of_tools(fields.server_tool_use),
            },
            ..ReportedUsage::default()
        }
    }

    /// Reads a `usage` member. A missing one reports nothing.
    pub(super) fn of_member(usage: Option<&RawValue>) -> ReportedUsage {
        usage.map_or_else(ReportedUsage::default, |usage| ReportedUsage::read(usage.get()))
    }

    /// Searches a part of an answer, from the end on, for a `usage` member with any count.
    pub(crate) fn find_last(part: &[u8]) -> ReportedUsage {
        for at in USAGE.rfind_iter(part) {
            let behind = part.get(at + USAGE.needle().len()..).unwrap_or_default().trim_ascii_start();
            let value = behind.strip_prefix(b":").unwrap_or_default();
            let mut values = serde_json::Deserializer::from_slice(value).into_iter::<&RawValue>();
            if let Some(Ok(value)) = values.next() {
                let usage = ReportedUsage::read(value.get());
                if !usage.is_empty() {
                    return usage;
                }
            }
        }
        ReportedUsage::default()
    }
}

impl TopLevel<'_> {
    /// Returns the usage of an event. The Responses API reports usage and searches within the response, and Groq usage within `x_groq`.
    pub(super) fn usage_of_event(&self) -> ReportedUsage {
        let response = self.response.and_then(members_of);
        let of_response = response.as_ref().and_then(|response| response.usage);
        let usage = of_response.or(self.usage.filter(|usage| usage.get() != "null"));
        let usage = ReportedUsage::of_member(usage.or_else(|| self.x_groq.and_then(members_of)?.usage));
        let searches = searches_of_items(response.and_then(|response| response.output));
        ReportedUsage { billed: usage.billed.larger(searches), ..usage }
    }
}

fn members_of(object: &RawValue) -> Option<TopLevel<'_>> {
    serde_json::from_str(object.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::usage::EstimatedUsage;
    use crate::types::CountedTokens;

    fn read(json: &str) -> (Option<u64>, Option<u64>, Option<u64>) {
        let usage = ReportedUsage::read(json);
        (usage.prompt, usage.completion, usage.total)
    }

    #[test]
    fn each_count_is_read_by_itself() {
        for (json, wanted) in [
            (r#"{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}"#, (Some(1), Some(2), Some(3))),
            (r#"{"input_tokens":1,"output_tokens":2}"#, (Some(1), Some(2), None)),
            (r#"{"prompt_tokens":null,"input_tokens":1}"#, (Some(1), None, None)),
            (r#"{"prompt_tokens":14474.0,"completion_tokens":1.5}"#, (Some(14_474), Some(2), None)),
            (
                r#"{"prompt_tokens":"5000","completion_tokens":" 7 ","total_tokens":"many"}"#,
                (Some(5_000), Some(7), None),
            ),
            (r#"{"prompt_tokens":-1,"completion_tokens":1000,"total_tokens":1e3}"#, (None, Some(1_000), Some(1_000))),
            (r#"{"prompt_tokens":18446744073709551615,"total_tokens":1e30}"#, (None, None, None)),
            (r#"{"prompt_tokens":[1],"completion_tokens":{"a":1},"total_tokens":true}"#, (None, None, None)),
            (r#"{"prompt_tokens":"NaN","completion_tokens":"inf","total_tokens":""}"#, (None, None, None)),
            ("{}", (None, None, None)),
            ("null", (None, None, None)),
            ("[1,2,3,4,5]", (None, None, None)),
            ("7", (None, None, None)),
        ] {
            assert_eq!(read(json), wanted, "{json}");
        }
    }

    #[test]
    fn tokens_from_a_cache_are_a_part_of_the_prompt_and_count() {
        for (json, wanted) in [
            (r#"{"prompt_tokens":90,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":64}}"#, 64),
            (r#"{"input_tokens":90,"output_tokens":9,"input_tokens_details":{"cached_tokens":"64"}}"#, 64),
            (r#"{"input_tokens":9,"output_tokens":9,"input_tokens_details":{"cached_tokens":64}}"#, 9),
            (r#"{"prompt_tokens":90,"completion_tokens":9,"prompt_tokens_details":{"cached_tokens":null}}"#, 0),
            (r#"{"prompt_tokens":90,"completion_tokens":9,"prompt_tokens_details":[64]}"#, 0),
        ] {
            let usage = ReportedUsage::read(json).completed(EstimatedUsage::new(0, 0));
            assert_eq!((usage.kinds.cached, usage.counted(CountedTokens::ALL)), (wanted, Some(usage.total)), "{json}");
        }
    }

    #[test]
    fn a_usage_is_found_at_the_end_of_what_is_too_large_to_keep() {
        for (part, total) in [
            (r#"0.1,0.2]}],"model":"m","usage":{"prompt_tokens":50,"total_tokens":50}}"#, Some(50)),
            (r#""b64"}],"usage": {"total_tokens":9,"input_tokens_details":{"text_tokens":1}},"size":"1x1"}"#, Some(9)),
            (r#"a \"usage\":{\"total_tokens\":9}"}}"#, None),
            (r#"{"usage":{"total_tokens":7}},"usage":null}"#, Some(7)),
            (r#""usage":{"total_tok"#, None),
            (r#""usage""#, None),
            ("", None),
        ] {
            assert_eq!(ReportedUsage::find_last(part.as_bytes()).total, total, "{part}");
        }
    }
}
