//! What became of the fields of an input, for people.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};

use crate::config::begins_like_key;
use crate::types::sorted;

/// What became of a field. The order is the order in which people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Not in the configuration.
    LeftOut,
    /// There, in another form or with another meaning.
    Changed,
    /// There as it was.
    Carried,
}

impl Fate {
    fn name(self) -> &'static str {
        match self {
            Fate::LeftOut => "left out",
            Fate::Changed => "changed",
            Fate::Carried => "carried",
        }
    }
}

/// What became of a field, and why or how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) path: String,
    pub(super) fate: Fate,
    /// Never holds a value that could be a key.
    pub(super) text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the whole file" } else { &self.path };
        write!(f, "{:<9} {}", self.fate.name(), without_keys(path))?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

/// Prints the findings. Alike ones, of the items of a list, share a line with `[*]` for the number.
pub(super) fn print(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    let mut first: BTreeMap<(Fate, String, &str), usize> = BTreeMap::new();
    let mut groups: Vec<(Finding, usize)> = Vec::new();
    for finding in findings {
        let alike = without_numbers(&finding.path);
        let place = *first.entry((finding.fate, alike.clone(), &finding.text)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((group, times)) => {
                group.path = alike;
                *times += 1;
            }
            None => groups.push((finding.clone(), 1)),
        }
    }
    sorted::sort_by_key(&mut groups, |(finding, _)| finding.fate);
    for (finding, times) in &groups {
        let times = if *times > 1 { format!("  ({times} times)") } else { String::new() };
        writeln!(out, "  {finding}{times}")?;
    }
    let count = |fate| findings.iter().filter(|finding| finding.fate == fate).count();
    let [left, changed, carried] = [Fate::LeftOut, Fate::Changed, Fate::Carried].map(count);
    writeln!(out, "\n  {carried} carried, {changed} changed, {left} left out")
}

/// `a[0].b[12]` as `a[*].b[*]`.
fn without_numbers(path: &str) -> String {
    let mut alike = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        alike.push_str(before);
        let digits = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_number = digits.len() < after.len() && digits.starts_with(']');
        alike.push_str(if is_number { "[*" } else { "[" });
        rest = if is_number { digits } else { after };
    }
    alike + rest
}

/// Hides each part of a path that reads like a key: a name in an object may be one.
fn without_keys(path: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let mut shown = String::with_capacity(path.len());
    let mut word = String::new();
    for c in path.chars().chain(['\0']) {
        if is_part(c) {
            word.push(c);
            continue;
        }
        shown.push_str(if reads_like_a_key(&word) { "…" } else { &word });
        word.clear();
        if c != '\0' {
            shown.push(c);
        }
    }
    shown
}

/// Returns whether a word could be a key: by the beginning, or long and of letters and many digits without a break.
pub(super) fn reads_like_a_key(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_known = word.len() >= 12 && begins_like_key(word);
    let is_random = word.len() >= 28 && digits >= 4 && word.matches(['-', '_']).count() <= 2;
    is_known || is_random
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str, fate: Fate, text: &str) -> Finding {
        Finding { path: path.to_owned(), fate, text: text.to_owned() }
    }

    #[test]
    fn alike_findings_share_a_line_and_what_is_lost_comes_first() {
        let findings = [
            finding("a[0].name", Fate::Carried, ""),
            finding("a[1].name", Fate::Carried, ""),
            finding("a[1].other", Fate::LeftOut, "why"),
            finding("b[\"gpt-3.5\"]", Fate::Changed, "how"),
        ];
        let mut told = Vec::new();
        print(&mut told, &findings).expect("writes");
        let wanted = "  left out  a[1].other: why\n  changed   b[\"gpt-3.5\"]: how\n  carried   a[*].name  (2 times)\n\n  \
                      2 carried, 1 changed, 1 left out\n";
        assert_eq!(String::from_utf8(told).expect("UTF-8"), wanted);
    }

    #[test]
    fn a_path_shows_models_and_no_keys() {
        for (path, shown) in [
            ("a.gpt-4o-2024-08-06[0]", "a.gpt-4o-2024-08-06[0]"),
            ("a[\"sk-1234567890abcdef\"].b", "a[\"…\"].b"),
            ("weights.AIzaSyA0123456789", "weights.…"),
            ("x.0123456789abcdef0123456789abcdef", "x.…"),
            ("keepalive_interval.claude-3-5-sonnet-20240620", "keepalive_interval.claude-3-5-sonnet-20240620"),
            ("litellm_settings.default_internal_user_params", "litellm_settings.default_internal_user_params"),
        ] {
            assert_eq!(without_keys(path), shown);
        }
    }
}
