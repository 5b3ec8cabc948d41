//! A JSON body without the bytes of its images and files: these may be most of the body, and mean nothing here.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Stands before the bytes of an image or a file. The bytes end with the string that they stand in.
static MARK: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(";base64,"));

/// A valid JSON text, of which is known how much is attached: images and files in base64.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScannedBody<'a> {
    text: &'a str,
    attached: usize,
}

impl<'a> ScannedBody<'a> {
    /// Measures what is attached.
    pub(crate) fn new(text: &'a str) -> ScannedBody<'a> {
        let read: usize = ReadParts { rest: Some(text.as_bytes()), is_divided: true }.map(<[u8]>::len).sum();
        ScannedBody { text, attached: text.len() - read }
    }

    /// Returns the text, with all that is attached.
    pub(crate) fn text(&self) -> &'a str {
        self.text
    }

    /// Returns the length of what is not attached, in bytes.
    pub(crate) fn read_len(&self) -> usize {
        self.text.len() - self.attached
    }

    /// Returns the parts between attachments. What is left out is always inside of a string, and holds no quotation mark.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &'a [u8]> {
        ReadParts { rest: Some(self.text.as_bytes()), is_divided: self.attached > 0 }
    }
}

/// The parts of a text. A text without attachments is one part, and need not be searched.
struct ReadParts<'a> {
    rest: Option<&'a [u8]>,
    is_divided: bool,
}

impl<'a> Iterator for ReadParts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.take()?;
        let found = if self.is_divided { MARK.find(rest) } else { None };
        let Some((part, attached)) = found.and_then(|at| rest.split_at_checked(at + MARK.needle().len())) else {
            return Some(rest);
        };
        self.rest = memchr::memchr(b'"', attached).and_then(|end| attached.get(end..));
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_attached_is_left_out() {
        let text = r#"{"a":"data:image/png;base64,AAAA[{","b":"x","c":["data:;base64,","data:;base64,BBBB\"C"]}"#;
        let body = ScannedBody::new(text);
        let parts: Vec<&str> = body.parts().map(|part| std::str::from_utf8(part).unwrap()).collect();
        let wanted =
            [r#"{"a":"data:image/png;base64,"#, r#"","b":"x","c":["data:;base64,"#, r#"","data:;base64,"#, r#""C"]}"#];
        assert_eq!(parts, wanted);
        assert_eq!((body.read_len(), body.text()), (text.len() - "AAAA[{".len() - r"BBBB\".len(), text));
        let plain = ScannedBody::new("{}");
        assert_eq!((plain.read_len(), plain.parts().collect::<Vec<_>>()), (2, vec![&b"{}"[..]]));
    }
}
