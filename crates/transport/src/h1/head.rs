//! The head of a response, judged before awc sees it, and shown to awc in a form that it can't misread.
//!
//! awc takes an HTTP/1.1 answer without a length and without chunking for an empty one. By the standard its body ends
//! with the connection, as small servers send it; that is also how awc reads an answer of HTTP/1.0. So such an answer is
//! shown as one, and an empty one of HTTP/1.0 as one of HTTP/1.1: a single byte of the status line is changed. Lines on
//! the framing that don't fit (a length of a 304, a length beside chunks) are replaced by the one that is meant.

use super::fault::Fault;
use super::framing::Framing;

/// The largest head that is held until its end is seen; awc refuses one of this size itself.
pub(super) const LARGEST_HEAD: usize = 128 << 10;

/// So many lines awc reads.
const MOST_LINES: usize = 96;

/// awc panics on names of 64 KiB; no real one is as long as this.
const LONGEST_NAME: usize = 1_024;

/// How every status line begins, but for the version's last digit.
const VERSION: &[u8] = b"HTTP/1.";

/// A head.
#[derive(Debug)]
pub(super) struct Head {
    status: u16,
    /// Is it of HTTP/1.0?
    old: bool,
    fields: Fields,
}

/// What a head's lines say of the body and of the connection.
#[derive(Debug, Default)]
pub(super) struct Fields {
    length: Option<u64>,
    coded: bool,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    /// A line that awc would trip over: a length told twice, an `upgrade` (which makes it forget the body).
    odd: bool,
}

/// Could these be the first bytes of a head?
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    bytes.iter().zip(VERSION).all(|(byte, wanted)| byte == wanted)
}

/// The length of the head that `bytes` begins with, its blank line included, if that is whole. The search goes on from
/// `line_start`.
pub(super) fn end(bytes: &[u8], line_start: &mut usize) -> Option<usize> {
    let from = *line_start;
    for at in memchr::memchr_iter(b'\n', bytes.get(from..)?).map(|at| from + at) {
        if matches!(bytes.get(*line_start..at), Some(b"" | b"\r")) && *line_start > 0 {
            return Some(at + 1);
        }
        *line_start = at + 1;
    }
    None
}

impl Head {
    /// Reads a whole head.
    ///
    /// # Errors
    /// When it is none, or can be read in two ways.
    pub(super) fn read(head: &[u8]) -> Result<Head, Fault> {
        if head.len() > LARGEST_HEAD {
            return Err(Fault::BadHead("a head without end"));
        }
        let line = head.strip_prefix(VERSION).ok_or(Fault::BadHead("no answer of HTTP/1"))?;
        let (old, status) = match line {
            [minor @ (b'0' | b'1'), b' ', a @ b'1'..=b'9', b, c, b' ' | b'\r' | b'\n', ..]
                if b.is_ascii_digit() && c.is_ascii_digit() =>
            {
                let digit = |byte: &u8| u16::from(*byte - b'0');
                (*minor == b'0', digit(a) * 100 + digit(b) * 10 + digit(c))
            }
            _ => return Err(Fault::BadHead("a bad status line")),
        };
        let fields = Fields::read(head)?;
        if old && fields.coded {
            return Err(Fault::BadHead("a transfer coding in HTTP/1.0"));
        }
        Ok(Head { status, old, fields })
    }

    /// Its status.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// How the body behind it is delimited. `bare` if the request was one whose answers have none.
    pub(super) fn framing(&self, bare: bool) -> Framing {
        if bare || self.is_bodiless() { Framing::Complete } else { self.fields.framing() }
    }

    /// May the connection serve another request, by what the upstream says, and is there no doubt about where this
    /// answer ends?
    pub(super) fn keeps_connection(&self) -> bool {
        let told = if self.old { self.fields.keep_alive && !self.fields.close } else { !self.fields.close };
        told && !self.fields.is_ambiguous()
    }

    /// Makes the head that `held` begins with, `end` bytes long, one that awc reads as it is meant.
    pub(super) fn show(&self, framing: Framing, held: &mut Vec<u8>, end: usize) {
        let misread = self.is_bodiless() && (self.fields.length.is_some() || self.fields.chunked);
        if self.fields.odd || self.fields.is_ambiguous() || misread {
            let plain = plain(held.get(..end).unwrap_or_default(), framing);
            held.splice(..end, plain);
        }
        let minor = match framing {
            Framing::UntilClose => b'0',
            Framing::Complete => b'1',
            Framing::Length(_) | Framing::Chunked(_) | Framing::Broken => return,
        };
        if let Some(shown) = held.get_mut(VERSION.len()) {
            *shown = minor;
        }
    }

    fn is_bodiless(&self) -> bool {
        matches!(self.status, 204 | 304)
    }
}

/// A head whose only line on the framing is one that says this.
fn plain(head: &[u8], framing: Framing) -> Vec<u8> {
    const REPLACED: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"upgrade"];
    let mut plain = Vec::with_capacity(head.len() + 32);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii_end();
        if !name.is_empty() && !REPLACED.iter().any(|replaced| name.eq_ignore_ascii_case(replaced)) {
            plain.extend_from_slice(line);
        }
    }
    match framing {
        Framing::Length(length) => plain.extend_from_slice(format!("content-length: {length}\r\n").as_bytes()),
        Framing::Chunked(_) => plain.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Complete | Framing::UntilClose | Framing::Broken => {}
    }
    plain.extend_from_slice(b"\r\n");
    plain
}

impl Fields {
    /// Reads the lines behind the first one, as strictly as awc does.
    ///
    /// # Errors
    /// When one is malformed, or contradicts another.
    pub(super) fn read(head: &[u8]) -> Result<Fields, Fault> {
        let mut fields = Fields::default();
        let lines = head.split(|byte| *byte == b'\n').skip(1).map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        for (nth, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
            let colon = memchr::memchr(b':', line).ok_or(Fault::BadHead("a line without a name"))?;
            let (name, value) = line.split_at_checked(colon).unwrap_or_default();
            // The standard has white space before the colon removed.
            let name = name.trim_ascii_end();
            let value = value.get(1..).unwrap_or_default();
            if nth >= MOST_LINES || name.len() > LONGEST_NAME {
                return Err(Fault::BadHead("too many or too long lines"));
            }
            if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) || value.iter().any(|b| is_control(*b)) {
                return Err(Fault::BadHead("a malformed line"));
            }
            fields.take(name, value.trim_ascii())?;
        }
        Ok(fields)
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), Fault> {
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = length(value).ok_or(Fault::BadHead("a length that is none"))?;
            if let Some(other) = self.length.replace(length) {
                self.odd = true;
                if other != length {
                    return Err(Fault::BadHead("two different lengths"));
                }
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = value.eq_ignore_ascii_case(b"chunked");
            let known = self.chunked || value.eq_ignore_ascii_case(b"identity");
            if !known || std::mem::replace(&mut self.coded, true) {
                return Err(Fault::BadHead("an unknown transfer coding"));
            }
        } else if name.eq_ignore_ascii_case(b"connection") {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                self.close |= option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"upgrade");
            }
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.odd = true;
        }
        Ok(())
    }

    /// How the body is delimited: chunks count more than a length.
    pub(super) fn framing(&self) -> Framing {
        match self.length {
            Some(_) | None if self.chunked => Framing::chunked(),
            Some(length) => Framing::length(length),
            None => Framing::UntilClose,
        }
    }

    /// Do two lines tell of the body's end?
    fn is_ambiguous(&self) -> bool {
        self.length.is_some() && self.coded
    }
}

fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || b"!#$%&'*+.^_`|~".contains(&byte)
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}
