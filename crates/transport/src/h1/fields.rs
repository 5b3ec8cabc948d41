//! What the lines of a head say of the body and of the connection, read as strictly as by awc.

use super::error::FramingError;
use super::framing::Framing;

/// awc reads so many lines.
const MAX_LINES: usize = 96;

/// awc panics on names of 64 KiB; no real name is as long as this.
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
    /// Is there a line to trip awc: a second length, or an `upgrade`, after which awc forgets the body?
    pub(super) needs_rewrite: bool,
}

impl Fields {
    /// Reads the lines after the first one.
    ///
    /// # Errors
    /// When a line is malformed, or contradicts another.
    pub(super) fn read(head: &[u8]) -> Result<Fields, FramingError> {
        let mut fields = Fields::default();
        let lines = head.split(|byte| *byte == b'\n').skip(1).map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        for (nth, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
            let colon = memchr::memchr(b':', line).ok_or(FramingError::BadHead("a line without a name"))?;
            let (name, value) = line.split_at_checked(colon).unwrap_or_default();
            // The standard has white space before the colon removed.
            let name = name.trim_ascii_end();
            let value = value.get(1..).unwrap_or_default();
            if nth >= MAX_LINES || name.len() > MAX_NAME {
                return Err(FramingError::BadHead("too many or too long lines"));
            }
            if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) || value.iter().any(|b| is_control(*b)) {
                return Err(FramingError::BadHead("a malformed line"));
            }
            fields.take_line(name, value.trim_ascii())?;
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
