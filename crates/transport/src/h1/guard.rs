//! Judges the bytes on a connection, from a request's first to the response's last. No sockets here.
//!
//! ```text
//! Idle ─request─▶ Head ─final head─▶ Body ─its last byte─▶ Idle
//!                 │  ▲                    (HEAD, 204, 304, length 0: from Head to Idle at once)
//!                 └──┘ interim head: dropped
//! ```
//!
//! # Invariants
//! - The codec sees a complete and unmistakable head, and the body after the head; not a byte more.
//! - An end within a head or a delimited body is an error, never an end.
//! - A connection serves another request only if this response's end is beyond doubt and nothing came after it.

use super::error::FramingError;
use super::framing::Framing;
use super::head::{self, ResponseHead};

/// How many interim heads may come before the final one.
const MAX_INTERIM_HEADS: u32 = 16;

/// From this status on, an early response is all the upstream will send.
const FIRST_ERROR: u16 = 400;

/// The state of one connection.
#[derive(Debug, Default)]
pub(super) struct ResponseGuard {
    phase: GuardPhase,
    /// Has the response no body, whatever the head says?
    no_body: bool,
    interim_heads: u32,
    /// The start of the first line in the held bytes whose end has not come.
    line_start: usize,
    /// Must the connection end with this response?
    must_close: bool,
    /// Is there no use in writing more of the request?
    upload_refused: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum GuardPhase {
    /// Between a response and the next request.
    #[default]
    Idle,
    /// Until a final head is complete.
    Head,
    /// Until the body is complete.
    Body(Framing),
}

impl ResponseGuard {
    /// Begins a request, whose first bytes are given.
    ///
    /// # Errors
    /// When the connection is not idle.
    pub(super) fn begin(&mut self, request: &[u8]) -> Result<(), FramingError> {
        if self.is_busy() || self.must_close {
            return Err(FramingError::NotIdle);
        }
        let no_body = request.starts_with(b"HEAD ");
        *self = ResponseGuard { phase: GuardPhase::Head, no_body, ..ResponseGuard::default() };
        Ok(())
    }

    /// Returns whether a head is outstanding.
    pub(super) fn awaits_head(&self) -> bool {
        self.phase == GuardPhase::Head
    }

    /// Returns whether a response is outstanding, or a part of one.
    pub(super) fn is_busy(&self) -> bool {
        self.phase != GuardPhase::Idle
    }

    /// Returns whether the connection must be closed now: nothing is outstanding, and another request must not follow.
    pub(super) fn must_close_now(&self) -> bool {
        self.must_close && !self.is_busy()
    }

    /// Returns whether the upstream has answered and wants no more of the request.
    pub(super) fn refuses_upload(&self) -> bool {
        self.upload_refused
    }

    /// Ends the connection with this response: the upstream could take another request for the rest of this one.
    pub(super) fn close_after_response(&mut self) {
        self.must_close = true;
    }

    /// Judges what has come of a head. Returns whether a final head is complete: then `held` begins with the head as the
    /// codec is to see the head, and all bytes after the head belong to the body.
    ///
    /// # Errors
    /// When the bytes can be no response.
    pub(super) fn head(&mut self, held: &mut Vec<u8>) -> Result<bool, FramingError> {
        if !head::may_begin(held) {
            return Err(FramingError::BadHead("no answer of HTTP/1"));
        }
        while let Some(end) = head::end(held, &mut self.line_start) {
            self.line_start = 0;
            let head = ResponseHead::read(held.get(..end).unwrap_or_default())?;
            match head.status() {
                101 => return Err(FramingError::BadHead("another protocol, which nobody asked for")),
                100..200 if self.interim_heads >= MAX_INTERIM_HEADS => {
                    return Err(FramingError::BadHead("too many interim answers"));
                }
                100..200 => {
                    // The codec would take an interim head for the response, and give the real one to the connection's next request.
                    self.interim_heads += 1;
                    held.drain(..end);
                }
                _ => return self.final_head(&head, held, end).map(|()| true),
            }
        }
        if held.len() > head::MAX_HEAD {
            return Err(FramingError::BadHead("a head without end"));
        }
        Ok(false)
    }

    /// Takes in the final head, which is the first `end` bytes of `held`; a part of the body may follow.
    fn final_head(&mut self, head: &ResponseHead, held: &mut Vec<u8>, end: usize) -> Result<(), FramingError> {
        let framing = head.framing(self.no_body);
        self.upload_refused = head.status() >= FIRST_ERROR || !head.keeps_connection();
        self.must_close |= !head.keeps_connection();
        self.phase = GuardPhase::Body(framing);
        let of_body = self.body(held.get(end..).unwrap_or_default())?;
        held.truncate(end + of_body);
        head.rewrite_for_codec(framing, held, end);
        Ok(())
    }

    /// Follows bytes of a body. Returns how many belong to the body.
    ///
    /// # Errors
    /// When the bytes can't belong to any body.
    pub(super) fn body(&mut self, bytes: &[u8]) -> Result<usize, FramingError> {
        let GuardPhase::Body(mut framing) = self.phase else { return Ok(bytes.len()) };
        let of_body = framing.advance(bytes);
        // Stray bytes would be the response to the next request.
        self.must_close |= of_body < bytes.len() || framing == Framing::UntilClose;
        self.phase = match framing {
            Framing::Broken => return Err(FramingError::BadBody),
            Framing::Complete => GuardPhase::Idle,
            Framing::Length(_) | Framing::Chunked(_) | Framing::UntilClose => GuardPhase::Body(framing),
        };
        Ok(of_body)
    }

    /// Takes in the connection's end. `held` is how many bytes of a head are held.
    ///
    /// # Errors
    /// When a response is left unfinished. (Where no response has begun, the reader notices the end.)
    pub(super) fn end(&mut self, held: usize) -> Result<(), FramingError> {
        self.must_close = true;
        match self.phase {
            GuardPhase::Head if held > 0 || self.interim_heads > 0 => Err(FramingError::CutHead),
            GuardPhase::Body(framing) if framing.is_open() => Err(FramingError::CutBody),
            GuardPhase::Body(_) => {
                self.phase = GuardPhase::Idle;
                Ok(())
            }
            GuardPhase::Head | GuardPhase::Idle => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
