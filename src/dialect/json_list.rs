//! A JSON list whose elements arrive one by one, as Gemini's streams without `alt=sse` do: where each element ends. The bytes may be
//! cut anywhere.
//!
//! A piece of the list is an element with all that stands in front (the bracket, a comma, white space), or the last bracket.

/// Finds the ends of a list's pieces in bytes from pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct ListCutter {
    /// How many bytes of the piece under way were looked at.
    seen: usize,
    /// How many brackets and braces are open.
    depth: usize,
    in_string: bool,
    /// Whether the last byte was a backslash in a string.
    is_escaped: bool,
}

impl ListCutter {
    /// Goes on in the same element, after all bytes so far were passed on.
    pub(crate) fn forget_seen(&mut self) {
        self.seen = 0;
    }

    /// Returns how long the first piece of `bytes` is; `None` if its end has not arrived. Until then the next call must begin with the
    /// same bytes.
    pub(crate) fn next_end(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(byte) = bytes.get(self.seen) {
            if self.in_string && !self.is_escaped && !matches!(byte, b'"' | b'\\') {
                let rest = bytes.get(self.seen..).unwrap_or_default();
                self.seen += memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                continue;
            }
            self.seen += 1;
            if self.in_string {
                self.in_string = *byte != b'"' || self.is_escaped;
                self.is_escaped = *byte == b'\\' && !self.is_escaped;
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    // An element of the list has ended, or the list itself.
                    if self.depth <= 1 {
                        return Some(std::mem::take(&mut self.seen));
                    }
                }
                _ => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts bytes from pieces of a size; the last piece may lack its end.
    fn cut(text: &str, size: usize) -> Vec<String> {
        let mut cutter = ListCutter::default();
        let (mut found, mut buffer) = (Vec::new(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            buffer.extend_from_slice(piece);
            while let Some(end) = cutter.next_end(&buffer) {
                found.push(String::from_utf8(buffer.drain(..end).collect()).expect("text"));
            }
        }
        found.push(String::from_utf8(buffer).expect("text"));
        found
    }

    #[test]
    fn an_element_ends_with_its_brace_however_the_list_is_cut() {
        let list = "[{\n \"a\": [1, {\"b\": \"]}\\\"{\\\\\"}]\n}\n,\r\n{\"c\":\"é\"}\n]\n";
        let wanted = ["[{\n \"a\": [1, {\"b\": \"]}\\\"{\\\\\"}]\n}", "\n,\r\n{\"c\":\"é\"}", "\n]", "\n"];
        for size in [1, 2, 3, 7, 100] {
            assert_eq!(cut(list, size), wanted, "pieces of {size}");
        }
        assert_eq!(cut("[{\"a\":\"}", 3), ["[{\"a\":\"}"]);
        assert_eq!(cut("[]", 1), ["[]", ""]);
    }
}
