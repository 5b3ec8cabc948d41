//! What the lines of a head say of the body and of the connection, read as strictly as by the codec.

use super::error::FramingError;
use super::framing::Framing;

/// The codec reads so many lines.
const MAX_LINES: usize = 96;

/// The codec panics on names of 64 KiB; no real name is as long as this.
const MAX_NAME: usize = 1_024;

/// What a head's lines say of the body and of the connection.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) length: Option<u64>,
    /// Is there a `transfer-encoding`?
    pub(super) has_coding: bool,
    pub(super) chunked: bool,
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    /// Is there a line to trip the codec: a second length, or an `upgrade`, after which the codec forgets the body?
    pub(super) needs_rewrite: bool,
}

impl Fields {
    /// Reads the lines after the first one.
    ///
    /// # Errors
    /// When a line is malformed, or contradicts another.
    pub(super) fn read(head: &[u8]) -> Result<Fields, FramingError> {
        let mut fields = Fields::default();
        let mut unread = after_line(head).1;
        for nth in 0.. {
            let (line, after) = after_line(unread);
            if line.is_empty() {
                break;
            }
            if nth >= MAX_LINES {
                return Err(FramingError::BadHead("too many or too long lines"));
            }
            let (name, value) = name_and_value(line)?;
            fields.take_line(name, value.trim_ascii())?;
            unread = after;
        }
        Ok(fields)
    }

    fn take_line(&mut self, name: &[u8], value: &[u8]) -> Result<(), FramingError> {
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = length(value).ok_or(FramingError::BadHead("a length that is none"))?;
            if let Some(other) = self.length.replace(length) {
                self.needs_rewrite = true;
                if other != length {
                    return Err(FramingError::BadHead("two different lengths"));
                }
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.chunked = value.eq_ignore_ascii_case(b"chunked");
            let known = self.chunked || value.eq_ignore_ascii_case(b"identity");
            if !known || self.has_coding {
                return Err(FramingError::BadHead("an unknown transfer coding"));
            }
            self.has_coding = true;
        } else if name.eq_ignore_ascii_case(b"connection") {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                self.close |= option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"upgrade");
            }
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.needs_rewrite = true;
        }
        Ok(())
    }

    /// Returns how the body is delimited: chunks count more than a length.
    pub(super) fn framing(&self) -> Framing {
        match self.length {
            Some(_) | None if self.chunked => Framing::chunked(),
            Some(length) => Framing::length(length),
            None => Framing::UntilClose,
        }
    }

    /// Returns whether two lines speak of the body's end.
    pub(super) fn is_ambiguous(&self) -> bool {
        self.length.is_some() && self.has_coding
    }
}

/// Returns the first line, without its end, and the bytes after the line.
fn after_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let (line, after) = bytes.split_at_checked(end).unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), after.get(1..).unwrap_or_default())
}

/// Splits a line. The standard has white space before the colon removed.
fn name_and_value(line: &[u8]) -> Result<(&[u8], &[u8]), FramingError> {
    let name_length = line.iter().position(|byte| !is_token(*byte)).unwrap_or(line.len());
    let (name, after) = line.split_at_checked(name_length).unwrap_or_default();
    let Some(value) = after.trim_ascii_start().strip_prefix(b":") else {
        let has_colon = memchr::memchr(b':', line).is_some();
        return Err(FramingError::BadHead(if has_colon { "a malformed line" } else { "a line without a name" }));
    };
    if name.len() > MAX_NAME {
        return Err(FramingError::BadHead("too many or too long lines"));
    }
    // Without an early end, the loop over the value is one of vector instructions.
    let has_control = value.iter().fold(false, |found, byte| found | is_control(*byte));
    if name.is_empty() || has_control {
        return Err(FramingError::BadHead("a malformed line"));
    }
    Ok((name, value))
}

fn length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

/// The bytes of a name.
#[expect(clippy::indexing_slicing, reason = "at compile time")]
static TOKENS: [bool; 256] = {
    let mut tokens = [false; 256];
    let mut rest: &[u8] = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    while let [byte, others @ ..] = rest {
        tokens[*byte as usize] = true;
        rest = others;
    }
    tokens
};

fn is_token(byte: u8) -> bool {
    TOKENS.get(usize::from(byte)).is_some_and(|token| *token)
}

/// (Without an early end: such a loop becomes one of vector instructions.)
fn is_control(byte: u8) -> bool {
    (byte < b' ') & (byte != b'\t') | (byte == 0x7f)
}
