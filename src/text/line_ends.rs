//! The ends of a text's lines: LF, CR LF or CR. Each line has an end of its own. Pure.

use std::collections::VecDeque;

use super::lines::{Line, compare};

/// Returns the new text with the line ends of the old one.
///
/// 1. A line of both texts keeps the end of the old one.
/// 2. A changed line has the end of the old line in the same place.
/// 3. A further line has the end of the line before. The first line has the end of the old text's first line.
pub(crate) fn with_ends_of(old: &str, new: &str) -> String {
    let (old, new) = (lines_of(old), lines_of(new));
    let old_texts: Vec<&str> = old.iter().map(|(text, _)| *text).collect();
    let new_texts: Vec<&str> = new.iter().map(|(text, _)| *text).collect();
    let mut before = old.first().map(|(_, end)| *end).filter(|end| !end.is_empty()).unwrap_or("\n");
    let (mut old_ends, mut new_ends) = (old.iter().map(|(_, end)| *end), new.iter().map(|(_, end)| *end));
    // The ends of the old lines in whose place new ones stand.
    let mut replaced = VecDeque::new();
    let mut text = String::new();
    for line in compare(&old_texts, &new_texts) {
        let (words, old_end) = match line {
            Line::Gone(_) => {
                replaced.extend(old_ends.next());
                continue;
            }
            Line::New(words) => (words, replaced.pop_front()),
            Line::Kept(words) => {
                replaced.clear();
                (words, old_ends.next())
            }
        };
        before = old_end.filter(|end| !end.is_empty()).unwrap_or(before);
        let is_ended = new_ends.next().is_some_and(|end| !end.is_empty());
        text.push_str(words);
        text.push_str(if is_ended { before } else { "" });
    }
    text
}

/// Returns the lines, each with its end. The end of a last line may be empty.
fn lines_of(text: &str) -> Vec<(&str, &str)> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(['\r', '\n']).unwrap_or(rest.len());
        let (line, behind) = rest.split_at(length);
        let end = ["\r\n", "\n", "\r"].into_iter().find(|end| behind.starts_with(end)).map_or(0, str::len);
        let (end, next) = behind.split_at(end);
        lines.push((line, end));
        rest = next;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_keeps_its_own_end() {
        let old = "{\r\n  \"a\": 1,\n  \"b\": 2,\r\n\n  \"c\": 3\r}\n";
        for (typed, wanted) in [
            ("{\n  \"a\": 1,\n  \"b\": 2,\n\n  \"c\": 3\n}\n", old),
            ("{\n  \"a\": 7,\n  \"b\": 8,\n\n  \"c\": 3\n}\n", "{\r\n  \"a\": 7,\n  \"b\": 8,\r\n\n  \"c\": 3\r}\n"),
            ("{\n  \"b\": 2,\n\n  \"c\": 3\n}\n", "{\r\n  \"b\": 2,\r\n\n  \"c\": 3\r}\n"),
            (
                "{\n  \"a\": 1,\n  \"b\": 2,\n  \"new\": 0,\n\n  \"c\": 3\n}\n",
                "{\r\n  \"a\": 1,\n  \"b\": 2,\r\n  \"new\": 0,\r\n\n  \"c\": 3\r}\n",
            ),
            (
                "{\r\n  \"a\": 1,\r\n  \"b\": 2,\r\n\r\n  \"c\": 3\r\n}",
                "{\r\n  \"a\": 1,\n  \"b\": 2,\r\n\n  \"c\": 3\r}",
            ),
            ("// first\n{\n", "// first\r\n{\r\n"),
            ("", ""),
        ] {
            assert_eq!(with_ends_of(old, typed), wanted, "{typed:?}");
        }
    }

    #[test]
    fn a_new_last_end_is_that_of_the_line_before() {
        for (old, typed, wanted) in [
            ("{\r\n}", "{\n}\n", "{\r\n}\r\n"),
            ("{}", "{\n}\n", "{\n}\n"),
            ("", "{\n}\n", "{\n}\n"),
            ("{\n}\n", "{\n}\n\n", "{\n}\n\n"),
        ] {
            assert_eq!(with_ends_of(old, typed), wanted, "{old:?}");
        }
    }
}
