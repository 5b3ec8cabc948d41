//! What a `finish_reason` means. Many upstreams send the field with nothing in it, and some tell a failure there.

use serde::de::{IgnoredAny, MapAccess};
use serde::{Deserialize, Deserializer};

use crate::dialect::lenient::{Lenient, lenient};

/// How far a choice has come by its `finish_reason`, in the order of weight.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::dialect) enum Finish {
    /// The choice goes on: there is no reason, or an empty one.
    #[default]
    Open,
    /// The choice ended, by itself or for an unknown reason. Without a text this is no answer.
    Stopped,
    /// A bound or a filter ended the choice. This is an answer even without a text.
    Limited,
    /// The upstream failed.
    Failed,
}

/// Texts without any meaning.
const NO_REASON: [&str; 5] = ["", "null", "none", "nil", "undefined"];

/// Parts of the reasons of bounds and filters: `length`, `max_tokens`, `content_filter`, `SAFETY`, `sensitive`, ….
const LIMITED: [&str; 15] = [
    "length",
    "limit",
    "max",
    "exceeded",
    "filter",
    "safety",
    "sensitive",
    "block",
    "prohibit",
    "refus",
    "recitation",
    "spii",
    "policy",
    "moderation",
    "guardrail",
];

/// Parts of the reasons for a failure: `error`, `network_error`, `insufficient_system_resource`, ….
const FAILED: [&str; 8] =
    ["error", "fail", "abort", "timeout", "interrupted", "cancelled", "canceled", "insufficient_system_resource"];

impl Finish {
    /// Reads the text of a reason.
    pub(in crate::dialect) fn of_text(reason: &str) -> Finish {
        // (Most answers.)
        if reason == "stop" {
            return Finish::Stopped;
        }
        let reason = reason.trim().to_ascii_lowercase();
        if NO_REASON.contains(&reason.as_str()) {
            Finish::Open
        } else if FAILED.iter().any(|word| reason.contains(word)) {
            Finish::Failed
        } else if LIMITED.iter().any(|word| reason.contains(word)) {
            Finish::Limited
        } else {
            Finish::Stopped
        }
    }
}

impl<'de> Lenient<'de> for Finish {
    fn from_text(reason: &str) -> Self {
        Finish::of_text(reason)
    }

    /// Reads an object, as some upstreams write one. Unless it is empty, the object is an end.
    fn from_object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut finish = Finish::Open;
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            finish = Finish::Stopped;
        }
        Ok(finish)
    }
}

impl<'de> Deserialize<'de> for Finish {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        lenient(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_an_end_only_if_it_means_one() {
        let open = [r#""""#, r#""null""#, r#"" None ""#, "null", "false", "0", "{}", "[]"];
        let stopped =
            [r#""stop""#, r#""STOP""#, r#""tool_calls""#, r#""eos_token""#, r#""unknown""#, r#"{"type":"stop"}"#];
        let limited = [r#""length""#, r#""content_filter""#, r#""SAFETY""#, r#""max_tokens""#];
        let failed = [r#""error""#, r#""network_error""#, r#""Server_Error""#, r#""insufficient_system_resource""#];
        for (wanted, all) in [
            (Finish::Open, &open[..]),
            (Finish::Stopped, &stopped),
            (Finish::Limited, &limited),
            (Finish::Failed, &failed),
        ] {
            for json in all {
                assert_eq!(serde_json::from_str::<Finish>(json).expect("JSON"), wanted, "{json}");
            }
        }
    }
}
