//! The difference of two texts, line by line, as `diff -u` shows it. Values that may be secrets are not shown.

use std::borrow::Cow;
use std::io::{self, Write};

use super::paint::{Paint, Tone};
use crate::text::lines::{Line, compare, is_near_change};

/// Names whose values are not shown.
const SECRET: [&str; 5] = ["key", "token", "secret", "password", "authorization"];

/// Prints what changes from the old text to the new one.
///
/// # Errors
/// When nothing more can be written.
pub(crate) fn print_diff(out: &mut impl Write, old: &str, new: &str, paint: Paint) -> io::Result<()> {
    let lines = compare(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        if !is_near_change(&lines, at) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            writeln!(out, "{}", paint.tint(Tone::Faint, "  …"))?;
        }
        match line {
            Line::Kept(text) => writeln!(out, "  {}", masked(text))?,
            Line::Gone(text) => writeln!(out, "{}", paint.tint(Tone::Bad, &format!("- {}", masked(text))))?,
            Line::New(text) => writeln!(out, "{}", paint.tint(Tone::Good, &format!("+ {}", masked(text))))?,
        }
    }
    Ok(())
}

/// Returns a line without the values of names that speak of secrets. References to variables are no secrets.
fn masked(line: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let mut rest = line;
    while let Some(at) = rest.find([':', '=']) {
        let (name, behind) = rest.split_at(at + 1);
        shown.push_str(name);
        rest = behind;
        if !is_secret(name) {
            continue;
        }
        let value_at = rest.len() - rest.trim_start().len();
        let (blank, from_value) = rest.split_at(value_at);
        let quote = from_value.chars().next().filter(|c| ['"', '\''].contains(c));
        let value = match quote {
            Some(quote) => from_value.get(1..).unwrap_or_default().split(quote).next().unwrap_or_default(),
            None => from_value.split([',', '}', ' ']).next().unwrap_or_default(),
        };
        shown.push_str(blank);
        shown.extend(quote);
        shown.push_str(if is_reference(value) { value } else { "***" });
        rest = from_value.get(value.len() + usize::from(quote.is_some())..).unwrap_or_default();
    }
    if shown.is_empty() {
        return line.into();
    }
    (shown + rest).into()
}

/// Returns whether the text ends with a name that speaks of a secret, and `:` or `=`.
fn is_secret(text: &str) -> bool {
    let before = text.trim_end_matches([':', '=', ' ', '"', '\'']);
    let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default();
    SECRET.iter().any(|word| name.to_lowercase().contains(word))
}

/// Returns whether a value is no secret: a variable (`$KEY`, `{env:KEY}`, `POOL_KEY`), or a number.
fn is_reference(value: &str) -> bool {
    let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let is_variable = value.contains('_') && value.chars().all(is_name);
    value.starts_with(['$', '{', '[']) || is_variable || value.parse::<u32>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diff(old: &str, new: &str) -> String {
        let mut out = Vec::new();
        print_diff(&mut out, old, new, Paint::OFF).expect("printed");
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn changed_lines_stand_between_unchanged_ones() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\nten\n";
        assert_eq!(diff(old, new), "  …\n  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n  9\n+ ten\n");
        assert_eq!(diff("", "a\n"), "+ a\n");
        assert_eq!(diff("a\nb\nc\n", "a\nc\n"), "  a\n- b\n  c\n");
    }

    #[test]
    fn secrets_are_not_shown() {
        let old =
            "\"API_KEY\": \"sk-secret\",\nenv: { \"MINE\": \"1\", \"TOKEN\": \"sk-it\", KEY=sk-is }\nmodel: http://m\n";
        let new = "\"API_KEY\": \"$POOL\",\nANTHROPIC_AUTH_TOKEN = 'sk-other'\nenv_key = \"POOL_KEY\"\n";
        let told = diff(old, new);
        assert!(!told.contains("sk-") && told.contains("\"$POOL\"") && told.contains("\"POOL_KEY\""), "{told}");
        assert!(
            told.contains("- env: { \"MINE\": \"1\", \"TOKEN\": \"***\", KEY=*** }\n- model: http://m\n"),
            "{told}"
        );
    }
}
