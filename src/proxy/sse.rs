//! Where one event of a stream ends and the next begins, however the bytes arrive. Nothing is changed on the way:
//! the pieces, put together, are the stream.

use std::borrow::Cow;

use actix_web::web::{Bytes, BytesMut};

/// The longest event that is held until its end is seen; a longer one is passed on in pieces, unread. An event can hold
/// a whole image in base64.
const LONGEST_EVENT: usize = 32 << 20;

/// Cuts a stream of bytes into events.
#[derive(Debug, Default)]
pub(super) struct SseReader {
    buffer: BytesMut,
    /// How much of `buffer` was looked at.
    seen: usize,
    /// Is `seen` at the beginning of a line?
    at_line_start: bool,
    /// The byte before `seen` is a CR, which an LF may yet belong to.
    after_cr: bool,
    /// The last event ended in a CR at the end of what had arrived: an LF that comes now is its.
    owed_lf: bool,
}

/// A piece of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// An event, the blank line at its end included.
    Event(Bytes),
    /// The late LF of the event before.
    LateLf(Bytes),
    /// A part of an event that is too long to be held.
    Oversize(Bytes),
}

impl SseReader {
    /// A reader at the beginning of a stream.
    pub(super) fn new() -> Self {
        SseReader { at_line_start: true, ..SseReader::default() }
    }

    /// Takes in what arrived.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole piece, if there is one.
    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.owed_lf && !self.buffer.is_empty() {
            self.owed_lf = false;
            if self.buffer.first() == Some(&b'\n') {
                return Some(Piece::LateLf(self.buffer.split_to(1).freeze()));
            }
        }
        while let Some(at) = self.next_line_end() {
            let byte = self.buffer.get(at).copied().unwrap_or_default();
            let completes_crlf = byte == b'\n' && self.after_cr && at == self.seen;
            let blank = self.at_line_start && at == self.seen && !completes_crlf;
            self.seen = at + 1;
            self.after_cr = byte == b'\r';
            if completes_crlf {
                continue;
            }
            self.at_line_start = true;
            if blank {
                return Some(Piece::Event(self.cut()));
            }
        }
        self.hold_or_pass()
    }

    /// What is left when the stream has ended: an event without its end, or nothing.
    pub(super) fn rest(&mut self) -> Bytes {
        self.seen = 0;
        self.buffer.split().freeze()
    }

    fn next_line_end(&mut self) -> Option<usize> {
        let unseen = self.buffer.get(self.seen..).unwrap_or_default();
        let found = memchr::memchr2(b'\n', b'\r', unseen).map(|i| self.seen + i);
        if found.is_none() && !unseen.is_empty() {
            self.seen = self.buffer.len();
            (self.at_line_start, self.after_cr) = (false, false);
        } else if found.is_some_and(|at| at > self.seen) {
            self.at_line_start = false;
        }
        found
    }

    /// Takes the event that ends at `seen` out of the buffer, with the LF of its last CRLF if that has arrived.
    fn cut(&mut self) -> Bytes {
        if self.after_cr {
            match self.buffer.get(self.seen) {
                Some(b'\n') => self.seen += 1,
                Some(_) => {}
                None => self.owed_lf = true,
            }
        }
        self.after_cr = false;
        let event = self.buffer.split_to(self.seen).freeze();
        self.seen = 0;
        event
    }

    fn hold_or_pass(&mut self) -> Option<Piece> {
        (self.buffer.len() > LONGEST_EVENT).then(|| Piece::Oversize(self.rest()))
    }
}

/// The data of an event: its `data` lines, joined by LF. `None` if it has none (a comment).
pub(super) fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut joined: Option<Cow<'_, [u8]>> = None;
    for line in event.split(|b| matches!(b, b'\n' | b'\r')) {
        let Some(value) = line.strip_prefix(b"data") else { continue };
        let value = match value {
            [b':', b' ', value @ ..] | [b':', value @ ..] => value,
            [] => value,
            // Another field, whose name begins with "data".
            [_, ..] => continue,
        };
        joined = Some(match joined {
            None => Cow::Borrowed(value),
            Some(before) => {
                let mut all = before.into_owned();
                all.push(b'\n');
                all.extend_from_slice(value);
                Cow::Owned(all)
            }
        });
    }
    joined
}

/// Is this the event's name, its field `event`?
pub(super) fn is_named(event: &[u8], name: &[u8]) -> bool {
    let mut lines = event.split(|b| matches!(b, b'\n' | b'\r'));
    lines.any(|line| line.strip_prefix(b"event:").is_some_and(|value| value.trim_ascii() == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut reader = SseReader::new();
        let mut events: Vec<Vec<u8>> = Vec::new();
        for chunk in chunks {
            reader.push(chunk);
            while let Some(piece) = reader.next() {
                match piece {
                    Piece::Event(event) => events.push(event.to_vec()),
                    Piece::LateLf(lf) => events.last_mut().expect("an event before").extend_from_slice(&lf),
                    Piece::Oversize(_) => panic!("nothing is that long here"),
                }
            }
        }
        let rest = reader.rest();
        if !rest.is_empty() {
            events.push(rest.to_vec());
        }
        events
    }

    #[test]
    fn any_cut_at_any_byte_gives_the_same_events() {
        for stream in [
            &b"data: {\"a\":1}\n\ndata: b\n\n: ping\n\n\ndata: [DONE]\n\n"[..],
            b"data: a\r\n\r\nevent: x\r\ndata: \xc3\xa9\r\n\r\ndata: [DONE]\r\n\r\n",
            b"data: a\r\rdata: b\r\r",
            b"data: a\n\r\ndata: b\r\n\ndata: c\r\rdata: open",
            b"\n\r\n\r\r",
        ] {
            let whole = read(&[stream]);
            assert_eq!(whole.concat(), stream);
            for i in 0..=stream.len() {
                assert_eq!(read(&[&stream[..i], &stream[i..]]), whole, "cut at {i}");
                for j in i..=stream.len() {
                    assert_eq!(read(&[&stream[..i], &stream[i..j], &stream[j..]]), whole, "cuts at {i} and {j}");
                }
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(read(&bytes), whole, "byte by byte");
        }
        assert_eq!(read(&[b"data: a\r\n\r\ndata: b\r\n\r\n"]).len(), 2);
        assert_eq!(read(&[b"data: a\r\rdata: b\r\r"]).len(), 2);
    }

    #[test]
    fn an_event_is_out_as_soon_as_its_blank_line_is_in() {
        let mut reader = SseReader::new();
        reader.push(b"data: a\r\r");
        assert_eq!(reader.next(), Some(Piece::Event(Bytes::from_static(b"data: a\r\r"))));
    }

    #[test]
    fn data_lines_are_joined() {
        for (event, wanted) in [
            (&b"data: a\n\n"[..], Some(&b"a"[..])),
            (b"data:a\r\n\r\n", Some(b"a")),
            (b"event: x\ndata: a\ndata: b\n\n", Some(b"a\nb")),
            (b"data\n\n", Some(b"")),
            (b": comment\n\n", None),
            (b"database: x\n\n", None),
        ] {
            assert_eq!(data(event).as_deref(), wanted);
        }
    }
}
