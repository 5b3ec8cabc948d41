//! YAML, line by line: keys of the top level alone, with texts or with a list of entries that have a `name`. A reader of YAML judges
//! the text before and the result.

use serde_json::{Map, Value};

use super::MergeError;
use crate::cli::import::yaml_value;

/// What a file of these programs never has, and an edit by lines could not handle.
const ODD: MergeError = MergeError::Odd("it is written in a way that can't be edited safely");

/// A key of the top level, and the lines that belong to it.
#[derive(Debug)]
struct Part<'a> {
    key: &'a str,
    /// Behind the colon, without a comment.
    value: &'a str,
    /// The first line.
    at: usize,
    /// Behind the last line of what belongs to the key.
    end: usize,
}

/// Puts the keys of `lines` into `text`. Of the keys in `kept` the old value stays.
pub(super) fn merge(text: &str, lines: &str, kept: &[&str]) -> Result<String, MergeError> {
    let before = value_of(text)?;
    let merged = put(text, lines, kept)?;
    let expected = expected(before, value_of(lines)?, kept);
    if value_of(&merged)? == expected { Ok(merged) } else { Err(ODD) }
}

/// Returns what a text says. A text of comments alone says nothing.
fn value_of(text: &str) -> Result<Map<String, Value>, MergeError> {
    match yaml_value(text).map_err(MergeError::Broken)? {
        Value::Object(keys) => Ok(keys),
        Value::Null => Ok(Map::new()),
        Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(MergeError::Odd("it is no mapping of keys to values"))
        }
    }
}

/// Returns what the result has to say.
fn expected(mut text: Map<String, Value>, wanted: Map<String, Value>, kept: &[&str]) -> Map<String, Value> {
    for (key, value) in wanted {
        match (text.get_mut(&key), value) {
            (Some(_), _) if kept.contains(&key.as_str()) => {}
            (Some(Value::Array(old)), Value::Array(wanted)) => {
                for entry in wanted {
                    match old.iter_mut().find(|old| old.get("name") == entry.get("name")) {
                        Some(old) => *old = entry,
                        None => old.insert(0, entry),
                    }
                }
            }
            (_, value) => drop(text.insert(key, value)),
        }
    }
    text
}

/// Edits the lines.
fn put(text: &str, lines: &str, kept: &[&str]) -> Result<String, MergeError> {
    let wanted: Vec<&str> = lines.lines().collect();
    let mut result: Vec<String> = text.lines().map(str::to_owned).collect();
    for part in parts(&wanted)? {
        let current: Vec<&str> = result.iter().map(String::as_str).collect();
        let old = parts(&current)?.into_iter().filter(|old| old.key == part.key);
        let lines: Vec<&str> = wanted.get(part.at..part.end).unwrap_or_default().to_vec();
        match (old.collect::<Vec<_>>().as_slice(), part.value.is_empty()) {
            ([], _) => result.extend(lines.into_iter().map(str::to_owned)),
            ([_], _) if kept.contains(&part.key) => {}
            ([old], false) => {
                let line = scalar(&current, old, part.value)?;
                let at = old.at;
                if let Some(place) = result.get_mut(at) {
                    *place = line;
                }
            }
            ([old], true) => {
                let (range, new) = entries(&current, old, lines.get(1..).unwrap_or_default())?;
                result.splice(range, new);
            }
            (_, _) => return Err(MergeError::Odd("it says a thing twice")),
        }
    }
    let merged: String = result.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let is_same = merged.trim_end() == text.trim_end();
    Ok(if is_same { text.to_owned() } else { merged })
}

/// Takes a text apart.
fn parts<'a>(lines: &[&'a str]) -> Result<Vec<Part<'a>>, MergeError> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let unreadable = || MergeError::Unreadable { line: at + 1, why: "this is no line of YAML with a key" };
        let first = line.chars().next();
        let is_below = line.starts_with([' ', '-']) && !line.starts_with("---");
        match first {
            Some('\t') => return Err(unreadable()),
            None | Some('#') => {}
            Some(_) if line.trim().is_empty() => {}
            Some(_) if is_below => match parts.last_mut() {
                Some(part) => part.end = at + 1,
                None => return Err(unreadable()),
            },
            Some(_) if line.trim_end() == "---" && parts.is_empty() => {}
            Some('{' | '[' | '&' | '*' | '!' | '%' | '?' | '|' | '>') => return Err(ODD),
            Some(_) => {
                let (key, value) = line.split_once(':').ok_or_else(unreadable)?;
                if !(value.is_empty() || value.starts_with(' ')) {
                    return Err(unreadable());
                }
                let key = key.trim_end().trim_matches(['"', '\'']);
                parts.push(Part { key, value: without_comment(value).trim(), at, end: at + 1 });
            }
        }
    }
    Ok(parts)
}

/// Returns a value without the comment behind it.
fn without_comment(value: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in value.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return value.get(..at).unwrap_or_default(),
            (None, '"' | '\'') if before.is_whitespace() => quote = Some(c),
            (Some(open), c) if c == open && before != '\\' => quote = None,
            _ => {}
        }
        before = c;
    }
    value
}

/// Returns the line of a key with another text as value. A comment behind the text stays.
fn scalar(lines: &[&str], old: &Part<'_>, value: &str) -> Result<String, MergeError> {
    let line = lines.get(old.at).copied().unwrap_or_default();
    if old.end > old.at + 1 || old.value.starts_with(['{', '[', '&', '*', '!', '|', '>']) {
        return Err(MergeError::OtherKind(old.key.to_owned()));
    }
    let bare = |text: &str| text.trim_matches(['"', '\'']).to_owned();
    if bare(old.value) == bare(value) {
        return Ok(line.to_owned());
    }
    let (key, rest) = line.split_once(':').ok_or(ODD)?;
    let comment = rest.get(without_comment(rest).len()..).unwrap_or_default();
    let gap = if comment.is_empty() { "" } else { " " };
    Ok(format!("{key}: {value}{gap}{comment}"))
}

/// Returns which lines give way, and the lines of the wanted entry in the list's own indentation: in the place of the entry with the
/// same name, else in front.
fn entries(
    lines: &[&str],
    old: &Part<'_>,
    wanted: &[&str],
) -> Result<(std::ops::Range<usize>, Vec<String>), MergeError> {
    let indent_of = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let own = indent_of(wanted.first().copied().unwrap_or_default());
    let indented = |to: usize| -> Vec<String> {
        wanted.iter().map(|line| format!("{}{}", " ".repeat(to), line.get(own..).unwrap_or_default())).collect()
    };
    let below = old.at + 1..old.end;
    let listed: Vec<(usize, &str)> = below.filter_map(|at| Some((at, *lines.get(at)?))).collect();
    let Some((_, first)) = listed.iter().find(|(_, line)| !is_blank(line)) else {
        return match old.value {
            "" => Ok((old.at + 1..old.at + 1, indented(own))),
            // The list's own line keeps no brackets.
            "[]" => {
                let key = format!("{}:", old.key);
                Ok((old.at..old.at + 1, std::iter::once(key).chain(indented(own)).collect()))
            }
            _ => Err(MergeError::OtherKind(old.key.to_owned())),
        };
    };
    let indent = indent_of(first);
    if !old.value.is_empty() || !first.trim_start().starts_with("- ") {
        return Err(MergeError::OtherKind(old.key.to_owned()));
    }
    let name = name_of(wanted).ok_or(ODD)?;
    let is_start = |line: &str| indent_of(line) == indent && line.trim_start().starts_with('-');
    let starts: Vec<usize> = listed.iter().filter(|(_, line)| is_start(line)).map(|(at, _)| *at).collect();
    let ends = starts.iter().skip(1).copied().chain([old.end]);
    for (start, end) in starts.iter().copied().zip(ends) {
        let entry = lines.get(start..end).unwrap_or_default();
        if name_of(entry) == Some(name) {
            let blank = entry.iter().rev().take_while(|line| is_blank(line)).count();
            return Ok((start..end - blank, indented(indent)));
        }
    }
    Ok((old.at + 1..old.at + 1, indented(indent)))
}

/// Returns the `name` of an entry of a list.
fn name_of<'a>(entry: &[&'a str]) -> Option<&'a str> {
    let first = entry.first()?;
    let depth = first.len() - first.trim_start_matches([' ', '-']).len();
    let fields = entry.iter().filter(|line| line.len() - line.trim_start_matches([' ', '-']).len() == depth);
    let names = fields.filter_map(|line| line.trim_start_matches([' ', '-']).strip_prefix("name:"));
    names.map(|value| without_comment(value).trim().trim_matches(['"', '\''])).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAT: &str = "base: \"http://x/v1\"\nmodel: \"m\"\n";
    const LIST: &str = "name: pool\nmodels:\n  - name: Pool\n    model: \"m\"\n    roles: [chat]\n";

    #[test]
    fn texts_are_set_and_all_else_stays() {
        let text = "# mine\nmodel: old  # the best\nread:\n  - a.md\n";
        let merged = merge(text, FLAT, &[]).expect("merged");
        assert_eq!(merged, "# mine\nmodel: \"m\" # the best\nread:\n  - a.md\nbase: \"http://x/v1\"\n");
        assert_eq!(merge(&merged, FLAT, &[]).as_ref(), Ok(&merged), "a second time changes nothing");
    }

    #[test]
    fn an_entry_comes_first_in_a_list_or_takes_the_place_of_its_namesake() {
        let text = "name: Mine\nmodels:\n# all of them\n- name: Other\n  model: x\n\nrules: []\n";
        let merged = merge(text, LIST, &["name"]).expect("merged");
        let pool = "- name: Pool\n  model: \"m\"\n  roles: [chat]\n";
        assert_eq!(
            merged,
            format!("name: Mine\nmodels:\n{pool}# all of them\n- name: Other\n  model: x\n\nrules: []\n")
        );
        assert_eq!(merge(&merged, LIST, &["name"]).as_ref(), Ok(&merged), "a second time changes nothing");
        let old = "models:\n  - model: old\n    name: Pool\n    key: k\n  # next\n  - name: Other\n";
        let merged = merge(old, LIST, &["name"]).expect("merged");
        assert!(
            merged.starts_with(
                "models:\n  - name: Pool\n    model: \"m\"\n    roles: [chat]\n  # next\n  - name: Other\n"
            ),
            "{merged}"
        );
        assert_eq!(
            merge("models: [] # none\n", LIST, &[]).expect("merged"),
            format!("{}name: pool\n", LIST.trim_start_matches("name: pool\n"))
        );
    }

    #[test]
    fn what_cannot_be_edited_by_lines_is_refused() {
        for text in [
            "{a: 1}",
            "a\n",
            "\ta: 1\n",
            "base: {x: 1}\n",
            "base:\n  x: 1\n",
            "a: 1\n---\nb: 2\n",
            "model: |\n  x\n",
            "a:1\n",
            "base: a\nbase: b\n",
        ] {
            assert!(merge(text, FLAT, &[]).is_err(), "{text:?}");
        }
        for text in [
            "models: [{name: x}]\n",
            "models: {}\n",
            "models:\n  a: 1\n",
            "models: &x\n  - name: a\n",
            "a: [b\n",
            "a: 'b\n",
        ] {
            assert!(merge(text, LIST, &[]).is_err(), "{text:?}");
        }
    }
}
