//! What is wrong with a text that is no JSON: the mistake by its name, and the line with a mark below.
//!
//! A line may hold keys. So only names of fields, numbers and signs are shown of it, and all else as `…`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::schema;

/// The longest line that is shown, in characters. A longer one is a document in one line.
const LONGEST_LINE: usize = 100;

/// The longest number that is shown, in digits: a longer one may be a key.
const LONGEST_NUMBER: usize = 6;

/// Signs in the place of a straight quotation mark.
const TYPOGRAPHIC: [char; 8] = ['“', '”', '„', '‟', '«', '»', '‘', '’'];

/// Returns the line and the column of a mistake, in bytes from 1. A text without its end is wrong where the text begins.
pub(super) fn place(text: &str, error: &serde_json::Error) -> (usize, usize) {
    let reported = (error.line(), error.column().max(1));
    let lines = text.lines().enumerate().take(reported.0);
    let mut open = lines.filter_map(|(i, line)| Some((i + 1, open_quote(line)?)));
    open.next().unwrap_or(reported)
}

/// Returns the column of a quotation mark that nothing closes in the line.
fn open_quote(line: &str) -> Option<usize> {
    let (mut open, mut is_escaped) = (None, false);
    for (i, byte) in line.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = open.is_some(),
            b'"' => open = if open.is_some() { None } else { Some(i + 1) },
            _ => {}
        }
    }
    open
}

/// Returns what is wrong: `why` is serde_json's text, without the place.
pub(super) fn mistake(text: &str, line: usize, column: usize, why: &str) -> String {
    let said = named(text, line, column, why).unwrap_or_else(|| why.to_owned());
    let Some(shown) = shown_line(text, line, column) else { return format!("not valid JSON: {said}") };
    format!("not valid JSON: {said}\n{shown}")
}

/// Returns the mistake by its name, if it is a common one.
fn named(text: &str, line: usize, column: usize, why: &str) -> Option<String> {
    if why.starts_with("EOF while parsing") {
        let missing = match why {
            "EOF while parsing a list" => "a ] is missing at its end",
            "EOF while parsing an object" => "a } is missing at its end",
            "EOF while parsing a string" => "a \" is missing at the end of a text",
            _ => "something is missing at its end",
        };
        return Some(format!("the file ends too early: {missing}"));
    }
    if why.starts_with("control character") {
        return Some("a line ends inside a text; a \" is missing at the end of the text".to_owned());
    }
    if why == "trailing comma" {
        return Some("a comma stands before a closing bracket; remove the comma".to_owned());
    }
    let rest = text.lines().nth(line.saturating_sub(1))?.get(column.saturating_sub(1)..)?;
    let said = match rest.chars().next()? {
        '/' | '#' => "comments are not allowed",
        '\'' | '`' => "texts stand in \"double quotes\", not in single ones",
        c if TYPOGRAPHIC.contains(&c) => "texts stand in straight \"double quotes\", not in typographic ones",
        _ if why == "key must be a string" => "the name of a field stands in \"double quotes\"",
        _ if why.starts_with("expected `,`") => "a comma or a closing bracket is missing before this place",
        _ if why == "expected value" && rest.starts_with(['T', 'F', 'N']) => {
            "true, false and null are written in lower case"
        }
        c if why == "expected value" && c.is_alphabetic() => "texts stand in \"double quotes\"",
        _ if why == "trailing characters" => "something stands behind the end of the document",
        _ => return None,
    };
    Some(said.to_owned())
}

/// Returns the line, and a mark below the column (in bytes, from 1).
fn shown_line(text: &str, line: usize, column: usize) -> Option<String> {
    let whole = text.lines().nth(line.checked_sub(1)?)?.trim_end();
    let whole = whole.get(..).filter(|whole| !whole.trim().is_empty())?;
    let names = names();
    let (mut shown, mut mark) = (String::new(), None);
    let mut at = 0;
    for part in parts(whole) {
        if mark.is_none() && at + part.len() >= column {
            mark = Some(shown.chars().count());
        }
        at += part.len();
        let may_be_shown = !is_word(part) || names.contains(part) || is_plain(part);
        shown.push_str(if may_be_shown { part } else { "…" });
    }
    let mark = mark.unwrap_or_else(|| shown.chars().count());
    let indent = shown.chars().take_while(|c| c.is_whitespace()).count().min(mark);
    let shown: String = shown.chars().skip(indent).collect();
    (shown.chars().count() <= LONGEST_LINE).then(|| format!("  {shown}\n  {}^", " ".repeat(mark - indent)))
}

/// Returns a line as words, and each sign between by itself.
fn parts(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = match is_sign(first) {
            true => first.len_utf8(),
            false => rest.find(is_sign).unwrap_or(rest.len()),
        };
        let (part, behind) = rest.split_at(end);
        parts.push(part);
        rest = behind;
    }
    parts
}

fn is_sign(c: char) -> bool {
    c.is_whitespace() || "{}[],:\"'`".contains(c) || TYPOGRAPHIC.contains(&c)
}

fn is_word(part: &str) -> bool {
    !part.starts_with(is_sign)
}

fn is_plain(word: &str) -> bool {
    let is_number = word.len() <= LONGEST_NUMBER && word.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    is_number || matches!(word, "true" | "false" | "null" | "//" | "/*" | "*/" | "#")
}

/// Returns the names of all fields that there are.
fn names() -> BTreeSet<String> {
    fn gather(schema: &Value, names: &mut BTreeSet<String>) {
        match schema {
            Value::Object(fields) => {
                if let Some(Value::Object(properties)) = fields.get("properties") {
                    names.extend(properties.keys().cloned());
                }
                fields.values().for_each(|field| gather(field, names));
            }
            Value::Array(items) => items.iter().for_each(|item| gather(item, names)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut names = BTreeSet::new();
    gather(schema::config_schema(), &mut names);
    names
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigSource, Overrides, parse};

    fn said(text: &str) -> String {
        let source = ConfigSource { path: "x.json".into(), overrides: Overrides::default() };
        parse(text, &source, |_| Ok(String::new())).expect_err("no JSON").to_string()
    }

    #[test]
    fn a_common_mistake_is_called_by_its_name() {
        for (text, says) in [
            ("", "x.json:1:1: is empty"),
            (" \n\t\n", "x.json:3:1: is empty"),
            ("{\n  // the pool\n}", "x.json:2:3: not valid JSON: comments are not allowed"),
            ("{\n  # the pool\n}", "comments are not allowed"),
            ("{\"apis\": [] /* none */}", "comments are not allowed"),
            ("{'apis': []}", "x.json:1:2: not valid JSON: texts stand in \"double quotes\", not in single"),
            ("{\"apis\": ['a']}", "not in single"),
            ("{“apis”: []}", "texts stand in straight \"double quotes\", not in typographic"),
            ("{\"apis\": [„a“]}", "not in typographic"),
            ("{apis: []}", "the name of a field stands in \"double quotes\""),
            ("{\"apis\": [],}", "x.json:1:13: not valid JSON: a comma stands before a closing bracket"),
            ("{\"apis\": [1,]}", "a comma stands before"),
            ("{\"apis\": [{\"id\": \"a\"}", "the file ends too early: a ] is missing"),
            ("{\"apis\": [{\"id\": \"a\"}]", "the file ends too early: a } is missing"),
            ("{\"apis\": [{\"id\": \"a", "the file ends too early: a \" is missing"),
            ("{\"apis\": [{\"id\": \"a\n\"}]}", "a line ends inside a text"),
            ("{\"apis\": [{\"id\": \"a\" \"name\": 7}]}", "a comma or a closing bracket is missing"),
            ("{\"apis\": [{\"enabled\": True}]}", "true, false and null are written in lower case"),
            ("{\"apis\": [{\"id\": alpha}]}", "texts stand in \"double quotes\""),
            ("{\"apis\": []} {}", "something stands behind the end"),
        ] {
            assert!(said(text).contains(says), "{text:?}: {}", said(text));
        }
    }

    #[test]
    fn a_text_without_its_end_is_wrong_where_it_begins() {
        for (text, place) in [
            ("{\n  \"server: {\n  \"port\": 1 } }", "x.json:2:3: not valid JSON: a line ends inside a text"),
            ("{\"a\": \"\\\"\\\\\",\n \"server\": \"\\\"", "x.json:2:12: not valid JSON: the file ends too early"),
            ("{\"apis\": [\n{\"id\": \"a\tb\", }\n], \"x", "x.json:2:10: not valid JSON"),
        ] {
            assert!(said(text).starts_with(place), "{text:?}: {}", said(text));
        }
        let shown = said("{\n  \"server: {\n  \"port\": 1 } }");
        assert!(shown.ends_with("\n  \"server: {\n  ^"), "{shown}");
    }

    #[test]
    fn the_line_is_shown_with_a_mark_and_without_a_key() {
        let text = "{\"apis\": [\n    {\"id\": \"a\", \"apiKey\": \"sk-Se.cret=0/12\" \"rpm\": 60}\n]}";
        let shown = "\n  {\"id\": \"…\", \"apiKey\": \"…\" \"rpm\": 60}\n                            ^";
        assert!(said(text).ends_with(shown), "{}", said(text));
        for text in [
            "{'apiKey': 'sk-Secret'}",
            "{\"apiKey\": sk-Secret}",
            "{\"apiKey\": \"sk-Secret",
            "{\"apiKey\": 1234567890 x}",
            "sk-Secret",
            "// sk-Secret",
            "{\"sk-Secret\" 1}",
            "{“apiKey”: “sk-Secret”}",
        ] {
            let said = said(text);
            assert!(!said.contains("Secret") && !said.contains("sk-") && !said.contains("1234567890"), "{said}");
        }
    }
}
