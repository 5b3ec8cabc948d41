//! What stands between the parts of a text: blanks, comments, commas. Pure.

use super::layout::indentation;
use super::tree::TextSpan;

/// Returns the place of the comma in a stretch between two items.
pub(super) fn comma(text: &str, between: TextSpan) -> Option<usize> {
    let mut at = between.start;
    while at < between.end {
        let rest = text.get(at..between.end)?;
        match comment(rest) {
            Some(length) => at += length,
            None if rest.starts_with(',') => return Some(at),
            None => at += rest.chars().next()?.len_utf8(),
        }
    }
    None
}

/// Returns the end of the comments that follow in the same line, and whether a line end must follow there.
pub(super) fn end_of_comments(text: &str, from: usize) -> (usize, bool) {
    let (mut end, mut needs_line_end) = (from, false);
    loop {
        let rest = text.get(end..).unwrap_or_default();
        let blank = indentation(rest).len();
        match rest.get(blank..).and_then(|rest| Some((comment(rest)?, rest.starts_with("//")))) {
            Some((length, is_line)) if !needs_line_end => (end, needs_line_end) = (end + blank + length, is_line),
            Some(_) | None => return (end, needs_line_end),
        }
    }
}

/// Returns the length of the comment at the beginning of a text, without its line end.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        let end = text.find('\n').unwrap_or(text.len());
        return text.get(..end).map(|line| line.trim_end_matches('\r').len());
    }
    let inside = text.strip_prefix("/*")?;
    Some(inside.find("*/").map_or(text.len(), |end| end + 4))
}

/// Returns the indentation of the line of a place.
pub(super) fn indentation_at(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    indentation(text.get(start..).unwrap_or_default())
}

/// Returns whether nothing but blanks stands before a place in its line.
pub(super) fn begins_line(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    before.trim_end_matches([' ', '\t']).ends_with('\n')
}

/// Widens a cut, so that no blanks are left over. `is_before_comma` says that the cut ends with the item's own comma.
pub(super) fn tidy(text: &str, cut: TextSpan, is_before_comma: bool) -> TextSpan {
    let before = text.get(..cut.start).unwrap_or_default();
    let behind = text.get(cut.end..).unwrap_or_default();
    let left = before.len() - before.trim_end_matches([' ', '\t']).len();
    let right = indentation(behind).len();
    let line_end = behind
        .get(right..)
        .and_then(|rest| ["\n", "\r\n"].into_iter().find(|end| rest.starts_with(end)).map(|end| right + end.len()));
    match (begins_line(text, cut.start), line_end) {
        (true, Some(line_end)) => TextSpan { start: cut.start - left, end: cut.end + line_end },
        (false, Some(_)) => TextSpan { start: cut.start - left, end: cut.end },
        (true, None) => TextSpan { start: cut.start, end: cut.end + right },
        (false, None) if is_before_comma => TextSpan { start: cut.start, end: cut.end + right },
        (false, None) => TextSpan { start: cut.start - left, end: cut.end },
    }
}
