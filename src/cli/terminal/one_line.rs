//! Texts of others in lines for people.

use std::borrow::Cow;

/// Returns a text as one line: a client's name for a model must forge no other line and paint nothing.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    // Most texts hold nothing of the kind. In UTF-8 such a character is one of these bytes, or begins with the last of these, or
    // with two bytes that begin no arrow.
    let bytes = text.as_bytes();
    let is_odd = |byte: &u8| matches!(byte, 0..=0x1f | 0x7f | 0xc2);
    let begins_one = |at| matches!(bytes.get(at..), Some([0xe2, 0x80 | 0x81, ..]));
    // No early end: so the compiler looks at many bytes at a time.
    let any_odd = bytes.iter().fold(false, |any, byte| any | is_odd(byte));
    if !any_odd && !memchr::memchr_iter(0xe2, bytes).any(begins_one) {
        return text.into();
    }
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if deceives(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line.into()
}

/// Control characters, and characters of Unicode that end a line or turn the direction of the text.
fn deceives(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_forges_no_line() {
        assert_eq!(one_line("m\r\n2026 INFO x\u{1b}[31m"), "m\\r\\n2026 INFO x\\u{1b}[31m");
        assert_eq!(one_line("m\u{2028}x\u{202e}y\u{85}"), "m\\u{2028}x\\u{202e}y\\u{85}");
        assert_eq!(one_line("模型 → ok … “so”"), "模型 → ok … “so”");
    }
}
