//! A `usage` object of OpenAI's APIs and of similar ones. Each count is read separately.

use memchr::memmem::FinderRev;
use serde::Deserialize;
use serde::de::MapAccess;
use serde_json::value::RawValue;
use std::sync::LazyLock;

use crate::dialect::json_value::{Any, AnyType};
use crate::dialect::usage::ReportedUsage;

/// No exchange takes more tokens: the text would have four gigabytes. A larger count is impossible.
const MOST_TOKENS: f64 = 1e9;

/// Finds the last member of this name.
static USAGE: LazyLock<FinderRev<'static>> = LazyLock::new(|| FinderRev::new("\"usage\""));

/// The members of a usage.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum UsageKey {
    PromptTokens,
    InputTokens,
    CompletionTokens,
    OutputTokens,
    TotalTokens,
    #[serde(other)]
    Other,
}

impl<'de> AnyType<'de> for ReportedUsage {
    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut usage = ReportedUsage::default();
        while let Some(key) = members.next_key()? {
            let Any(Count(count)) = members.next_value()?;
            match key {
                UsageKey::PromptTokens => usage.prompt = count.or(usage.prompt),
                UsageKey::InputTokens => usage.prompt = usage.prompt.or(count),
                UsageKey::CompletionTokens => usage.completion = count.or(usage.completion),
                UsageKey::OutputTokens => usage.completion = usage.completion.or(count),
                UsageKey::TotalTokens => usage.total = count,
                UsageKey::Other => {}
            }
        }
        Ok(usage)
    }
}

impl ReportedUsage {
    /// Reads the value of a `usage` member. What is no object reports nothing.
    pub(crate) fn read(json: &str) -> ReportedUsage {
        serde_json::from_str(json).map_or_else(|_| ReportedUsage::default(), |Any(usage)| usage)
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

/// A possible count: a number, or a text of one, rounded up. Neither less than zero nor absurdly large.
#[derive(Default)]
struct Count(Option<u64>);

impl AnyType<'_> for Count {
    fn number(number: f64) -> Self {
        // (A fraction below the bound fits.)
        Count((0.0..=MOST_TOKENS).contains(&number).then(|| number.ceil() as u64))
    }

    fn text(text: &str) -> Self {
        text.trim().parse().map_or_else(|_| Count(None), Count::number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
