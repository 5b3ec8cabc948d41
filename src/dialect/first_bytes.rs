//! What an answer is by its first bytes. Its label is a hint only: proxies and servers get labels wrong.

/// UTF-8's byte order mark. Before JSON and before events the mark means nothing.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The fields at the beginning of an event's lines.
const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

/// What an answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// More bytes are needed.
    Unknown,
    /// Server-sent events.
    Events,
    /// A JSON object or list.
    Json,
    /// Anything else.
    Other,
}

impl Shape {
    /// Recognizes an answer by its beginning. White space means nothing.
    pub(crate) fn of(bytes: &[u8]) -> Shape {
        let text = without_byte_order_mark(bytes).trim_ascii_start();
        match text.first() {
            None => Shape::Unknown,
            Some(b'{' | b'[') => Shape::Json,
            Some(b':') => Shape::Events,
            Some(_) if BYTE_ORDER_MARK.starts_with(text) => Shape::Unknown,
            Some(_) => FIELDS
                .iter()
                .map(|field| Shape::of_field(field, text))
                .find(|shape| *shape != Shape::Other)
                .unwrap_or(Shape::Other),
        }
    }

    /// Recognizes a line with this field.
    fn of_field(field: &[u8], text: &[u8]) -> Shape {
        match text.strip_prefix(field) {
            Some([]) => Shape::Unknown,
            Some([b':' | b'\r' | b'\n', ..]) => Shape::Events,
            None if field.starts_with(text) => Shape::Unknown,
            Some(_) | None => Shape::Other,
        }
    }
}

/// Returns the bytes behind a byte order mark.
pub(crate) fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// Returns whether bytes, maybe cut at the end, are text: UTF-8 without control characters. Sound has many of these.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let is_utf8 = std::str::from_utf8(bytes).map_or_else(|error| error.error_len().is_none(), |_| true);
    is_utf8 && !bytes.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_first_bytes() {
        let unknown = [&b""[..], b" \r\n\t", b"\xef\xbb", b"\xef\xbb\xbf", b"da", b"data"];
        let events =
            [&b"data: {"[..], b"\xef\xbb\xbfdata:{", b"\n\n: wait", b"event: x", b"id:1", b"retry: 5", b"data\n"];
        let (json, other) = ([&b"{"[..], b"\xef\xbb\xbf\n  ["], [&b"database"[..], b"<html>", b"null", b"ID3\x04"]);
        for (wanted, all) in
            [(Shape::Unknown, &unknown[..]), (Shape::Events, &events), (Shape::Json, &json), (Shape::Other, &other)]
        {
            for bytes in all {
                assert_eq!(Shape::of(bytes), wanted, "{}", bytes.escape_ascii());
            }
        }
    }

    #[test]
    fn sound_is_no_text() {
        assert!(is_text("héllo\r\n".as_bytes()) && is_text(b"cut \xc3"));
        for sound in [&b"ID3\x04\x00"[..], b"\xff\xfb\x90", b"RIFF\x24\x08", b"OggS\x00"] {
            assert!(!is_text(sound), "{}", sound.escape_ascii());
        }
    }
}
