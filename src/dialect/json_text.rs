//! How much text a JSON value holds: whether a field that is present says anything. Nothing is stored on the way.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::lenient::{Lenient, lenient};

/// Members with labels for their neighbours. The text of a label is no part of an answer.
const LABELS: [&str; 9] = ["role", "id", "type", "status", "object", "index", "call_id", "item_id", "thoughtSignature"];

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

/// Returns the text of a string without escapes, or nothing.
pub(crate) fn plain_text(value: Option<&RawValue>) -> &str {
    let text = value.map_or("", RawValue::get);
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default()
}

impl<'de> Deserialize<'de> for TextLength {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        lenient(value)
    }
}

impl<'de> Lenient<'de> for TextLength {
    fn from_text(text: &str) -> Self {
        TextLength(text.len())
    }

    fn from_list<A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut sum = 0;
        while let Some(TextLength(text)) = items.next_element()? {
            sum += text;
        }
        Ok(TextLength(sum))
    }

    fn from_object<A: MapAccess<'de>>(mut members: A) -> Result<Self, A::Error> {
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

/// Returns whether nothing stands in this JSON: only null, labels, and empty strings, lists and objects.
pub(crate) fn is_hollow(json: &str) -> bool {
    serde_json::from_str::<Hollow>(json).is_ok()
}

/// A value with nothing in it. The reading ends at the first thing.
#[derive(Clone, Copy)]
struct Hollow;

impl<'de> Deserialize<'de> for Hollow {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(Hollow)
    }
}

impl<'de> Visitor<'de> for Hollow {
    type Value = Hollow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }

    fn visit_unit<E: Error>(self) -> Result<Hollow, E> {
        Ok(Hollow)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Hollow, E> {
        if text.is_empty() { Ok(Hollow) } else { Err(E::custom("a text")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Hollow, A::Error> {
        while items.next_element::<Hollow>()?.is_some() {}
        Ok(Hollow)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Hollow, A::Error> {
        while let Some(IsLabel(is_label)) = members.next_key()? {
            if is_label {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value::<Hollow>()?;
            }
        }
        Ok(Hollow)
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
    fn a_value_is_hollow_if_nothing_stands_in_it() {
        for hollow in ["null", "[]", "[null,{}]", r#"[{"object":"embedding","index":0,"embedding":null}]"#, r#"[[""]]"#]
        {
            assert!(is_hollow(hollow), "{hollow}");
        }
        for full in ["[0.5]", r#"[{"embedding":[0.1]}]"#, r#"[{"flagged":false}]"#, r#"[{"url":"x"}]"#] {
            assert!(!is_hollow(full), "{full}");
        }
    }

    #[test]
    fn only_strings_that_are_no_labels_count() {
        for nothing in ["null", "\"\"", "7", "-7", "0.5", "true", "[]", "[null,{},[\"\"]]"] {
            assert_eq!(TextLength::of(nothing), 0, "{nothing}");
        }
        for (json, text) in [
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
