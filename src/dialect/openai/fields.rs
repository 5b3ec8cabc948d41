//! The members of OpenAI's objects with a meaning for the proxy. All others are skipped, not copied.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::finish::Finish;
use crate::dialect::json_text::TextLength;
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
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) choices: Option<&'a RawValue>,
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
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(field).map(Some)
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
    /// The bytes of text.
    pub(super) text: usize,
    /// The reason with the most weight.
    pub(super) finish: Finish,
    /// Whether an error stands in one of the choices.
    pub(super) has_error: bool,
    /// A usage within a choice, as Moonshot writes usage.
    pub(super) usage: ReportedUsage,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    delta: TextLength,
    #[serde(default)]
    message: TextLength,
    #[serde(default)]
    text: TextLength,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

impl Choices {
    /// Reads the value of a `choices` member; `None` if the form is unknown.
    pub(super) fn read(json: &str) -> Option<Choices> {
        let choices: Option<Vec<Option<Choice<'_>>>> = serde_json::from_str(json).ok()?;
        let mut all = Choices::default();
        for choice in choices.into_iter().flatten().flatten() {
            all.text += choice.delta.0 + choice.message.0 + choice.text.0;
            all.finish = all.finish.max(Finish::of_value(choice.finish_reason));
            all.has_error |= choice.error.is_some();
            all.usage
                .update(choice.usage.map_or_else(ReportedUsage::default, |usage| ReportedUsage::read(usage.get())));
        }
        Some(all)
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
            let choices = Choices::read(json).expect(json);
            assert_eq!((choices.text, choices.finish), (text, finish), "{json}");
        }
        for unknown in ["[[]]", "7", r#"{"a":1}"#, r#"["a"]"#] {
            assert_eq!(Choices::read(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_usage_within_a_choice_is_read() {
        let choices = Choices::read(r#"[{"delta":{},"usage":{"total_tokens":9}}]"#).expect("read");
        assert_eq!(choices.usage.total, Some(9));
    }
}
