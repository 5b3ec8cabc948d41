//! The list of an upstream's models.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::dialect::first_bytes::without_byte_order_mark;
use crate::types::sorted;

/// Returns the names in OpenAI's list, Ollama's, Google's, or in a bare one; `None` if the body is no list. An entry without a name is passed
/// over, and null is an empty list.
pub(crate) fn names(body: &[u8]) -> Option<BTreeSet<Arc<str>>> {
    let list: Value = serde_json::from_slice(without_byte_order_mark(body)).ok()?;
    let entries = match &list {
        Value::Array(entries) => entries.as_slice(),
        // Ollama's and Google's stand in `models`.
        Value::Object(members) => match members.get("data").or(members.get("models"))? {
            Value::Array(entries) => entries.as_slice(),
            Value::Null => &[],
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => return None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    let names = entries.iter().filter_map(|entry| entry.get("id").or(entry.get("name")).unwrap_or(entry).as_str());
    let names = names.map(|name| name.trim().trim_start_matches("models/"));
    Some(sorted::set(names.filter(|name| !name.is_empty()).map(Arc::from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sound_entries_of_a_list_are_served() {
        for (body, wanted) in [
            (r#"{"object":"list","data":[{"id":"a"},{"id":"b","x":1}]}"#, Some(&["a", "b"][..])),
            (r#"[{"id":"a"},{"id":"b"}]"#, Some(&["a", "b"])),
            (r#"["a","b"]"#, Some(&["a", "b"])),
            ("\u{feff} {\"data\":[{\"id\":\"a\"}]}", Some(&["a"])),
            (r#"{"data":[{"id":"a"},{},{"id":null},{"id":""},{"id":" "},{"id":7},null,{"name":7}]}"#, Some(&["a"])),
            (r#"{"models":[{"name":"a:latest","model":"a:latest"}]}"#, Some(&["a:latest"])),
            (r#"{"models":[{"name":"models/gemini-pro"},{"id":"b"}]}"#, Some(&["b", "gemini-pro"])),
            (r#"{"data":null}"#, Some(&[])),
            (r#"{"data":[]}"#, Some(&[])),
            (r#"{"data":"a"}"#, None),
            (r#"{"error":{"message":"x"}}"#, None),
            ("{}", None),
            ("null", None),
            ("<html>", None),
        ] {
            let found = names(body.as_bytes());
            let found: Option<Vec<&str>> = found.as_ref().map(|names| names.iter().map(|name| &**name).collect());
            assert_eq!(found.as_deref(), wanted, "{body}");
        }
    }
}
