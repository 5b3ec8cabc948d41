//! The difference of two texts, line by line, as `diff -u` shows it. Values that may be secrets are not shown.

use std::borrow::Cow;
use std::io::{self, Write};

use super::paint::{Paint, Tone};

/// Lines around a change.
const CONTEXT: usize = 3;

/// The most pairs of lines that are compared. Beyond, all old lines in between are shown as gone.
const MOST_PAIRS: usize = 4_000_000;

/// Names whose values are not shown.
const SECRET: [&str; 5] = ["key", "token", "secret", "password", "authorization"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line<'a> {
    Kept(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// Prints what changes from the old text to the new one.
///
/// # Errors
/// When nothing more can be written.
pub(crate) fn print_diff(out: &mut impl Write, old: &str, new: &str, paint: Paint) -> io::Result<()> {
    let lines = compare(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
    let is_near = |at: usize| {
        let around = lines.get(at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(lines.len())).unwrap_or_default();
        around.iter().any(|line| !matches!(line, Line::Kept(_)))
    };
    let mut skipped = false;
    for (at, line) in lines.iter().enumerate() {
        if !is_near(at) {
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

/// Returns the lines of both texts, with the longest common sequence kept.
fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let begin = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let rest = old.len().min(new.len()) - begin;
    let end = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
    let middle = |lines: &[&'a str]| lines.get(begin..lines.len() - end).unwrap_or_default().to_vec();
    let kept = |lines: &[&'a str]| lines.iter().map(|line| Line::Kept(line)).collect::<Vec<_>>();
    let mut all = kept(old.get(..begin).unwrap_or_default());
    all.extend(changes(&middle(old), &middle(new)));
    all.extend(kept(old.get(old.len() - end..).unwrap_or_default()));
    all
}

fn changes<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > MOST_PAIRS {
        let gone = old.iter().map(|line| Line::Gone(line));
        return gone.chain(new.iter().map(|line| Line::New(line))).collect();
    }
    // The length of the longest common sequence of both rests.
    let mut common = vec![0_u32; (old.len() + 1) * width];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, old_line) in old.iter().enumerate().rev() {
        for (j, new_line) in new.iter().enumerate().rev() {
            let longest = match old_line == new_line {
                true => at(&common, i + 1, j + 1) + 1,
                false => at(&common, i + 1, j).max(at(&common, i, j + 1)),
            };
            if let Some(place) = common.get_mut(i * width + j) {
                *place = longest;
            }
        }
    }
    let mut lines = Vec::with_capacity(old.len() + new.len());
    let (mut i, mut j) = (0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(old), Some(new)) if old == new => {
                lines.push(Line::Kept(old));
                (i, j) = (i + 1, j + 1);
            }
            (Some(old), new) if new.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                lines.push(Line::Gone(old));
                i += 1;
            }
            (_, Some(new)) => {
                lines.push(Line::New(new));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
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
