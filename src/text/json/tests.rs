//! A change of what a text says changes nothing else of the text.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn rewritten(text: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut wanted = read(text).expect("JSON");
    change(&mut wanted);
    rewrite(text, &wanted).expect("edited")
}

fn list(value: &mut Value) -> &mut Vec<Value> {
    value["l"].as_array_mut().expect("a list")
}

#[test]
fn a_member_is_set_where_it_stands() {
    for (text, new) in [
        ("{\"a\":1,\"b\":2}", "{\"a\":7,\"b\":2}"),
        ("{ \"a\" :1 , \"b\": 2 }\n", "{ \"a\" :7 , \"b\": 2 }\n"),
        ("{\r\n\t\"a\": 1,\r\n\n\t\"b\": 2\r\n}", "{\r\n\t\"a\": 7,\r\n\n\t\"b\": 2\r\n}"),
        ("\u{feff}{\"b\": 2, // two\n\"a\": /* one */ 1, }", "\u{feff}{\"b\": 2, // two\n\"a\": /* one */ 7, }"),
        ("{\"ä€𝄞\": \"\\u00e4\", \"a\": [1,\n2]}", "{\"ä€𝄞\": \"\\u00e4\", \"a\": 7}"),
        ("{\"b\": 2}", "{\"b\": 2, \"a\": 7}"),
        ("{\"b\":2}", "{\"b\":2,\"a\":7}"),
        ("{}", "{ \"a\": 7 }"),
        ("{\n  \"b\": 2\n}\n", "{\n  \"b\": 2,\n  \"a\": 7\n}\n"),
        ("{\n\t\"b\": 2, // two\n}\n", "{\n\t\"b\": 2, // two\n\t\"a\": 7,\n}\n"),
        ("{\n  \"b\": 2 // two\n}\n", "{\n  \"b\": 2, // two\n  \"a\": 7\n}\n"),
        ("{ \"b\": 2 // two\n}", "{ \"b\": 2, // two\n\"a\": 7\n}"),
        ("{\r\n  // none\r\n}\r\n", "{\r\n  // none\r\n  \"a\": 7\r\n}\r\n"),
    ] {
        assert_eq!(rewritten(text, |value| value["a"] = json!(7)), new, "{text:?}");
    }
}

#[test]
fn a_member_is_removed_with_its_comma() {
    for (text, new) in [
        ("{\"a\": 1}", "{}"),
        ("{\n  \"a\": 1\n}\n", "{}\n"),
        ("{\n  \"a\": 1, // one\n  \"b\": 2\n}", "{\n  // one\n  \"b\": 2\n}"),
        ("{\n  \"a\": 1,\n\n  \"b\": 2\n}", "{\n\n  \"b\": 2\n}"),
        ("{\r\n  \"b\": 2,\r\n  \"a\": [\r\n 1\r\n]\r\n}", "{\r\n  \"b\": 2\r\n}"),
        ("{\n  \"b\": 2, // two\n  \"a\": 1\n}", "{\n  \"b\": 2 // two\n}"),
        ("{\n  \"b\": 2,\n  \"a\": 1,\n}", "{\n  \"b\": 2,\n}"),
        ("{ \"a\": 1, \"b\": 2 }", "{ \"b\": 2 }"),
        ("{ \"b\": 2, \"a\": 1 }", "{ \"b\": 2 }"),
        ("{ \"b\": 2, \"a\": 1, \"c\": 3 }", "{ \"b\": 2, \"c\": 3 }"),
        ("{ \"a\": 1 /* , */ , \"b\": 2 }", "{  /* , */  \"b\": 2 }"),
        ("{\"b\": \"a,}\", \"a\": \"],\"}", "{\"b\": \"a,}\"}"),
    ] {
        let removed = rewritten(text, |value| drop(value.as_object_mut().expect("an object").remove("a")));
        assert_eq!(removed, new, "{text:?}");
    }
}

#[test]
fn an_entry_is_added_in_the_form_of_the_others() {
    let entry = json!({ "id": "n", "models": ["x"] });
    for (text, new) in [
        ("{\"l\":[]}", "{\"l\":[{\"id\":\"n\",\"models\":[\"x\"]}]}"),
        ("{\"l\": [ ]}", "{\"l\": [{ \"id\": \"n\", \"models\": [\"x\"] }]}"),
        ("{\n  \"l\": []\n}", "{\n  \"l\": [\n    { \"id\": \"n\", \"models\": [\"x\"] }\n  ]\n}"),
        (
            "{\n  \"l\": [\n    { \"id\": \"a\" }\n  ]\n}",
            "{\n  \"l\": [\n    { \"id\": \"a\" },\n    { \"id\": \"n\", \"models\": [\"x\"] }\n  ]\n}",
        ),
        (
            "{\r\n\"l\": [\r\n\t{\r\n\t\t\"id\": \"a\"\r\n\t},\r\n]}",
            "{\r\n\"l\": [\r\n\t{\r\n\t\t\"id\": \"a\"\r\n\t},\r\n\t{\r\n\t\t\"id\": \"n\",\r\n\t\t\"models\": [\"x\"]\r\n\t},\r\n]}",
        ),
        (
            "{\n  \"l\": [{\n    \"id\": \"a\"\n  }]\n}",
            "{\n  \"l\": [{\n    \"id\": \"a\"\n  }, {\n    \"id\": \"n\",\n    \"models\": [\"x\"]\n  }]\n}",
        ),
    ] {
        assert_eq!(rewritten(text, |value| list(value).push(entry.clone())), new, "{text:?}");
    }
}

#[test]
fn one_entry_changes_and_the_others_stay() {
    let text = "{\"l\": [\n {\"id\": \"a\"},   {\"id\":\"b\" }, // b\n\n {\"id\": \"c\"}\n]}";
    let without_b = "{\"l\": [\n {\"id\": \"a\"},   // b\n\n {\"id\": \"c\"}\n]}";
    assert_eq!(rewritten(text, |value| drop(list(value).remove(1))), without_b);
    let without_c = "{\"l\": [\n {\"id\": \"a\"},   {\"id\":\"b\" } // b\n\n]}";
    assert_eq!(rewritten(text, |value| drop(list(value).remove(2))), without_c);
    let changed = text.replace("\"b\" }", "\"b\", \"rpm\": 1 }");
    assert_eq!(rewritten(text, |value| list(value)[1]["rpm"] = json!(1)), changed);
    let inserted = text.replace("{\"id\": \"c\"}", "0,\n {\"id\": \"c\"}");
    assert_eq!(rewritten(text, |value| list(value).insert(2, json!(0))), inserted);
    let long =
        json!({ "id": "long", "models": ["a-long-name-of-a-model", "another-long-name-of-a-model", "a-third-one"] });
    assert!(rewritten(text, |value| list(value).push(long)).ends_with("{\"id\": \"c\"},\n { \"id\": \"long\", \"models\": [\"a-long-name-of-a-model\", \"another-long-name-of-a-model\", \"a-third-one\"] }\n]}"));
}

#[test]
fn what_cannot_be_edited_is_refused() {
    for (text, error) in [
        ("{\n\"a\": 1\n\"b\": 2}", JsonError::Unreadable { line: 2 }),
        ("{\"a\": ", JsonError::Unreadable { line: 1 }),
        ("", JsonError::Unreadable { line: 1 }),
        ("{\"a\": 1, \"a\": 2}", JsonError::Odd),
        ("{\"c\": [{\"a\": 1, \"a\": 1}], \"b\": 2}", JsonError::Odd),
    ] {
        assert_eq!(rewrite(text, &json!({ "b": 1 })), Err(error), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(rewrite(&deep, &json!({})), Err(JsonError::Unreadable { line: 1 }));
}

/// A value with every kind of part.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c ,\\]}/\"\\\\ä€]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let members = prop::collection::vec(("[a-d]", inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Writes a value with these blanks and comments in turn.
fn spaced(value: &Value, blanks: &mut impl Iterator<Item = String>) -> String {
    let mut text = blanks.next().unwrap_or_default();
    match value {
        Value::Array(entries) => {
            let entries: Vec<String> = entries.iter().map(|entry| spaced(entry, blanks)).collect();
            text += &format!("[{}{}]", entries.join(","), blanks.next().unwrap_or_default());
        }
        Value::Object(members) => {
            let mut member = |(name, value)| {
                format!("{}{}:{}", blanks.next().unwrap_or_default(), json!(name), spaced(value, blanks))
            };
            let members: Vec<String> = members.iter().map(&mut member).collect();
            text += &format!("{{{}{}}}", members.join(","), blanks.next().unwrap_or_default());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text += &value.to_string(),
    }
    text + &blanks.next().unwrap_or_default()
}

fn blanks() -> impl Strategy<Value = Vec<String>> {
    let blank = prop_oneof![
        4 => Just(String::new()),
        3 => "[ \t]{1,3}",
        3 => "\r?\n[ \t]{0,4}",
        1 => Just(" // a, ]\n".to_owned()),
        1 => Just("/* } */".to_owned()),
    ];
    prop::collection::vec(blank, 1..30)
}

proptest! {
    #[test]
    fn any_text_turns_into_any_other(old in value(), new in value(), blanks in blanks()) {
        let text = spaced(&old, &mut blanks.into_iter().cycle());
        prop_assert_eq!(read(&text), Ok(old.clone()), "{}", text);
        prop_assert_eq!(rewrite(&text, &old), Ok(text.clone()), "nothing to change");
        let turned = rewrite(&text, &new).expect("edited");
        prop_assert_eq!(read(&turned), Ok(new), "{}", turned);
    }

    #[test]
    fn a_set_field_changes_nothing_else(entries in prop::collection::vec(value(), 1..5), at in 0_usize..5, blanks in blanks()) {
        let entries: Vec<Value> = entries.into_iter().map(|entry| json!({ "x": entry, "field": 1, "z": [] })).collect();
        let text = spaced(&json!(entries), &mut blanks.into_iter().cycle());
        let at = at % entries.len();
        let mut wanted = json!(entries);
        wanted[at]["field"] = json!("new");
        let turned = rewrite(&text, &wanted).expect("edited");
        let place = turned.find("\"new\"").expect("there");
        let (before, behind) = (&turned[..place], &turned[place + 5..]);
        prop_assert_eq!(format!("{before}1{behind}"), text);
    }
}
