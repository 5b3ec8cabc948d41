//! The head of a response, judged before the codec sees it, and shown to the codec in an unmistakable form.
//!
//! 1. The codec takes an HTTP/1.1 response without a length and without chunking for an empty one. By the standard the body ends
//!    with the connection, and small servers send such responses. The codec reads HTTP/1.0 in the right way, so one byte of the
//!    status line is changed.
//! 2. For the same reason an empty response of HTTP/1.0 is shown as one of HTTP/1.1.
//! 3. Wrong lines on the framing (a length of a 304, a length beside chunks) are replaced by a single right one.

use super::error::FramingError;
use super::fields::Fields;
use super::framing::Framing;

/// The largest head to be held (bytes); the codec refuses one of this size itself.
pub(super) const MAX_HEAD: usize = 128 << 10;

/// The start of every status line, up to the version's last digit.
const VERSION: &[u8] = b"HTTP/1.";

/// The head of a response.
#[derive(Debug)]
pub(super) struct ResponseHead {
    status: u16,
    /// Is this a response of HTTP/1.0?
    http10: bool,
    fields: Fields,
}

/// Returns whether a head may begin with these bytes.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    bytes.iter().zip(VERSION).all(|(byte, wanted)| byte == wanted)
}

/// Returns the length of the head at the start of `bytes`, with the blank line, if the head is complete. The search
/// goes on from `line_start`.
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

impl ResponseHead {
    /// Reads a complete head.
    ///
    /// # Errors
    /// When the bytes are no head, or can be read in two ways.
    pub(super) fn read(head: &[u8]) -> Result<ResponseHead, FramingError> {
        if head.len() > MAX_HEAD {
            return Err(FramingError::BadHead("a head without end"));
        }
        let line = head.strip_prefix(VERSION).ok_or(FramingError::BadHead("no answer of HTTP/1"))?;
        let (http10, status) = match line {
            [minor @ (b'0' | b'1'), b' ', a @ b'1'..=b'9', b, c, b' ' | b'\r' | b'\n', ..]
                if b.is_ascii_digit() && c.is_ascii_digit() =>
            {
                (*minor == b'0', digit(*a) * 100 + digit(*b) * 10 + digit(*c))
            }
            _ => return Err(FramingError::BadHead("a bad status line")),
        };
        let fields = Fields::read(head)?;
        if http10 && fields.has_coding {
            return Err(FramingError::BadHead("a transfer coding in HTTP/1.0"));
        }
        Ok(ResponseHead { status, http10, fields })
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Returns how the body is delimited. `no_body`: the request was one whose responses have none.
    pub(super) fn framing(&self, no_body: bool) -> Framing {
        if no_body || self.has_no_body() { Framing::Complete } else { self.fields.framing() }
    }

    /// Returns whether the connection may serve another request, by what the upstream says, and because there is no doubt
    /// about where this response ends.
    pub(super) fn keeps_connection(&self) -> bool {
        let persistent = !self.http10 || self.fields.keep_alive;
        persistent && !self.fields.close && !self.fields.is_ambiguous()
    }

    /// Changes the first `end` bytes of `held`, which are the head, into a head that the codec reads rightly.
    pub(super) fn rewrite_for_codec(&self, framing: Framing, held: &mut Vec<u8>, end: usize) {
        let misread = self.has_no_body() && (self.fields.length.is_some() || self.fields.chunked);
        if self.fields.needs_rewrite || self.fields.is_ambiguous() || misread {
            let rewritten = with_framing(held.get(..end).unwrap_or_default(), framing);
            held.splice(..end, rewritten);
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

    fn has_no_body(&self) -> bool {
        matches!(self.status, 204 | 304)
    }
}

fn digit(byte: u8) -> u16 {
    u16::from(byte.saturating_sub(b'0'))
}

/// Returns the head with a single line on the framing: this one.
fn with_framing(head: &[u8], framing: Framing) -> Vec<u8> {
    const REPLACED: [&[u8]; 3] = [b"content-length", b"transfer-encoding", b"upgrade"];
    let mut rewritten = Vec::with_capacity(head.len() + 32);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii_end();
        if !name.is_empty() && !REPLACED.iter().any(|replaced| name.eq_ignore_ascii_case(replaced)) {
            rewritten.extend_from_slice(line);
        }
    }
    match framing {
        Framing::Length(length) => rewritten.extend_from_slice(format!("content-length: {length}\r\n").as_bytes()),
        Framing::Chunked(_) => rewritten.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Complete | Framing::UntilClose | Framing::Broken => {}
    }
    rewritten.extend_from_slice(b"\r\n");
    rewritten
}
