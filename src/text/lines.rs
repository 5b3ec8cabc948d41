//! Two texts compared line by line. Pure.

/// The most pairs of lines that are compared. Beyond, all old lines in between are shown as gone.
const MOST_PAIRS: usize = 4_000_000;

/// Lines around a change in a diff.
pub(crate) const CONTEXT: usize = 3;

/// A line of one of two texts, or of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Of both.
    Kept(&'a str),
    /// Of the old one.
    Gone(&'a str),
    /// Of the new one.
    New(&'a str),
}

impl Line<'_> {
    fn is_change(&self) -> bool {
        match self {
            Line::Kept(_) => false,
            Line::Gone(_) | Line::New(_) => true,
        }
    }
}

/// Returns whether a line stands near a change.
pub(crate) fn is_near_change(lines: &[Line<'_>], at: usize) -> bool {
    let around = lines.get(at.saturating_sub(CONTEXT)..(at + CONTEXT + 1).min(lines.len())).unwrap_or_default();
    around.iter().any(Line::is_change)
}

/// Returns the difference of two texts as `diff -u` prints the difference, without the names of files; nothing for equal texts.
pub(crate) fn unified_diff(old: &str, new: &str) -> String {
    let lines = compare(&lines_of(old), &lines_of(new));
    let mut diff = String::new();
    let (mut old_at, mut new_at) = (0, 0);
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if !is_near_change(&lines, at) {
            count(line, &mut old_at, &mut new_at);
            at += 1;
            continue;
        }
        let length = (at..lines.len()).take_while(|at| is_near_change(&lines, *at)).count();
        let hunk = lines.get(at..at + length).unwrap_or_default();
        let (old_before, new_before) = (old_at, new_at);
        hunk.iter().for_each(|line| count(line, &mut old_at, &mut new_at));
        let place = |before: usize, end: usize| format!("{},{}", before + usize::from(end > before), end - before);
        diff += &format!("@@ -{} +{} @@\n", place(old_before, old_at), place(new_before, new_at));
        diff.extend(hunk.iter().map(shown));
        at += length;
    }
    diff
}

/// Returns the lines with their ends: a changed end of a line is a change.
fn lines_of(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn count(line: &Line<'_>, old_at: &mut usize, new_at: &mut usize) {
    match line {
        Line::Kept(_) => (*old_at, *new_at) = (*old_at + 1, *new_at + 1),
        Line::Gone(_) => *old_at += 1,
        Line::New(_) => *new_at += 1,
    }
}

fn shown(line: &Line<'_>) -> String {
    let (sign, text) = match line {
        Line::Kept(text) => (' ', text),
        Line::Gone(text) => ('-', text),
        Line::New(text) => ('+', text),
    };
    let end = if text.ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
    format!("{sign}{text}{end}")
}

/// Returns the lines of both texts, with the longest common sequence kept.
pub(crate) fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_has_three_lines_around_each_change() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\nmore";
        let hunks = "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -11,3 +11,4 @@\n 11\n 12\n 13\n+more\n\\ No newline at end of file\n";
        assert_eq!(unified_diff(old, new), hunks);
        assert_eq!(unified_diff("", "a\n"), "@@ -0,0 +1,1 @@\n+a\n");
        assert_eq!(unified_diff("a\n", ""), "@@ -1,1 +0,0 @@\n-a\n");
        assert_eq!(unified_diff("a\n", "a\r\n"), "@@ -1,1 +1,1 @@\n-a\n+a\r\n");
        assert_eq!(unified_diff("a\n", "a\n"), "");
    }
}
