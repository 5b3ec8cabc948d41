//! How much text a JSON value holds: whether a field that is present says anything. Nothing is stored on the way.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json_value::{Any, AnyType};

/// Members with labels for their neighbours. The text of a label is no part of an answer.
const LABELS: [&str; 8] = ["role", "id", "type", "status", "object", "index", "call_id", "item_id"];

/// The bytes of all strings in a value, except labels. Zero for null, numbers, `true`, and for
/// any nesting of empty strings, lists and objects.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TextLength(pub(crate) usize);

impl TextLength {
    /// Returns the text in this JSON. All bytes of an unreadable value count.
    pub(crate) fn of(json: &str) -> usize {
        serde_json::from_str::<TextLength>(json).map_or(json.len(), |text| text.0)
    }
}

impl<'de> Deserialize<'de> for TextLength {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        Any::deserialize(value).map(|Any(length)| length)
    }
}

impl<'de> AnyType<'de> for TextLength {
    fn text(text: &str) -> Self {
        TextLength(text.len())
    }

    fn list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut sum = 0;
        while let Some(TextLength(text)) = items.next_element()? {
            sum += text;
        }
        Ok(TextLength(sum))
    }

    fn object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
        let mut sum = 0;
        while let Some(IsLabel(is_label)) = members.next_key()? {
            if is_label {
                members.next_value::<IgnoredAny>()?;
            } else {
                sum += members.next_value::<TextLength>()?.0;
            }
        }
        Ok(TextLength(sum))
    }
}

/// Whether a member's name is a label.
struct IsLabel(bool);

impl<'de> Deserialize<'de> for IsLabel {
    fn deserialize<D: Deserializer<'de>>(name: D) -> Result<Self, D::Error> {
        name.deserialize_str(LabelVisitor)
    }
}

struct LabelVisitor;

impl Visitor<'_> for LabelVisitor {
    type Value = IsLabel;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<IsLabel, E> {
        Ok(IsLabel(LABELS.contains(&name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strings_that_are_no_labels_count() {
        for (json, text) in [
            ("null", 0),
            ("\"\"", 0),
            ("7", 0),
            ("-7", 0),
            ("0.5", 0),
            ("true", 0),
            ("[]", 0),
            ("[null,{},[\"\"]]", 0),
            (r#"{"role":"assistant","content":"","tool_calls":[{"index":0,"id":"call_1","type":"function"}]}"#, 0),
            (r#""é\n""#, 3),
            (r#"{"content":"ab","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#, 5),
            // A value with an early end is text of some kind.
            ("[\"ab", 4),
        ] {
            assert_eq!(TextLength::of(json), text, "{json}");
        }
    }
}
