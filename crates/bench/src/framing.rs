//! Where the body of a request or of an answer ends.
//!
//! Apart from the server's own reader of framing on purpose: what measures does not share code with what is measured.

/// What is outstanding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    Complete,
    /// So many bytes.
    Length(u64),
    Chunked(ChunkPlace),
    /// Whatever comes until the connection ends.
    UntilClose,
}

/// A place in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkPlace {
    /// In the digits of a size.
    Size(u64),
    /// Behind the digits, before the end of the line.
    SizeLine(u64),
    /// So many bytes before the end of the data and the line end.
    Data(u64),
    /// In a line of so many bytes behind the last chunk. An empty line ends the body.
    Trailer(u64),
}

impl BodyFraming {
    /// Returns what the head of a message announces. A request without an announcement has no body.
    pub(crate) fn of(head: &[u8]) -> BodyFraming {
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let length = value("content-length").map(|length| length.trim().parse().unwrap_or(0));
        match (value("transfer-encoding"), length) {
            (Some(_), _) => BodyFraming::Chunked(ChunkPlace::Size(0)),
            (None, Some(0)) => BodyFraming::Complete,
            (None, Some(length)) => BodyFraming::Length(length),
            (None, None) if head.starts_with("http/") => BodyFraming::UntilClose,
            (None, None) => BodyFraming::Complete,
        }
    }

    /// Returns whether more must come before the message is whole.
    pub(crate) fn is_open(self) -> bool {
        match self {
            BodyFraming::Complete | BodyFraming::UntilClose => false,
            BodyFraming::Length(_) | BodyFraming::Chunked(_) => true,
        }
    }

    /// Follows bytes of the body.
    pub(crate) fn advance(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(byte) = rest.first() {
            let (next, taken) = match *self {
                BodyFraming::Complete | BodyFraming::UntilClose => return,
                BodyFraming::Length(left) => match left.checked_sub(rest.len() as u64) {
                    None | Some(0) => (BodyFraming::Complete, rest.len()),
                    Some(left) => (BodyFraming::Length(left), rest.len()),
                },
                BodyFraming::Chunked(ChunkPlace::Data(left)) => match left.checked_sub(rest.len() as u64) {
                    Some(left) if left > 0 => (BodyFraming::Chunked(ChunkPlace::Data(left)), rest.len()),
                    Some(_) | None => {
                        (BodyFraming::Chunked(ChunkPlace::Size(0)), usize::try_from(left).unwrap_or(usize::MAX))
                    }
                },
                BodyFraming::Chunked(chunk) => (chunk.after(*byte), 1),
            };
            *self = next;
            rest = rest.get(taken..).unwrap_or_default();
        }
    }
}

impl ChunkPlace {
    /// Returns the place behind a byte of the framing.
    fn after(self, byte: u8) -> BodyFraming {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        BodyFraming::Chunked(match (self, byte, digit) {
            (ChunkPlace::Size(size), _, Some(digit)) => ChunkPlace::Size(size.saturating_mul(16).saturating_add(digit)),
            (ChunkPlace::Size(0) | ChunkPlace::SizeLine(0), b'\n', _) => ChunkPlace::Trailer(0),
            (ChunkPlace::Size(size) | ChunkPlace::SizeLine(size), b'\n', _) => ChunkPlace::Data(size.saturating_add(2)),
            (ChunkPlace::Size(size) | ChunkPlace::SizeLine(size), _, _) => ChunkPlace::SizeLine(size),
            (ChunkPlace::Trailer(0), b'\n', _) => return BodyFraming::Complete,
            (ChunkPlace::Trailer(_), b'\n', _) => ChunkPlace::Trailer(0),
            (ChunkPlace::Trailer(length), b'\r', _) => ChunkPlace::Trailer(length),
            (ChunkPlace::Trailer(length), _, _) => ChunkPlace::Trailer(length.saturating_add(1)),
            // Data is followed by length, not byte by byte.
            (ChunkPlace::Data(left), _, _) => ChunkPlace::Data(left),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_ends_where_its_head_says_however_its_bytes_are_cut() {
        for (head, body, end) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello", BodyFraming::Complete),
            ("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", "hello", BodyFraming::Length(1)),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "b;x=1\r\nhello\r\n 0\r\n\r\n0\r\n\r\n",
                BodyFraming::Complete,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                "1\r\nh\r\n0\r\na: b\r\n\r\n",
                BodyFraming::Complete,
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                "1\r\nh\r\n0\r\n",
                BodyFraming::Chunked(ChunkPlace::Trailer(0)),
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", "hello", BodyFraming::UntilClose),
            ("POST / HTTP/1.1\r\n\r\n", "", BodyFraming::Complete),
        ] {
            for size in 1..=body.len().max(1) {
                let mut framing = BodyFraming::of(head.as_bytes());
                body.as_bytes().chunks(size).for_each(|piece| framing.advance(piece));
                assert_eq!(framing, end, "{head:?} {body:?} in pieces of {size}");
            }
        }
    }
}
