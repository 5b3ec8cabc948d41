//! The head of a response, seen before awc sees it.
//!
//! awc takes an HTTP/1.1 answer without a length and without chunking for an empty one. By the standard its body ends
//! with the connection, as small servers send it; that is also how awc reads an answer of HTTP/1.0. So such an answer is
//! shown as one: a single byte of its status line is changed.

/// How many interim heads may come before the final one.
pub(super) const MOST_INTERIM_HEADS: u32 = 16;

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

/// Is this the head of an interim answer (100, 102, 103), which a final one follows on the same connection? awc would
/// take it for the answer, and give the real one to whoever uses the connection next. (101 is no interim answer.)
pub(super) fn is_interim(head: &[u8]) -> bool {
    head.get(9..12).is_some_and(|status| status.starts_with(b"1") && status != b"101")
}

/// Shows a head as one of HTTP/1.0: awc then reads its body until the connection ends.
pub(super) fn mark_close_delimited(head: &mut [u8]) {
    if head.starts_with(b"HTTP/1.1 ")
        && let Some(version) = head.get_mut(MINOR_VERSION)
    {
        *version = b'0';
    }
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
    fn interim_heads_are_told_from_final_ones() {
        for (status, interim) in [("100", true), ("102", true), ("103", true), ("101", false), ("200", false)] {
            assert_eq!(is_interim(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes()), interim, "{status}");
        }
    }
}
