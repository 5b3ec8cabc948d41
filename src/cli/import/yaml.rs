//! YAML into the same values as JSON, with bounds.
//!
//! 1. An alias is replaced by what the anchor holds, and `<<` by the fields of what stands behind. The sum of all values is bounded,
//!    so a file can't grow without end in memory.
//! 2. A plain number, `true`, `false` and `null` are what they say; any other plain text is a text, as in YAML 1.2.
//! 3. A field that stands twice in one mapping is an error, as in our own configuration.
//! 4. A tag (`!x`) is passed over.

use std::collections::{BTreeSet, HashMap};

use granit_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

use super::findings::reads_like_a_key;
use super::size::{BYTES_OF_A_PLACE, check_name, count, in_bound};
use super::tree::named;

/// How deep lists and mappings may stand in each other.
const MOST_LEVELS: usize = 64;

/// A document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) root: Value,
    /// The paths of values that are also used elsewhere.
    pub(super) used_elsewhere: BTreeSet<String>,
}

/// Reads a file of one document.
///
/// # Errors
/// With the line and what is wrong there. The text never quotes a value.
pub(super) fn read(text: &str) -> Result<Document, String> {
    let mut builder = Composer::default();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|e| {
            let mark = e.marker();
            format!("{}:{}: not valid YAML: {}", mark.line(), mark.col() + 1, without_quotes(&e.info()))
        })?;
        builder.take(event).map_err(|why| format!("{}: {why}", span.start.line()))?;
    }
    Ok(Document { root: builder.root.unwrap_or_default(), used_elsewhere: builder.used_elsewhere })
}

/// Builds a document from events.
#[derive(Default)]
struct Composer {
    open: Vec<Level>,
    root: Option<Value>,
    anchors: HashMap<usize, Anchored>,
    used_elsewhere: BTreeSet<String>,
    values: usize,
}

/// A list or a mapping that is not closed yet.
struct Level {
    parts: Made,
    anchor: usize,
}

enum Made {
    List(Vec<Value>),
    Mapping { fields: Map<String, Value>, merged: Vec<Value>, name: Option<String> },
}

struct Anchored {
    value: Value,
    path: String,
}

impl Composer {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                let value = if is_plain { plain(&text) } else { Value::String(text.into_owned()) };
                self.grow(count(&value, self.path_bytes()))?;
                self.place(value, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(Made::List(Vec::new()), anchor),
            Event::MappingStart(_, anchor, _) => {
                self.begin(Made::Mapping { fields: Map::new(), merged: Vec::new(), name: None }, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(id) => self.alias(id),
            Event::DocumentStart(..) if self.root.is_some() => {
                Err("a second document begins here (---); import one at a time".to_owned())
            }
            Event::UnresolvedAlias(_) => Err("refers to an anchor that there is not".to_owned()),
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(..)
            | Event::DocumentEnd
            | Event::Anchor(..) => Ok(()),
            // The parser may learn new events.
            _ => Err("has something that is not understood".to_owned()),
        }
    }

    fn begin(&mut self, parts: Made, anchor: usize) -> Result<(), String> {
        if self.open.len() >= MOST_LEVELS {
            return Err(format!("lists and mappings stand more than {MOST_LEVELS} deep in each other"));
        }
        self.open.push(Level { parts, anchor });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(Level { parts, anchor }) = self.open.pop() else { return Ok(()) };
        let value = match parts {
            Made::List(items) => Value::Array(items),
            Made::Mapping { mut fields, merged, .. } => {
                for (name, value) in merged.into_iter().flat_map(object) {
                    fields.entry(name).or_insert(value);
                }
                Value::Object(fields)
            }
        };
        self.grow(count(&Value::Null, self.path_bytes()))?;
        self.place(value, anchor)
    }

    fn alias(&mut self, id: usize) -> Result<(), String> {
        let Some(Anchored { value, path }) = self.anchors.get(&id) else {
            return Err("refers to an anchor that is not complete yet".to_owned());
        };
        self.values = in_bound(self.values + count(value, self.path_bytes()))?;
        let value = value.clone();
        self.used_elsewhere.insert(path.clone());
        self.place(value, 0)
    }

    /// Counts values that are new in memory.
    fn grow(&mut self, values: usize) -> Result<(), String> {
        self.values = in_bound(self.values + values)?;
        Ok(())
    }

    /// Puts a value where the file is now.
    fn place(&mut self, value: Value, anchor: usize) -> Result<(), String> {
        if anchor != 0 {
            self.grow(count(&value, self.path_bytes()))?;
            self.anchors.insert(anchor, Anchored { value: value.clone(), path: self.path() });
        }
        match self.open.last_mut().map(|level| &mut level.parts) {
            None => self.root = Some(value),
            Some(Made::List(items)) => items.push(value),
            Some(Made::Mapping { fields, merged, name }) => match name.take() {
                None => *name = Some(field_name(value)?),
                Some(name) if name == "<<" => merged.extend(mappings(value)?),
                Some(name) if fields.contains_key(&name) => {
                    let shown = if reads_like_a_key(&name) { "…" } else { &name };
                    return Err(format!("the field {shown} stands twice in one mapping; leave one"));
                }
                Some(name) => drop(fields.insert(name, value)),
            },
        }
        Ok(())
    }

    /// Returns about how long the path of the next value is.
    fn path_bytes(&self) -> usize {
        let parts = self.open.iter().map(|level| match &level.parts {
            Made::List(_) => BYTES_OF_A_PLACE,
            Made::Mapping { name, .. } => name.as_ref().map_or(0, String::len),
        });
        parts.sum()
    }

    /// Returns the path of the value that comes next.
    fn path(&self) -> String {
        self.open.iter().fold(String::new(), |path, level| match &level.parts {
            Made::List(items) => format!("{path}[{}]", items.len()),
            Made::Mapping { name: Some(name), .. } => named(&path, name),
            Made::Mapping { name: None, .. } => path,
        })
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// Returns what `<<` adds: one mapping, or a list of them.
fn mappings(value: Value) -> Result<Vec<Value>, String> {
    let all = match value {
        Value::Array(items) => items,
        one @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => vec![one],
    };
    if all.iter().all(Value::is_object) { Ok(all) } else { Err("<< must name a mapping, or a list of them".to_owned()) }
}

fn field_name(value: Value) -> Result<String, String> {
    match value {
        Value::String(name) => check_name(&name).map(|()| name),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Ok("null".to_owned()),
        Value::Array(_) | Value::Object(_) => Err("the name of a field must be a text".to_owned()),
    }
}

/// Returns a plain scalar. A number keeps the digits: one that JSON would write in another way stays a text.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let number = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    number.map_or_else(|| Value::String(text.to_owned()), Value::from)
}

/// Hides what the parser quotes of the file.
fn without_quotes(text: &str) -> String {
    let parts = text.split(['\'', '"', '`']).enumerate();
    parts.map(|(i, part)| if i % 2 == 0 { part } else { "…" }).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_values_are_what_they_say_and_all_else_is_text() {
        let text = "a: 1\nb: 1.10\nc: yes\nd: null\ne: '2'\nf: True\ng: 0123\nh: |\n  x\n  y\n4: [a, {b: c}]\ni:\n";
        let read = read(text).expect("YAML").root;
        assert_eq!(
            read,
            json!({
                "a": 1, "b": "1.10", "c": "yes", "d": null, "e": "2", "f": true, "g": "0123", "h": "x\ny\n",
                "4": ["a", { "b": "c" }], "i": null,
            })
        );
        assert_eq!(super::read("# nothing\n").expect("empty").root, Value::Null);
        assert_eq!(super::read("{\"a\": [1, \"b\"]}").expect("JSON").root, json!({ "a": [1, "b"] }));
    }

    #[test]
    fn anchors_are_put_where_they_are_used() {
        let text = "d: &d {key: k, rpm: 1}\nlist:\n- <<: *d\n  rpm: 2\n- <<: [*d, {x: 3}]\nwhole: *d\n";
        let document = read(text).expect("YAML");
        assert_eq!(
            document.root,
            json!({
                "d": { "key": "k", "rpm": 1 }, "list": [{ "rpm": 2, "key": "k" }, { "key": "k", "rpm": 1, "x": 3 }],
                "whole": { "key": "k", "rpm": 1 },
            })
        );
        assert_eq!(document.used_elsewhere.into_iter().collect::<Vec<_>>(), ["d"]);
    }

    #[test]
    fn a_bomb_ends_at_the_bound() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..20 {
            let before = i - 1;
            text += &format!("a{i}: &a{i} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
        }
        assert!(read(&text).expect_err("a bomb").contains("more than 500000 values"));
        assert!(read(&format!("a: {}", "[".repeat(1_000))).is_err());
        assert!(read(&format!("a: {}", "- ".repeat(1_000))).is_err());
        assert!(read("a: &a [*a]").is_err());
    }

    #[test]
    fn a_mistake_has_a_line_and_no_value() {
        for (text, told) in [
            ("a: 1\nb: 2\na: 3\n", "3: the field a stands twice in one mapping; leave one"),
            (
                "sk-secret-0123456789: 1\nsk-secret-0123456789: 1\n",
                "2: the field … stands twice in one mapping; leave one",
            ),
            ("a: 1\n---\nb: 2\n", "2: a second document begins here (---); import one at a time"),
            ("<<: 7\n", "1: << must name a mapping, or a list of them"),
        ] {
            assert_eq!(read(text).expect_err("a mistake"), told);
        }
        for text in ["a: [sk-secret", "a: \"sk-secret", "a: *sk-secret", "a: b: sk-secret", "\tsk-secret: %"] {
            let told = read(text).expect_err("a mistake");
            assert!(told.starts_with(|c: char| c.is_ascii_digit()) && !told.contains("secret"), "{told}");
        }
    }
}
