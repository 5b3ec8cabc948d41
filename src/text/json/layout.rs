//! How a text is laid out, and new parts in the same way. Pure.

use serde_json::{Map, Value};

/// The longest new part in one line, in characters, where nothing shows what the text's author prefers.
const SHORT: usize = 80;

/// The longest part in one line among others in one line.
const LONG: usize = 120;

/// How a text is laid out.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    newline: &'static str,
    /// One level of indentation.
    unit: String,
    /// The text has more than one line.
    has_lines: bool,
    /// Nothing stands between a colon and the value.
    is_tight: bool,
}

impl Layout {
    /// Looks at a text.
    pub(super) fn of(text: &str) -> Layout {
        let first_line = text.find('\n');
        let is_windows = first_line.is_some_and(|at| text.get(..at).is_some_and(|line| line.ends_with('\r')));
        let indented = text.lines().map(indentation).find(|blank| !blank.is_empty());
        Layout {
            newline: if is_windows { "\r\n" } else { "\n" },
            unit: indented.unwrap_or("  ").to_owned(),
            has_lines: first_line.is_some_and(|at| !text.get(at..).unwrap_or_default().trim().is_empty()),
            is_tight: first_line.is_none() && text.contains("\":") && !text.contains("\": "),
        }
    }

    /// Returns a line end with the indentation of the next line.
    pub(super) fn line_break(&self, indent: &str) -> String {
        format!("{}{indent}", self.newline)
    }

    /// Returns the indentation one level deeper.
    pub(super) fn deeper(&self, indent: &str) -> String {
        format!("{indent}{}", self.unit)
    }

    /// Returns what stands between items in one line.
    pub(super) fn blank(&self) -> &'static str {
        if self.is_tight { "" } else { " " }
    }

    /// Returns whether the first item of an empty container gets a line of its own.
    pub(super) fn wants_line(&self, item: &Value, is_object: bool) -> bool {
        self.has_lines && (is_object || item.is_object() || item.is_array())
    }

    /// Returns the beginning of a member, up to the value.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}:{}", Value::from(name), self.blank())
    }

    /// Writes a value. `like` is a container of the text in whose form the value is written: the old value, or the one before.
    pub(super) fn written(&self, value: &Value, indent: &str, like: Option<&str>) -> String {
        let like = like.filter(|text| text.starts_with(['{', '[']));
        let longest = match like {
            _ if !self.has_lines => usize::MAX,
            Some(text) if text.contains('\n') => 0,
            Some(_) => LONG,
            None => SHORT,
        };
        let line = self.in_one_line(value);
        let is_long = line.chars().count() > longest;
        if is_long { self.in_lines(value, indent).unwrap_or(line) } else { line }
    }

    fn in_one_line(&self, value: &Value) -> String {
        if self.is_tight {
            return value.to_string();
        }
        match value {
            Value::Array(entries) => {
                let entries: Vec<String> = entries.iter().map(|entry| self.in_one_line(entry)).collect();
                format!("[{}]", entries.join(", "))
            }
            Value::Object(members) if !members.is_empty() => {
                let member = |(name, value): (&String, &Value)| self.name(name) + &self.in_one_line(value);
                format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => value.to_string(),
        }
    }

    /// Gives each item a line of its own; `None` where there are no items.
    fn in_lines(&self, value: &Value, indent: &str) -> Option<String> {
        let below = self.deeper(indent);
        let item = |value: &Value| {
            let line = self.in_one_line(value);
            if line.chars().count() > SHORT { self.in_lines(value, &below).unwrap_or(line) } else { line }
        };
        let (open, items, close) = match value {
            Value::Array(entries) => ('[', entries.iter().map(item).collect::<Vec<_>>(), ']'),
            Value::Object(members) => ('{', self.members(members, item), '}'),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
        let (inner, outer) = (self.line_break(&below), self.line_break(indent));
        (!items.is_empty()).then(|| format!("{open}{inner}{}{outer}{close}", items.join(&format!(",{inner}"))))
    }

    fn members(&self, members: &Map<String, Value>, written: impl Fn(&Value) -> String) -> Vec<String> {
        members.iter().map(|(name, value)| self.name(name) + &written(value)).collect()
    }
}

/// Returns the blanks at the beginning of a line.
pub(super) fn indentation(line: &str) -> &str {
    let end = line.find(|c| c != ' ' && c != '\t').unwrap_or(line.len());
    line.get(..end).unwrap_or_default()
}
