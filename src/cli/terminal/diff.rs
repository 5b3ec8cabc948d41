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

/// Returns a line without the value of a name that speaks of a secret. References to variables are no secrets.
fn masked(line: &str) -> Cow<'_, str> {
    let Some(at) = line.find([':', '=']) else { return line.into() };
    let (name, value) = line.split_at(at + 1);
    let is_secret = SECRET.iter().any(|word| name.to_lowercase().contains(word));
    let bare = value.trim().trim_end_matches(',').trim_matches(['"', '\'']);
    let is_reference = bare.starts_with(['$', '{', '[']) || bare.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    if is_secret && !is_reference { format!("{name} ***").into() } else { line.into() }
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
        let old = "\"API_KEY\": \"sk-secret\",\nmodel: m\n";
        let new = "\"API_KEY\": \"$POOL\",\nANTHROPIC_AUTH_TOKEN = 'sk-other'\nenv_key = \"POOL_KEY\"\n";
        let told = diff(old, new);
        assert!(!told.contains("sk-") && told.contains("\"$POOL\"") && told.contains("\"POOL_KEY\""), "{told}");
    }
}
