//! Where a response's body ends, followed from outside: the codec takes a cut body for a complete one.
//!
//! A length is counted down and chunks are walked through; nothing is changed. The walk takes the steps of the codec's own walk
//! (actix-http, `h1/chunked.rs`), so that both see the end at the same byte.

use super::fields::Fields;

/// How a response's body is delimited, and how much has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Nothing is outstanding.
    Complete,
    /// So many bytes are outstanding.
    Length(u64),
    /// A chunk is outstanding, or what stands between two.
    Chunked(Chunk),
    /// All bytes until the connection ends belong to the body.
    UntilClose,
    /// The chunks are not well formed: the end can't be found.
    Broken,
}

/// A place in a chunked body. A line's end is always CR LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// Before the first digit of a size.
    Start,
    /// After a digit of a size, with the value so far.
    Size(u64),
    /// In the white space after a size.
    Space(u64),
    /// In an extension after a size.
    Extension(u64),
    /// Before the LF of a size's line.
    SizeEnd(u64),
    /// So many bytes before the end of the data.
    Data(u64),
    /// Before the CR after the data.
    DataEnd,
    /// Before the LF after the data.
    DataEndLf,
    /// At the start of a line after the last chunk.
    Trailer,
    /// In such a line.
    TrailerLine,
    /// Before the LF of such a line.
    TrailerLf,
    /// Before the last LF.
    EndLf,
}

impl Framing {
    /// Returns the framing announced by the head of a response. (A request without an announced body is `UntilClose`, too.)
    pub fn of(head: &[u8]) -> Framing {
        Fields::read(head).map_or(Framing::Broken, |fields| fields.framing())
    }

    /// Returns the framing of a body of so many bytes.
    pub(super) fn length(length: u64) -> Framing {
        if length == 0 { Framing::Complete } else { Framing::Length(length) }
    }

    /// Returns the framing of a chunked body, before the first byte.
    pub(super) fn chunked() -> Framing {
        Framing::Chunked(Chunk::Start)
    }

    /// Returns whether an end of the connection now would cut the body.
    pub fn is_open(self) -> bool {
        match self {
            Framing::Complete | Framing::UntilClose => false,
            Framing::Length(_) | Framing::Chunked(_) | Framing::Broken => true,
        }
    }

    /// Follows `bytes`. Returns how many belong to the body.
    pub fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut unread = bytes;
        while let Some(byte) = unread.first() {
            let taken = match self {
                Framing::Complete | Framing::Broken => break,
                Framing::UntilClose => unread.len(),
                Framing::Length(left) | Framing::Chunked(Chunk::Data(left)) => {
                    let taken = unread.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    taken
                }
                Framing::Chunked(chunk) => match chunk.after_line(unread) {
                    Some((next, taken)) => {
                        *self = Framing::Chunked(next);
                        taken
                    }
                    None => {
                        *self = chunk.after(*byte);
                        1
                    }
                },
            };
            match self {
                Framing::Length(0) => *self = Framing::Complete,
                Framing::Chunked(Chunk::Data(0)) => *self = Framing::Chunked(Chunk::DataEnd),
                Framing::Complete
                | Framing::Length(_)
                | Framing::Chunked(_)
                | Framing::UntilClose
                | Framing::Broken => {}
            }
            unread = unread.get(taken..).unwrap_or_default();
        }
        bytes.len() - unread.len()
    }
}

/// The most digits of a size that is read at once.
const MAX_QUICK_DIGITS: usize = 8;

impl Chunk {
    /// Returns the place after a whole line between two chunks, and the line's length. `None` for a line that is cut, unusual
    /// or malformed, and for the last chunk's: [`Chunk::after`] reads these byte by byte.
    ///
    /// A stream has such a line before each event.
    fn after_line(self, bytes: &[u8]) -> Option<(Chunk, usize)> {
        let (before, size_line) = match (self, bytes) {
            (Chunk::Start, _) => (0, bytes),
            (Chunk::DataEnd, [b'\r', b'\n', size_line @ ..]) => (2, size_line),
            _ => return None,
        };
        let mut size = 0;
        for (at, byte) in size_line.iter().enumerate().take(MAX_QUICK_DIGITS + 1) {
            if let Some(digit) = char::from(*byte).to_digit(16) {
                size = size << 4 | u64::from(digit);
            } else {
                let is_end = size > 0 && size_line.get(at..at + 2) == Some(b"\r\n");
                return is_end.then_some((Chunk::Data(size), before + at + 2));
            }
        }
        None
    }

    /// Returns the place after one byte of structure.
    fn after(self, byte: u8) -> Framing {
        let digit = char::from(byte).to_digit(16).map(u64::from);
        Framing::Chunked(match (self, byte) {
            (Chunk::Start, _) => match digit {
                Some(digit) => Chunk::Size(digit),
                None => return Framing::Broken,
            },
            (Chunk::Size(size) | Chunk::Space(size), b' ' | b'\t') => Chunk::Space(size),
            (Chunk::Size(size) | Chunk::Space(size), b';') => Chunk::Extension(size),
            (Chunk::Size(size) | Chunk::Space(size) | Chunk::Extension(size), b'\r') => Chunk::SizeEnd(size),
            (Chunk::Size(size), _) => match digit.zip(size.checked_mul(16)) {
                Some((digit, size)) => Chunk::Size(size | digit),
                None => return Framing::Broken,
            },
            (Chunk::Extension(size), b'\t' | b' '..=b'~' | 0x80..) => Chunk::Extension(size),
            (Chunk::SizeEnd(0), b'\n') => Chunk::Trailer,
            (Chunk::SizeEnd(size), b'\n') => Chunk::Data(size),
            (Chunk::DataEnd, b'\r') => Chunk::DataEndLf,
            (Chunk::DataEndLf, b'\n') => Chunk::Start,
            (Chunk::Trailer, b'\r') => Chunk::EndLf,
            (Chunk::TrailerLine, b'\r') => Chunk::TrailerLf,
            (Chunk::Trailer | Chunk::TrailerLine, _) => Chunk::TrailerLine,
            (Chunk::TrailerLf, b'\n') => Chunk::Trailer,
            (Chunk::EndLf, b'\n') => return Framing::Complete,
            (Chunk::Space(_) | Chunk::Extension(_) | Chunk::SizeEnd(_) | Chunk::Data(_), _)
            | (Chunk::DataEnd | Chunk::DataEndLf | Chunk::TrailerLf | Chunk::EndLf, _) => return Framing::Broken,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn a_chunked_body_is_complete_at_its_last_byte_however_it_is_cut() {
        for body in [
            &b"5\r\nabcde\r\n0\r\n\r\n"[..],
            b"A;name=\"x\"\r\n0123456789\r\n1 \r\n\n\r\n0\r\n\r\n",
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
    fn a_malformed_chunk_breaks_the_body() {
        for body in [
            "g\r\n",
            "\r\n0\r\n\r\n",
            "5\nabcde\r\n",
            "5\r\nabcdefg",
            "5\r\nabcde\n0\r\n\r\n",
            "5;\x01\r\n",
            "5 5\r\n",
            "10000000000000000\r\n",
            "-1\r\n",
            "0x5\r\n",
            "0\r\n\rx",
            "0\r\na: b\r\r\n",
            "5\r\rabcde",
        ] {
            let mut framing = Framing::chunked();
            framing.advance(body.as_bytes());
            assert_eq!(framing, Framing::Broken, "{body:?}");
        }
    }

    #[test]
    fn a_line_between_chunks_means_the_same_at_once_and_byte_by_byte() {
        for size in
            ["5", "0005", "00000005", "000000005", "aB", "5;x", "5 ", "ffffffff", "fffffffff", "0", "00", "5\r", ""]
        {
            for before in ["", "\r\n", "\r", "\n"] {
                let line = format!("{before}{size}\r\n");
                let start = if before.is_empty() { Chunk::Start } else { Chunk::DataEnd };
                let mut at_once = Framing::Chunked(start);
                let mut by_byte = at_once;
                let taken = at_once.advance(line.as_bytes());
                let taken_by_byte: usize = line.as_bytes().iter().map(|byte| by_byte.advance(&[*byte])).sum();
                assert_eq!((at_once, taken), (by_byte, taken_by_byte), "{line:?}");
            }
        }
    }

    #[test]
    fn bytes_after_a_body_do_not_belong_to_it() {
        for (mut framing, bytes, of_it) in [
            (Framing::of(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), "abcdef", 3),
            (Framing::length(0), "abc", 0),
            (Framing::chunked(), "1\r\na\r\n0\r\n\r\nHTTP/1.1 200", 11),
        ] {
            assert_eq!(framing.advance(bytes.as_bytes()), of_it, "{bytes}");
            assert_eq!(framing, Framing::Complete);
        }
        assert_eq!(Framing::UntilClose.advance(b"abc"), 3);
    }
}
