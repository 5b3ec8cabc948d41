//! What passes on a connection, judged: the state between a request's first byte and its answer's last. No sockets here.
//!
//! ```text
//! Idle ─request─▶ Head ─final head─▶ Body ─its last byte─▶ Idle
//!                 │  ▲                    (HEAD, 204, 304, length 0: from Head to Idle at once)
//!                 └──┘ interim head: dropped
//! ```
//!
//! # Invariants
//! - awc sees a complete head that it reads as it is meant, and behind it the body; not a byte more.
//! - An end within a head or a delimited body is an error, never an end.
//! - A connection serves another request only if this answer's end is beyond doubt and nothing came behind it.

use super::fault::Fault;
use super::framing::Framing;
use super::head::{self, Head};

/// How many interim heads may come before the final one.
const MOST_INTERIM_HEADS: u32 = 16;

/// From this status on, an answer that comes before the request was read is all that will come.
const FIRST_ERROR: u16 = 400;

/// The state of one connection.
#[derive(Debug, Default)]
pub(super) struct Filter {
    state: State,
    /// Has the answer no body, whatever its head says?
    bare: bool,
    interim: u32,
    /// Where in what is held the line begins whose end has not come.
    line_start: usize,
    /// Must the connection end with this answer?
    spent: bool,
    /// Is there no use in writing more of the request?
    refused: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between an answer and the next request.
    #[default]
    Idle,
    /// Until a final head is whole.
    Head,
    /// Until its body is.
    Body(Framing),
}

impl Filter {
    /// A request begins, with these bytes.
    ///
    /// # Errors
    /// When the connection is not free for it.
    pub(super) fn begin(&mut self, request: &[u8]) -> Result<(), Fault> {
        if self.state != State::Idle || self.spent {
            return Err(Fault::Desync);
        }
        *self = Filter { state: State::Head, bare: request.starts_with(b"HEAD "), ..Filter::default() };
        Ok(())
    }

    /// Is a head to come?
    pub(super) fn awaits_head(&self) -> bool {
        self.state == State::Head
    }

    /// Is an answer outstanding, or a part of it?
    pub(super) fn is_busy(&self) -> bool {
        self.state != State::Idle
    }

    /// Must the connection end now that nothing is outstanding?
    pub(super) fn is_spent(&self) -> bool {
        self.spent && !self.is_busy()
    }

    /// Has the upstream answered, and wants no more of the request?
    pub(super) fn refuses(&self) -> bool {
        self.refused
    }

    /// The request is left unfinished: the upstream could take another for the rest of it.
    pub(super) fn spend(&mut self) {
        self.spent = true;
    }

    /// Judges what has come of a head. When it says yes, `held` begins with the final head as awc is to see it, and all
    /// that stands behind it is body.
    ///
    /// # Errors
    /// When that can be no answer.
    pub(super) fn head(&mut self, held: &mut Vec<u8>) -> Result<bool, Fault> {
        if !head::may_begin(held) {
            return Err(Fault::BadHead("no answer of HTTP/1"));
        }
        while let Some(end) = head::end(held, &mut self.line_start) {
            self.line_start = 0;
            let head = Head::read(held.get(..end).unwrap_or_default())?;
            match head.status() {
                101 => return Err(Fault::BadHead("another protocol, which nobody asked for")),
                100..200 if self.interim >= MOST_INTERIM_HEADS => {
                    return Err(Fault::BadHead("too many interim answers"));
                }
                100..200 => {
                    // awc would take it for the answer, and give the real one to whoever uses the connection next.
                    self.interim += 1;
                    held.drain(..end);
                }
                _ => return self.answer(&head, held, end).map(|()| true),
            }
        }
        if held.len() > head::LARGEST_HEAD {
            return Err(Fault::BadHead("a head without end"));
        }
        Ok(false)
    }

    /// The final head has come, `end` bytes long, and perhaps a part of its body.
    fn answer(&mut self, head: &Head, held: &mut Vec<u8>, end: usize) -> Result<(), Fault> {
        let framing = head.framing(self.bare);
        self.refused = head.status() >= FIRST_ERROR || !head.keeps_connection();
        self.spent |= !head.keeps_connection();
        self.state = State::Body(framing);
        let of_body = self.body(held.get(end..).unwrap_or_default())?;
        held.truncate(end + of_body);
        head.show(framing, held, end);
        Ok(())
    }

    /// Follows bytes of a body, and says how many of them belong to it.
    ///
    /// # Errors
    /// When they can't belong to any.
    pub(super) fn body(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let State::Body(mut framing) = self.state else { return Ok(bytes.len()) };
        let of_body = framing.advance(bytes);
        // What nobody asked for would be the answer to the next request.
        self.spent |= of_body < bytes.len() || framing == Framing::UntilClose;
        self.state = match framing {
            Framing::Broken => return Err(Fault::BadBody),
            Framing::Complete => State::Idle,
            Framing::Length(_) | Framing::Chunked(_) | Framing::UntilClose => State::Body(framing),
        };
        Ok(of_body)
    }

    /// The connection has ended, with so many bytes of a head held.
    ///
    /// # Errors
    /// When that leaves an answer unfinished. (No answer at all is for awc to notice.)
    pub(super) fn end(&mut self, held: usize) -> Result<(), Fault> {
        self.spent = true;
        match self.state {
            State::Head if held > 0 || self.interim > 0 => Err(Fault::CutHead),
            State::Body(framing) if framing.is_open() => Err(Fault::CutBody),
            State::Body(_) => {
                self.state = State::Idle;
                Ok(())
            }
            State::Head | State::Idle => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
