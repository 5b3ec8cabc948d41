//! What a `finish_reason` means. Many upstreams send the field with nothing in it, and some tell a failure there.

use serde::de::{IgnoredAny, MapAccess};

use crate::dialect::json_value::AnyType;

/// How far a choice has come by its `finish_reason`, in the order of weight.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finish {
    /// The choice goes on: there is no reason, or an empty one.
    #[default]
    Open,
    /// The choice ended by itself. Without a text this is no answer.
    Stopped,
    /// A bound or a filter ended the choice. This is an answer even without a text.
    Limited,
    /// The upstream failed.
    Failed,
}

/// Texts without any meaning.
const NO_REASON: [&str; 5] = ["", "null", "none", "nil", "undefined"];

/// Reasons of an answer with an end of its own.
const STOPPED: [&str; 12] = [
    "stop",
    "done",
    "finished",
    "complete",
    "tool_calls",
    "tool_call",
    "function_call",
    "end_turn",
    "eos",
    "eos_token",
    "stop_sequence",
    "completed",
];

/// Parts of the reasons for a failure: `error`, `network_error`, `insufficient_system_resource`, ….
const FAILED: [&str; 8] =
    ["error", "fail", "abort", "timeout", "interrupted", "cancelled", "canceled", "insufficient_system_resource"];

impl Finish {
    /// Reads the text of a reason.
    pub(super) fn of_text(reason: &str) -> Finish {
        // As nearly all are written.
        if reason == "stop" {
            return Finish::Stopped;
        }
        let reason = reason.trim().to_ascii_lowercase();
        if NO_REASON.contains(&reason.as_str()) {
            Finish::Open
        } else if STOPPED.contains(&reason.as_str()) {
            Finish::Stopped
        } else if FAILED.iter().any(|word| reason.contains(word)) {
            Finish::Failed
        } else {
            Finish::Limited
        }
    }
}

/// The value of a `finish_reason`. Some write an object, whose presence is an end.
impl<'de> AnyType<'de> for Finish {
    fn text(reason: &str) -> Self {
        Finish::of_text(reason)
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut finish = Finish::Open;
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            finish = Finish::Stopped;
        }
        Ok(finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::json_value::Any;

    #[test]
    fn a_reason_is_an_end_only_if_it_means_one() {
        for (json, wanted) in [
            (r#""""#, Finish::Open),
            (r#""null""#, Finish::Open),
            (r#"" None ""#, Finish::Open),
            ("null", Finish::Open),
            ("false", Finish::Open),
            ("0", Finish::Open),
            ("{}", Finish::Open),
            ("[]", Finish::Open),
            (r#""stop""#, Finish::Stopped),
            (r#""STOP""#, Finish::Stopped),
            (r#""tool_calls""#, Finish::Stopped),
            (r#"{"type":"stop"}"#, Finish::Stopped),
            (r#""length""#, Finish::Limited),
            (r#""content_filter""#, Finish::Limited),
            (r#""SAFETY""#, Finish::Limited),
            (r#""error""#, Finish::Failed),
            (r#""network_error""#, Finish::Failed),
            (r#""Server_Error""#, Finish::Failed),
            (r#""insufficient_system_resource""#, Finish::Failed),
            (r#""abort""#, Finish::Failed),
        ] {
            let Any(finish): Any<Finish> = serde_json::from_str(json).expect("JSON");
            assert_eq!(finish, wanted, "{json}");
        }
    }
}
