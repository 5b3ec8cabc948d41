//! The members of OpenAI's objects with a meaning for the proxy. All others are skipped, not copied.

use serde::de::{IgnoredAny, MapAccess, SeqAccess};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::finish::Finish;
use crate::dialect::json_text::TextLength;
use crate::dialect::json_value::{Any, AnyType};
use crate::dialect::usage::ReportedUsage;

/// The members of a whole answer, or of one event of a stream.
#[derive(Deserialize)]
pub(super) struct TopLevel<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
    #[serde(borrow, rename = "Error")]
    capital_error: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Option<&'a RawValue>,
    #[serde(borrow)]
    success: Option<&'a RawValue>,
    #[serde(borrow)]
    error_msg: Option<&'a RawValue>,
    #[serde(borrow)]
    error_code: Option<&'a RawValue>,
    #[serde(borrow)]
    base_resp: Option<&'a RawValue>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "present")]
    pub(super) choices: Option<Choices>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) part: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) text: Option<&'a RawValue>,
}

/// Reads a present member, even null.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

impl<'a> TopLevel<'a> {
    /// Reads the members of an object. UTF-8 is checked once for the whole, and not for each member. What is not UTF-8
    /// may still be read, if no member with a meaning is concerned.
    pub(super) fn read(json: &'a [u8]) -> serde_json::Result<Self> {
        std::str::from_utf8(json).map_or_else(|_| serde_json::from_slice(json), serde_json::from_str)
    }

    /// Returns whether an error may stand here: then all members are worth reading.
    pub(super) fn may_tell_an_error(&self) -> bool {
        let of_errors = [self.error, self.errors, self.capital_error, self.error_msg, self.error_code, self.base_resp];
        let of_words = [self.message, self.detail, self.msg, self.success];
        of_errors.iter().chain(&of_words).any(Option::is_some)
            || self.object.is_some_and(|object| object.get() == r#""error""#)
            || ["error", "response.failed"].contains(&self.kind())
    }

    /// Returns the `type`, or nothing.
    pub(super) fn kind(&self) -> &str {
        plain_text(self.kind)
    }

    /// Returns the `status`, or nothing.
    pub(super) fn status(&self) -> &str {
        plain_text(self.status)
    }
}

/// Returns the text of a string without escapes, or nothing.
fn plain_text(value: Option<&RawValue>) -> &str {
    let text = value.map_or("", RawValue::get);
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default()
}

/// Returns whether this JSON is null, or a list or object without anything in it.
pub(super) fn is_nothing(json: &[u8]) -> bool {
    match json {
        b"null" => true,
        [b'[', inside @ .., b']'] | [b'{', inside @ .., b'}'] => inside.trim_ascii().is_empty(),
        _ => false,
    }
}

/// What the choices of an answer, or of a chunk, say together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Choices {
    /// Whether the form is known: null, or a list of objects and nulls.
    pub(super) is_known: bool,
    /// Whether there is no choice at all.
    pub(super) is_nothing: bool,
    /// The bytes of text.
    pub(super) text: usize,
    /// The reason with the most weight.
    pub(super) finish: Finish,
    /// Whether an error stands in one of the choices.
    pub(super) has_error: bool,
    /// A usage within a choice, as Moonshot writes usage.
    pub(super) usage: ReportedUsage,
}

/// One of the choices.
#[derive(Default)]
struct Choice(Choices);

/// The members of a choice.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChoiceKey {
    Delta,
    Message,
    Text,
    FinishReason,
    Error,
    Usage,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        Any::deserialize(value).map(|Any(choices)| choices)
    }
}

impl<'de> AnyType<'de> for Choices {
    fn null() -> Self {
        Choices { is_known: true, is_nothing: true, ..Choices::default() }
    }

    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut all = Choices::null();
        while let Some(Any(Choice(choice))) = items.next_element()? {
            all.is_nothing = false;
            all.is_known &= choice.is_known;
            all.text += choice.text;
            all.finish = all.finish.max(choice.finish);
            all.has_error |= choice.has_error;
            all.usage.update(choice.usage);
        }
        Ok(if all.is_known { all } else { Choices::default() })
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut is_nothing = true;
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            is_nothing = false;
        }
        Ok(Choices { is_nothing, ..Choices::default() })
    }
}

impl<'de> AnyType<'de> for Choice {
    fn null() -> Self {
        Choice(Choices::null())
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut choice = Choices { is_known: true, ..Choices::default() };
        while let Some(key) = members.next_key()? {
            match key {
                ChoiceKey::Delta | ChoiceKey::Message | ChoiceKey::Text => {
                    choice.text += TextLength::of(members.next_value::<&RawValue>()?.get());
                }
                ChoiceKey::FinishReason => choice.finish = members.next_value::<Any<Finish>>()?.0,
                ChoiceKey::Error => choice.has_error = members.next_value::<Option<IgnoredAny>>()?.is_some(),
                ChoiceKey::Usage => choice.usage = members.next_value::<Any<ReportedUsage>>()?.0,
                ChoiceKey::Other => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Choice(choice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_whatever_stands_in_them() {
        for (json, text, finish) in [
            ("null", 0, Finish::Open),
            ("[]", 0, Finish::Open),
            ("[{}]", 0, Finish::Open),
            ("[null]", 0, Finish::Open),
            (r#"[{"delta":null,"message":{},"text":""}]"#, 0, Finish::Open),
            (r#"[{"delta":{"role":"assistant","content":"","tool_calls":null}}]"#, 0, Finish::Open),
            (r#"[{"delta":{"content":"ab"}},{"delta":{"refusal":"c"},"finish_reason":"length"}]"#, 3, Finish::Limited),
            (r#"[{"text":"ab","finish_reason":"stop"},{"finish_reason":""}]"#, 2, Finish::Stopped),
        ] {
            let choices: Choices = serde_json::from_str(json).expect(json);
            assert!(choices.is_known, "{json}");
            assert_eq!((choices.text, choices.finish), (text, finish), "{json}");
        }
        for unknown in ["[[]]", "7", r#"{"a":1}"#, r#"["a"]"#] {
            let choices: Choices = serde_json::from_str(unknown).expect(unknown);
            assert_eq!(choices, Choices::default(), "{unknown}");
        }
    }

    #[test]
    fn a_usage_within_a_choice_is_read() {
        let choices: Choices = serde_json::from_str(r#"[{"delta":{},"usage":{"total_tokens":9}}]"#).expect("JSON");
        assert_eq!(choices.usage.total, Some(9));
    }
}
