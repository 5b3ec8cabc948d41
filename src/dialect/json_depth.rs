//! How deep a JSON text is nested. This program reads any depth without a stack; an upstream may need one.

use memchr::memchr2;

use super::scanned_body::ScannedBody;

/// Deeper than any sensible request: a tool's schema has some tens of levels.
pub(crate) const DEEPEST: usize = 256;

/// Returns whether a valid JSON text is nested no deeper than [`DEEPEST`].
pub(crate) fn is_shallow(body: ScannedBody<'_>) -> bool {
    if body.parts().map(brackets).sum::<usize>() <= DEEPEST {
        return true;
    }
    let bytes = body.text().as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = behind_string(bytes, at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return false;
        }
    }
    true
}

/// Counts all opening brackets. The sums are bytes, so that the compiler adds many at a time: most texts have few.
fn brackets(bytes: &[u8]) -> usize {
    let opens = |byte: &u8| u8::from(byte | 0x20 == b'{');
    bytes.chunks(255).map(|chunk| usize::from(chunk.iter().map(opens).sum::<u8>())).sum()
}

/// Returns the position behind the closing quote of the string from `at` on.
fn behind_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found + 1;
        if bytes.get(at - 1) == Some(&b'"') {
            return at;
        }
        // Whatever is escaped.
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_shallow(text: &str) -> bool {
        super::is_shallow(ScannedBody::new(text))
    }

    #[test]
    fn all_that_opens_is_counted() {
        assert_eq!(brackets(&[b"[{}]".repeat(300), b";".repeat(300)].concat()), 600);
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(is_shallow(&nested(DEEPEST - 1)) && !is_shallow(&nested(DEEPEST)));
        let brackets = "[{".repeat(DEEPEST);
        assert!(is_shallow(&format!(r#"{{"a":"{brackets}","b":"\\","c":"\"{brackets}"}}"#)));
        assert!(!is_shallow(&format!(r#"{{"a":"\\","b":{brackets}"#)));
        // Side by side is not deep.
        assert!(is_shallow(&format!("[{}1]", "[1],".repeat(DEEPEST * 2))));
    }
}
