//! One stream, event by event: what the client is to see, what the stream cost, and whether the end is good. The dialect
//! says what one event means. Here stands what follows from a sequence of events, in all dialects.
//!
//! 1. Events from one read leave in one piece. Bytes without a change are passed on without a copy per event.
//! 2. Behind an error nothing more is shown; behind the end of the stream nothing is an error.
//! 3. A byte order mark at the beginning is left out: to clients the mark would be a part of the first field's name.

mod answer_length;
mod progress;

use std::ops::Range;
use std::sync::Arc;

use actix_web::web::{Bytes, BytesMut};

pub(crate) use self::progress::StreamProgress;
use self::progress::Upstream;
use super::first_bytes::BYTE_ORDER_MARK;
use super::json_list::ListCutter;
use super::routes::Route;
use super::sse::EventCutter;
use crate::config::ApiKey;
use crate::types::WireFormat;

/// The longest event to be held until its end arrives. A longer one is passed on in pieces, unread. An event can hold a
/// whole image in base64.
const LONGEST_EVENT: usize = 32 << 20;

/// What of an event the client is to see.
enum Shown {
    All,
    Without(Range<usize>),
    Instead(Bytes),
    Nothing,
}

/// Cuts a stream into pieces.
#[derive(Debug)]
enum Cutter {
    /// Into events.
    Events(EventCutter),
    /// Into the elements of a JSON list.
    List(ListCutter),
}

impl Cutter {
    fn next_end(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Cutter::Events(cutter) => cutter.next_end(bytes),
            Cutter::List(cutter) => cutter.next_end(bytes),
        }
    }

    fn forget_seen(&mut self) {
        match self {
            Cutter::Events(cutter) => cutter.forget_seen(),
            Cutter::List(cutter) => cutter.forget_seen(),
        }
    }
}

/// One stream of events, from its bytes to what the client sees of it.
#[derive(Debug)]
pub struct EventStream {
    /// The beginning of an event without its end.
    buffer: BytesMut,
    cutter: Cutter,
    is_at_start: bool,
    /// Whether the last event ended in a CR, the last byte so far: an LF at the beginning of the next piece belongs there.
    owes_lf: bool,
    /// What the events meant so far.
    pub(crate) progress: StreamProgress,
}

impl EventStream {
    /// Returns the reader of a new stream. `strip_usage`: the proxy asked for the usage and the client did not.
    pub fn new(route: &'static Route, strip_usage: bool) -> Self {
        EventStream {
            buffer: BytesMut::new(),
            cutter: Cutter::Events(EventCutter::new()),
            is_at_start: true,
            owes_lf: false,
            progress: StreamProgress::new(route, strip_usage),
        }
    }

    /// Returns the same for an upstream with this name for the model. The upstream's key is taken out of all events.
    /// `client`: what the client wrote.
    pub(crate) fn of_upstream(mut self, model: &str, client: Bytes, key: ApiKey) -> Self {
        self.progress.set_upstream(Upstream { model: model.to_owned(), client: Some(client), key });
        self
    }

    /// Takes the stream for a JSON list, if it is one: each element is an event.
    pub(crate) fn of_list(mut self, is_list: bool) -> Self {
        if is_list {
            self.cutter = Cutter::List(ListCutter::default());
        }
        self
    }

    /// Returns whether the stream is a JSON list.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self.cutter, Cutter::List(_))
    }

    /// Writes the asked name of the model into all events, if there is one.
    pub(crate) fn echoing(mut self, asked: Option<Arc<str>>) -> Self {
        self.progress.set_echo(asked);
        self
    }

    /// Lets go of what the client wrote: from here on the stream may last.
    pub(crate) fn committed(mut self) -> Self {
        self.progress.forget_request();
        self
    }

    /// Returns the format of the stream.
    pub(crate) fn format(&self) -> WireFormat {
        self.progress.format()
    }

    /// Takes in what arrived, and appends what the client is to see of it.
    pub fn feed(&mut self, chunk: &[u8], shown: &mut impl Extend<Bytes>) {
        self.buffer.extend_from_slice(chunk);
        if self.is_at_start && !self.skip_byte_order_mark() {
            return;
        }
        let mut sieve = Sieve { buffer: &mut self.buffer, kept: 0, next: 0 };
        if self.owes_lf && !sieve.rest().is_empty() {
            self.owes_lf = false;
            if sieve.rest().starts_with(b"\n") {
                let verdict = if self.progress.dropped_last() { Shown::Nothing } else { Shown::All };
                sieve.pass(1, verdict, shown);
            }
        }
        while let Some(length) = self.cutter.next_end(sieve.rest()) {
            let event = sieve.rest().get(..length).unwrap_or_default();
            self.owes_lf = event.ends_with(b"\r") && length == sieve.rest().len();
            let verdict = self.progress.event(event);
            sieve.pass(length, verdict, shown);
        }
        let held = sieve.rest().len();
        if held > LONGEST_EVENT {
            sieve.pass(held, self.progress.oversize(), shown);
            self.cutter.forget_seen();
        }
        sieve.finish(shown);
    }

    /// Returns the bytes behind the last whole event, when the stream has ended. A `[DONE]` without a blank line counts.
    pub fn finish(&mut self) -> Option<Bytes> {
        let rest = self.buffer.split().freeze();
        if rest.is_empty() {
            return None;
        }
        match self.progress.event(&rest) {
            Shown::All => Some(rest),
            Shown::Without(part) => {
                let (before, behind) = (rest.get(..part.start), rest.get(part.end..));
                Some([before.unwrap_or_default(), behind.unwrap_or_default()].concat().into())
            }
            Shown::Instead(bytes) => Some(bytes),
            Shown::Nothing => None,
        }
    }

    /// Leaves out the mark at the beginning. Returns whether the beginning is known.
    fn skip_byte_order_mark(&mut self) -> bool {
        if self.buffer.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&self.buffer) {
            return false;
        }
        self.is_at_start = false;
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            drop(self.buffer.split_to(BYTE_ORDER_MARK.len()));
        }
        true
    }
}

/// Moves all shown bytes of a buffer to the beginning, to leave in one piece.
struct Sieve<'a> {
    buffer: &'a mut BytesMut,
    /// How many bytes at the beginning of the buffer are shown.
    kept: usize,
    /// Where the next event begins.
    next: usize,
}

impl Sieve<'_> {
    /// Returns what was not passed yet.
    fn rest(&self) -> &[u8] {
        self.buffer.get(self.next..).unwrap_or_default()
    }

    /// Passes the next `length` bytes, or the shown part.
    fn pass(&mut self, length: usize, verdict: Shown, shown: &mut impl Extend<Bytes>) {
        let start = self.next;
        self.next += length;
        match verdict {
            Shown::All => self.keep(start..self.next),
            Shown::Without(part) => {
                self.keep(start..start + part.start);
                self.keep(start + part.end..self.next);
            }
            Shown::Instead(bytes) => {
                let before = self.split_shown();
                shown.extend([before, bytes].into_iter().filter(|bytes| !bytes.is_empty()));
            }
            Shown::Nothing => {}
        }
    }

    fn keep(&mut self, part: Range<usize>) {
        let length = part.len();
        if self.kept != part.start {
            self.buffer.copy_within(part, self.kept);
        }
        self.kept += length;
    }

    /// Takes all passed bytes out of the buffer, and returns the shown ones.
    fn split_shown(&mut self) -> Bytes {
        let mut passed = self.buffer.split_to(self.next);
        passed.truncate(self.kept);
        self.kept = 0;
        self.next = 0;
        passed.freeze()
    }

    fn finish(mut self, shown: &mut impl Extend<Bytes>) {
        if self.next > 0 {
            shown.extend(Some(self.split_shown()).filter(|bytes| !bytes.is_empty()));
        }
    }
}

#[cfg(test)]
mod tests;
