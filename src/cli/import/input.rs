//! Reads the input into a tree, whatever the form.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value};

use super::size;
use super::tree::{Node, Tree};
use super::yaml;
use crate::cli::dotenv;
use crate::config::Unambiguous;

/// The largest input, in bytes. A list of ten thousand keys has one megabyte.
const MOST_BYTES: u64 = 4 << 20;

/// Behind the name of a variable that stands twice.
pub(super) const AGAIN: &str = " (again)";

/// More lines that can't be read than this, and than can be read, are no file of variables.
const MOST_ODD_LINES: usize = 10;

/// In front of the number of a line that can't be read; the value says why. No variable has such a name.
const LINE: &str = "line-";

/// Marks the lines of a file of variables that can't be read.
pub(super) fn leave_odd_lines(root: &Node<'_>) {
    for (name, why) in root.fields() {
        if let (true, Some(why)) = (name.starts_with(LINE), why.value().as_str()) {
            root.get(name).iter().for_each(|line| line.leave(why));
        }
    }
}

/// What a file is written in, unless it is JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// YAML.
    Yaml,
    /// Lines `NAME=value`.
    Lines,
    /// Lines `NAME=value`, or a table with commas.
    LinesOrTable,
    /// Nothing else.
    Json,
    /// Nothing else, and a text may be JSON again: the program keeps structures as texts.
    JsonInTexts,
}

/// Reads a file, or standard input for `-`.
pub(super) fn read_file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
    };
    let length = read.map_err(|e| format!("can't be read: {e}"))?;
    if length as u64 > MOST_BYTES {
        return Err(format!("is larger than {} MiB; import a part of it", MOST_BYTES >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8; save it as UTF-8".to_owned())?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

/// Parses a text. JSON is known by the first character, whatever else the program writes.
pub(super) fn parse(form: Form, text: &str) -> Result<Tree, String> {
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if text.trim_start().starts_with(['{', '[']) {
        let Unambiguous(mut root) = serde_json::from_str(text).map_err(|e| {
            let why = e.to_string();
            format!(
                "{}:{}: not valid JSON: {}",
                e.line(),
                e.column(),
                why.split(" at line ").next().unwrap_or_default()
            )
        })?;
        if form == Form::JsonInTexts {
            spell_out(&mut root);
        }
        return Ok(Tree::new(size::check(root)?, BTreeSet::new()));
    }
    match form {
        Form::Yaml => {
            let document = yaml::read(text)?;
            Ok(Tree::new(document.root, document.used_elsewhere))
        }
        Form::LinesOrTable if text.lines().next().is_some_and(|first| first.contains(',') && !first.contains('=')) => {
            Ok(Tree::new(table(text)?, BTreeSet::new()))
        }
        Form::Lines | Form::LinesOrTable => variables(text),
        Form::Json | Form::JsonInTexts => Err("must be JSON, and begins with neither { nor [".to_owned()),
    }
}

/// Puts the structure in the place of each text that is JSON of one. The structure's own texts stay.
fn spell_out(value: &mut Value) {
    match value {
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            if let Ok(Unambiguous(structure)) = serde_json::from_str(text) {
                *value = structure;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_out),
        Value::Object(fields) => fields.values_mut().for_each(spell_out),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Returns a table with a line of names as a list of objects. Fields may stand in double quotes, and have lines in them.
fn table(text: &str) -> Result<Value, String> {
    let mut rows = cells(text)?.into_iter();
    let names = rows.next().unwrap_or_default();
    names.iter().try_for_each(|name| size::check_name(name))?;
    let row_of_nothing = names.iter().map(|name| size::count(&Value::Null, name.len())).sum::<usize>();
    size::in_bound(rows.len() * row_of_nothing)?;
    let objects = rows.enumerate().map(|(i, row)| {
        if row.len() > names.len() {
            return Err(format!("row {} has more fields than the first line", i + 2));
        }
        let fields = names.iter().cloned().zip(row.into_iter().map(Value::String));
        Ok(Value::Object(fields.collect()))
    });
    objects.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn cells(text: &str) -> Result<Vec<Vec<String>>, String> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut in_quotes = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if in_quotes && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => row.push(std::mem::take(&mut cell)),
            '\n' if !in_quotes => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !in_quotes => {}
            other => cell.push(other),
        }
    }
    if in_quotes {
        return Err("a field in double quotes has no end".to_owned());
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    Ok(rows)
}

/// Returns the variables of an environment file as an object.
fn variables(text: &str) -> Result<Tree, String> {
    let parsed = dotenv::parse(text.as_bytes());
    let mut fields = Map::new();
    // As at the start of the server, a line that can't be read costs itself alone. The line is a field without a meaning.
    let left_out = parsed.warnings.iter().filter_map(|warning| warning.strip_suffix("; the line is left out"));
    if left_out.clone().count() > MOST_ODD_LINES.max(parsed.variables.len()) {
        return Err(
            "most of its lines are no NAME=value: is this a .env? --from names the program whose file it is".into()
        );
    }
    for (number, why) in left_out.filter_map(|warning| warning.split_once(": ")) {
        fields.insert(format!("{LINE}{number}"), Value::String(why.to_owned()));
    }
    let value = |text: String| Value::String(text);
    fields.extend(parsed.variables.into_iter().map(|variable| (variable.name, value(variable.value))));
    // The last of two lines with one name counts, as at the start of the server. The other one is a field without a meaning.
    let replaced = parsed.replaced.into_iter();
    fields.extend(replaced.map(|variable| (format!("{}{AGAIN}", variable.name), value(variable.value))));
    Ok(Tree::new(Value::Object(fields), BTreeSet::new()))
}
