//! Server-sent events as bytes: where an event ends, and what its fields hold. The bytes may be cut anywhere. Gemini's streams may be
//! elements of a JSON list in place of events: see [`payload`].

use std::borrow::Cow;

/// Finds the ends of events in bytes from pieces of any size.
#[derive(Debug)]
pub(crate) struct EventCutter {
    /// How many bytes of the event under way were looked at.
    seen: usize,
    /// Whether `seen` stands at the beginning of a line.
    at_line_start: bool,
    /// Whether the byte before `seen` is a CR: an LF behind it belongs to the same line end.
    after_cr: bool,
}

impl EventCutter {
    /// Returns a cutter at the beginning of an event.
    pub(crate) fn new() -> Self {
        EventCutter { seen: 0, at_line_start: true, after_cr: false }
    }

    /// Goes on in the same line, after all bytes so far were passed on.
    pub(crate) fn forget_seen(&mut self) {
        self.seen = 0;
    }

    /// Returns how long the first event of `bytes` is, the blank line at its end included; `None` if its end has not
    /// arrived. Until then the next call must begin with the same bytes.
    pub(crate) fn next_end(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            let unseen = bytes.get(self.seen..).unwrap_or_default();
            let Some(at) = memchr::memchr2(b'\n', b'\r', unseen) else {
                if !unseen.is_empty() {
                    *self = EventCutter { seen: bytes.len(), at_line_start: false, after_cr: false };
                }
                return None;
            };
            let is_lf = unseen.get(at) == Some(&b'\n');
            let completes_crlf = at == 0 && is_lf && self.after_cr;
            let is_blank = at == 0 && self.at_line_start && !completes_crlf;
            self.seen += at + 1;
            self.after_cr = !is_lf;
            if completes_crlf {
                continue;
            }
            self.at_line_start = true;
            if is_blank {
                // The LF of the last CRLF belongs to the event, if the LF has arrived.
                let crlf = self.after_cr && bytes.get(self.seen) == Some(&b'\n');
                let end = self.seen + usize::from(crlf);
                *self = EventCutter::new();
                return Some(end);
            }
        }
    }
}

/// Returns the data of an event: its `data` lines, joined by LF. `None` if the event has none (a comment).
pub(crate) fn data(event: &[u8]) -> Option<Cow<'_, [u8]>> {
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

/// Returns the JSON of a piece of a stream: the data of an event, or an element of a list without what stands in front.
pub(crate) fn payload(piece: &[u8]) -> Cow<'_, [u8]> {
    match piece.trim_ascii_start() {
        [b'[' | b',', element @ ..] => Cow::Borrowed(element),
        element @ [b'{' | b']', ..] => Cow::Borrowed(element),
        _ => data(piece).unwrap_or_default(),
    }
}

/// Returns whether the event has this name, in its field `event`.
pub(crate) fn is_named(event: &[u8], name: &[u8]) -> bool {
    let mut lines = event.split(|b| matches!(b, b'\n' | b'\r'));
    lines.any(|line| line.strip_prefix(b"event:").is_some_and(|value| value.trim_ascii() == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts bytes from these pieces; the last event may lack its end.
    fn cut(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut cutter = EventCutter::new();
        let mut events: Vec<Vec<u8>> = Vec::new();
        let mut buffer: Vec<u8> = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while let Some(end) = cutter.next_end(&buffer) {
                events.push(buffer.drain(..end).collect());
            }
        }
        events.push(buffer);
        events
    }

    #[test]
    fn an_event_ends_with_its_blank_line_in_any_of_the_three_line_ends() {
        for (stream, lengths) in [
            (&b"data: {\"a\":1}\n\ndata: b\n\n: ping\n\n\n"[..], &[15, 9, 8, 1, 0][..]),
            (b"data: a\r\n\r\nevent: x\r\ndata: \xc3\xa9\r\n\r\n", &[11, 22, 0]),
            (b"data: a\r\rdata: b\r\r", &[9, 9, 0]),
            (b"data: a\n\r\ndata: b\r\n\ndata: c\r\rdata: open", &[10, 10, 9, 10]),
        ] {
            let found: Vec<usize> = cut(&[stream]).iter().map(Vec::len).collect();
            assert_eq!(found, lengths, "{}", stream.escape_ascii());
        }
    }

    #[test]
    fn an_event_is_out_as_soon_as_its_blank_line_is_in() {
        assert_eq!(EventCutter::new().next_end(b"data: a\r\r"), Some(9));
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
