//! JSON with comments and commas at the end of lists, as many programs take it.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstObject, CstRootNode};
use serde_json::{Map, Value};

use super::MergeError;

/// The fields that name an entry of a list.
const NAMES: [&str; 2] = ["id", "name"];

const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Puts the members of `lines` into `text`. Of the fields in `kept` the old value stays.
pub(super) fn merge(text: &str, lines: &str, kept: &[&str]) -> Result<String, MergeError> {
    let wanted = object_of(lines)?;
    let before = object_of(text)?;
    let root = parse(text)?;
    let object = root.object_value().ok_or(MergeError::Odd("it is no object"))?;
    let wanted: Map<String, Value> =
        wanted.into_iter().filter(|(name, _)| !(kept.contains(&name.as_str()) && before.contains_key(name))).collect();
    let changed = put(&object, &wanted, "")?;
    let result = if changed { root.to_string() } else { text.to_owned() };
    let mut expected = Value::Object(before);
    put_value(&mut expected, &Value::Object(wanted));
    if Value::Object(object_of(&result)?) == expected {
        Ok(result)
    } else {
        Err(MergeError::Odd("it says a thing twice, or is written in a way that can't be edited safely"))
    }
}

fn parse(text: &str) -> Result<CstRootNode, MergeError> {
    CstRootNode::parse(text, &OPTIONS).map_err(|error| {
        let line = text.get(..error.range().start).unwrap_or_default().matches('\n').count() + 1;
        MergeError::Unreadable { line, why: "this is not valid JSON" }
    })
}

fn object_of(text: &str) -> Result<Map<String, Value>, MergeError> {
    let value = parse(text)?.to_serde_value();
    value.as_ref().and_then(Value::as_object).cloned().ok_or(MergeError::Odd("it is no object"))
}

/// Puts the wanted members into an object of the text. Returns whether anything changed.
fn put(object: &CstObject, wanted: &Map<String, Value>, at: &str) -> Result<bool, MergeError> {
    let mut changed = false;
    for (name, value) in wanted {
        let Some(member) = object.get(name) else {
            object.append(name, input(value));
            changed = true;
            continue;
        };
        let here = format!("{at}{name}");
        let Some(old) = member.value() else { return Err(MergeError::OtherKind(here)) };
        if let (Some(wanted), Some(old)) = (value.as_object(), old.as_object()) {
            changed |= put(&old, wanted, &format!("{here}."))?;
        } else if let (Some(wanted), Some(old)) = (value.as_array(), old.as_array()) {
            changed |= put_entries(&old, wanted, &here)?;
        } else if value.is_object() || value.is_array() || old.as_object().is_some() || old.as_array().is_some() {
            return Err(MergeError::OtherKind(here));
        } else if old.to_serde_value().as_ref() != Some(value) {
            member.set_value(input(value));
            changed = true;
        }
    }
    Ok(changed)
}

/// Puts entries into a list: into the entry of the same name, else behind the last one.
fn put_entries(list: &CstArray, wanted: &[Value], at: &str) -> Result<bool, MergeError> {
    let mut changed = false;
    for value in wanted {
        let same = list.elements().into_iter().find_map(|element| {
            is_same(&element.to_serde_value()?, value).then_some((element.as_object()?, value.as_object()?))
        });
        if let Some((old, wanted)) = same {
            changed |= put(&old, wanted, &format!("{at}[]."))?;
        } else if !list.elements().iter().any(|element| element.to_serde_value().as_ref() == Some(value)) {
            list.append(input(value));
            changed = true;
        }
    }
    Ok(changed)
}

/// Returns whether two entries of a list have one name.
fn is_same(one: &Value, other: &Value) -> bool {
    NAMES.iter().find_map(|name| Some(one.get(name)? == other.get(name)?)).unwrap_or(false)
}

/// Does the same with values alone.
fn put_value(into: &mut Value, wanted: &Value) {
    if let (Some(old), Some(wanted)) = (into.as_object_mut(), wanted.as_object()) {
        for (name, value) in wanted {
            match old.get_mut(name) {
                Some(old) => put_value(old, value),
                None => drop(old.insert(name.clone(), value.clone())),
            }
        }
    } else if let (Some(old), Some(wanted)) = (into.as_array_mut(), wanted.as_array()) {
        for value in wanted {
            if let Some(old) = old.iter_mut().find(|one| is_same(one, value)) {
                put_value(old, value);
            } else if !old.contains(value) {
                old.push(value.clone());
            }
        }
    } else {
        *into = wanted.clone();
    }
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(list) => CstInputValue::Array(list.iter().map(input).collect()),
        Value::Object(members) => {
            CstInputValue::Object(members.iter().map(|(name, value)| (name.clone(), input(value))).collect())
        }
    }
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
