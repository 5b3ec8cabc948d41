//! JSON with comments and commas at the end of lists, as many programs take it.

use serde_json::{Map, Value};

use super::MergeError;
use crate::text::json::{JsonError, read, rewrite};

/// The fields that name an entry of a list.
const NAMES: [&str; 2] = ["id", "name"];

/// Puts the members of `lines` into `text`. Of the fields in `kept` the old value stays.
pub(super) fn merge(text: &str, lines: &str, kept: &[&str]) -> Result<String, MergeError> {
    let mut wanted = object_of(text)?;
    for (name, value) in object_of(lines)? {
        if !(kept.contains(&name.as_str()) && wanted.contains_key(&name)) {
            put_member(&mut wanted, &name, &value, &name)?;
        }
    }
    Ok(rewrite(text, &Value::Object(wanted))?)
}

fn object_of(text: &str) -> Result<Map<String, Value>, MergeError> {
    match read(text)? {
        Value::Object(members) => Ok(members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(MergeError::Odd("it is no object"))
        }
    }
}

impl From<JsonError> for MergeError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Unreadable { line } => MergeError::Unreadable { line, why: "this is not valid JSON" },
            JsonError::Odd => {
                MergeError::Odd("it says a thing twice, or is written in a way that can't be edited safely")
            }
        }
    }
}

fn put_member(into: &mut Map<String, Value>, name: &str, wanted: &Value, at: &str) -> Result<(), MergeError> {
    match into.get_mut(name) {
        Some(old) => put(old, wanted, at),
        None => {
            into.insert(name.to_owned(), wanted.clone());
            Ok(())
        }
    }
}

/// Puts the members and entries of a value into another one.
fn put(into: &mut Value, wanted: &Value, at: &str) -> Result<(), MergeError> {
    match (into, wanted) {
        (Value::Object(old), Value::Object(wanted)) => {
            wanted.iter().try_for_each(|(name, value)| put_member(old, name, value, &format!("{at}.{name}")))
        }
        (Value::Array(old), Value::Array(wanted)) => {
            wanted.iter().try_for_each(|value| put_entry(old, value, &format!("{at}[]")))
        }
        (old, wanted) if [&*old, wanted].iter().any(|value| value.is_object() || value.is_array()) => {
            Err(MergeError::OtherKind(at.to_owned()))
        }
        (old, wanted) => {
            *old = wanted.clone();
            Ok(())
        }
    }
}

/// Puts an entry into a list: into the entry of the same name, else behind the last one.
fn put_entry(into: &mut Vec<Value>, wanted: &Value, at: &str) -> Result<(), MergeError> {
    if let Some(old) = into.iter_mut().find(|old| is_same(old, wanted)) {
        return put(old, wanted, at);
    }
    if !into.contains(wanted) {
        into.push(wanted.clone());
    }
    Ok(())
}

/// Returns whether two entries of a list have one name.
fn is_same(one: &Value, other: &Value) -> bool {
    NAMES.iter().find_map(|name| Some(one.get(name)? == other.get(name)?)).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str =
        r#"{ "$schema": "new", "env": { "URL": "http://x", "KEY": "k" }, "list": [{ "id": "m", "size": 1 }] }"#;

    #[test]
    fn what_a_person_wrote_stays() {
        let text = "// mine\n{\n\t\"theme\": \"dark\", // of course\n\t\"env\": {\n\t\t/* old */ \"KEY\": \"old\",\n\t\t\"OTHER\": \"1\",\n\t},\n\t\"list\": [ { \"id\": \"a\" }, { \"id\": \"m\", \"size\": 2, \"own\": true } ]\n}\n";
        let merged = merge(text, LINES, &["$schema"]).expect("merged");
        for kept in [
            "// mine\n",
            "\"theme\": \"dark\", // of course",
            "/* old */ \"KEY\": \"k\"",
            "\"OTHER\": \"1\"",
            "\"own\": true",
        ] {
            assert!(merged.contains(kept), "no {kept:?} in:\n{merged}");
        }
        let value = Value::Object(object_of(&merged).expect("JSON"));
        assert_eq!(value["env"]["URL"], "http://x");
        assert_eq!(value["list"][1]["size"], 1);
        assert_eq!(value["$schema"], "new");
        assert_eq!(merge(&merged, LINES, &[]).as_ref(), Ok(&merged), "a second time changes nothing");
    }

    #[test]
    fn a_kept_field_keeps_its_value() {
        let merged = merge(r#"{"$schema": "old"}"#, LINES, &["$schema"]).expect("merged");
        assert_eq!(object_of(&merged).expect("JSON")["$schema"], "old");
    }

    #[test]
    fn what_cannot_be_read_or_edited_is_refused() {
        for (text, error) in [
            ("{\n\"a\": 1\n\"b\": 2}", MergeError::Unreadable { line: 2, why: "this is not valid JSON" }),
            ("{\"a\": ", MergeError::Unreadable { line: 1, why: "this is not valid JSON" }),
            ("[1]", MergeError::Odd("it is no object")),
            ("{\"env\": 1}", MergeError::OtherKind("env".to_owned())),
            ("{\"env\": {\"URL\": {}}}", MergeError::OtherKind("env.URL".to_owned())),
            ("{\"list\": {}}", MergeError::OtherKind("list".to_owned())),
        ] {
            assert_eq!(merge(text, LINES, &[]), Err(error), "{text}");
        }
        let twice = merge("{\"env\": {\"KEY\": \"a\"}, \"env\": {\"KEY\": \"b\"}}", LINES, &[]);
        assert!(matches!(twice, Err(MergeError::Odd(_))), "{twice:?}");
    }
}
