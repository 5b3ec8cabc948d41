//! The head of a response, seen before awc sees it.
//!
//! awc takes an HTTP/1.1 answer without a length and without chunking for an empty one. By the standard its body ends
//! with the connection, as small servers send it; that is also how awc reads an answer of HTTP/1.0. So such an answer is
//! shown as one: a single byte of its status line is changed.

/// The largest head that is held until its end is seen; awc refuses one of this size itself.
pub(super) const LARGEST_HEAD: usize = 128 << 10;

/// Where the version's last digit stands in `HTTP/1.1 200 OK`.
const MINOR_VERSION: usize = 7;

/// The length of the head that `bytes` begins with, its blank line included, if that is whole.
pub(super) fn end(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for at in memchr::memchr_iter(b'\n', bytes) {
        if matches!(bytes.get(line_start..at), Some(b"" | b"\r")) && line_start > 0 {
            return Some(at + 1);
        }
        line_start = at + 1;
    }
    None
}

/// Shows a head as one of HTTP/1.0 if its body ends with the connection.
pub(super) fn mark_close_delimited(head: &mut [u8]) {
    if head.starts_with(b"HTTP/1.1 ")
        && is_close_delimited(head)
        && let Some(version) = head.get_mut(MINOR_VERSION)
    {
        *version = b'0';
    }
}

fn is_close_delimited(head: &[u8]) -> bool {
    let status = head.get(9..12).unwrap_or_default();
    let bodiless = status.starts_with(b"1") || status == b"204" || status == b"304";
    let framed = head
        .split(|b| *b == b'\n')
        .filter_map(|line| line.split(|b| *b == b':').next())
        .any(|name| name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"transfer-encoding"));
    !bodiless && !framed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_its_blank_line() {
        for (bytes, length) in [
            (&b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody\r\n\r\n"[..], Some(25)),
            (b"HTTP/1.1 200 OK\na: b\n\nbody", Some(22)),
            (b"HTTP/1.1 200 OK\r\na: b\r\n\r", None),
            (b"", None),
        ] {
            assert_eq!(end(bytes), length);
        }
    }

    #[test]
    fn only_a_head_whose_body_ends_with_the_connection_is_changed() {
        for (head, minor) in [
            ("HTTP/1.1 200 OK\r\ncontent-type: x\r\n\r\n", '0'),
            ("HTTP/1.1 500 X\r\nConnection: close\r\n\r\n", '0'),
            ("HTTP/1.1 200 OK\r\nContent-LENGTH: 0\r\n\r\n", '1'),
            ("HTTP/1.1 200 OK\r\nTransfer-encoding: chunked\r\n\r\n", '1'),
            ("HTTP/1.1 204 No Content\r\n\r\n", '1'),
            ("HTTP/1.1 304 Not Modified\r\n\r\n", '1'),
            ("HTTP/1.1 103 Early Hints\r\n\r\n", '1'),
        ] {
            let mut bytes = head.as_bytes().to_vec();
            mark_close_delimited(&mut bytes);
            assert_eq!(char::from(bytes[7]), minor, "{head}");
        }
    }
}
