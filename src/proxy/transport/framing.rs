//! Where a response's body ends: followed from outside, since awc takes a body that breaks off for a whole one.
//!
//! A length is counted down and chunks are walked through; nothing is changed. What is wrong with a chunk is for awc to
//! find: here it only means that the end has not been seen.

/// How a response's body is delimited, and how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Nothing is outstanding.
    Complete,
    /// So many bytes are.
    Length(u64),
    /// A chunk, or what is between two.
    Chunked(Chunk),
    /// Whatever comes until the connection ends.
    UntilClose,
}

/// A place in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// In the line with a size, which so far is this.
    Size(u64),
    /// Behind the size in that line.
    Extension(u64),
    /// So many bytes before the end of the data.
    Data(u64),
    /// In the line's end behind the data.
    DataEnd,
    /// In a line behind the last chunk; is it empty so far?
    Trailer { empty: bool },
}

impl Framing {
    /// The framing that a head announces.
    pub(crate) fn of(head: &[u8]) -> Framing {
        let status = head.get(9..12).unwrap_or_default();
        if status.starts_with(b"1") || status == b"204" || status == b"304" {
            return Framing::Complete;
        }
        let mut framing = Framing::UntilClose;
        for line in head.split(|b| *b == b'\n') {
            let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
            let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default());
            if name.eq_ignore_ascii_case(b"transfer-encoding") {
                return Framing::Chunked(Chunk::Size(0));
            }
            if name.eq_ignore_ascii_case(b"content-length") {
                let length = std::str::from_utf8(value.trim_ascii()).ok().and_then(|text| text.parse().ok());
                framing = match length {
                    Some(0) => Framing::Complete,
                    Some(length) => Framing::Length(length),
                    // awc refuses such a head.
                    None => Framing::UntilClose,
                };
            }
        }
        framing
    }

    /// Would an end of the connection now cut the body?
    pub(crate) fn is_open(self) -> bool {
        match self {
            Framing::Complete | Framing::UntilClose => false,
            Framing::Length(_) | Framing::Chunked(_) => true,
        }
    }

    /// Follows `bytes` of the body.
    pub(crate) fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = match self {
                Framing::Complete | Framing::UntilClose => return,
                Framing::Length(left) | Framing::Chunked(Chunk::Data(left)) => {
                    let taken = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    taken
                }
                Framing::Chunked(Chunk::Size(_) | Chunk::Extension(_) | Chunk::DataEnd | Chunk::Trailer { .. }) => {
                    if let Framing::Chunked(chunk) = *self {
                        *self = chunk.after(bytes.first().copied().unwrap_or_default());
                    }
                    1
                }
            };
            match *self {
                Framing::Length(0) => *self = Framing::Complete,
                Framing::Chunked(Chunk::Data(0)) => *self = Framing::Chunked(Chunk::DataEnd),
                Framing::Complete | Framing::Length(_) | Framing::Chunked(_) | Framing::UntilClose => {}
            }
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }
}

impl Chunk {
    /// The place behind one byte that is not data.
    fn after(self, byte: u8) -> Framing {
        Framing::Chunked(match (self, byte) {
            (Chunk::Size(0) | Chunk::Extension(0), b'\n') => Chunk::Trailer { empty: true },
            (Chunk::Size(size) | Chunk::Extension(size), b'\n') => Chunk::Data(size),
            (Chunk::Size(size), digit) => match char::from(digit).to_digit(16) {
                Some(value) => Chunk::Size(size.saturating_mul(16).saturating_add(u64::from(value))),
                None => Chunk::Extension(size),
            },
            (Chunk::Extension(size), _) => Chunk::Extension(size),
            (Chunk::DataEnd, b'\n') => Chunk::Size(0),
            (Chunk::DataEnd, _) => Chunk::DataEnd,
            (Chunk::Trailer { empty: true }, b'\n') => return Framing::Complete,
            (Chunk::Trailer { .. }, b'\n') => Chunk::Trailer { empty: true },
            (Chunk::Trailer { empty }, b'\r') => Chunk::Trailer { empty },
            (Chunk::Trailer { .. }, _) => Chunk::Trailer { empty: false },
            // Followed by `advance`.
            (Chunk::Data(left), _) => Chunk::Data(left),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn a_chunked_body_is_whole_at_its_last_byte_and_not_before_however_it_is_cut() {
        for body in [
            &b"5\r\nabcde\r\n0\r\n\r\n"[..],
            b"A;name=\"x\"\r\n0123456789\r\n1\r\n\n\r\n0\r\n\r\n",
            b"3\r\n0\r\n\r\n0;last\r\nx-trailer: 1\r\n\r\n",
            b"000\r\n\r\n",
        ] {
            for first in 0..=body.len() {
                for second in first..=body.len() {
                    let mut framing = Framing::of(CHUNKED);
                    framing.advance(&body[..first]);
                    assert_eq!(framing.is_open(), first < body.len(), "{first} of {:?}", body.escape_ascii());
                    framing.advance(&body[first..second]);
                    framing.advance(&body[second..]);
                    assert_eq!(framing, Framing::Complete, "{:?}", body.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn a_length_is_counted_down() {
        let mut framing = Framing::of(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        framing.advance(b"abc");
        assert!(framing.is_open());
        framing.advance(b"de");
        assert_eq!(framing, Framing::Complete);
    }

    #[test]
    fn a_head_tells_the_framing() {
        for (head, framing) in [
            ("HTTP/1.1 204 X\r\n\r\n", Framing::Complete),
            ("HTTP/1.1 304 X\r\ncontent-length: 9\r\n\r\n", Framing::Complete),
            ("HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n", Framing::Complete),
            ("HTTP/1.1 200 X\r\n\r\n", Framing::UntilClose),
        ] {
            assert_eq!(Framing::of(head.as_bytes()), framing, "{head}");
        }
    }
}
