//! The byte stream under HTTP/2, with an eye on the written frames, and so on when a request was written.
//!
//! The crate h2 does not report when a frame is written: the frame may wait for a window, for another stream's end, or for
//! the socket. So the frames are looked for among the bytes taken by the socket. A request is written when the request's
//! last frame has passed and was flushed, whatever happens above.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use clock::Now;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;
use crate::trace::ExchangeTrace;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
/// On data and headers: the stream ends with this frame. On settings: the other side's settings are in force.
const END_OR_ACK: u8 = 1;

/// The length of a client's preface, before the first frame.
const PREFACE: u8 = 24;

/// A socket is blocked after so long without taking bytes (ms): the runtime itself makes pauses.
const BLOCKED_MS: u64 = 10;

/// What a connection's bytes have shown.
#[derive(Debug, Default)]
pub(super) struct FrameObserver {
    /// The requests not fully written, by stream.
    unsent: RefCell<BTreeMap<u32, UnsentRequest>>,
    /// Since when the socket has taken no more (ms, monotonic).
    blocked_since: Cell<Option<u64>>,
    /// Are the other side's settings in force?
    settled: Cell<bool>,
    /// When the last byte came, or the first wait for one began (ms, monotonic).
    last_read_at: Cell<u64>,
    /// How often bytes came.
    reads: Cell<u64>,
    /// Was a request begun since the last byte came?
    awaiting_reply: Cell<bool>,
}

/// A request not fully written.
#[derive(Debug)]
struct UnsentRequest {
    trace: ExchangeTrace,
    head_written: bool,
}

impl FrameObserver {
    /// Returns whether a new request would have to wait for the socket.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked_since.get().is_some_and(|since| Now::read_mono() >= since + BLOCKED_MS)
    }

    fn note_blocked(&self, pending: bool) {
        self.blocked_since.set(pending.then(|| self.blocked_since.get().unwrap_or_else(Now::read_mono)));
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.get()
    }

    /// Begins to look for a request's frames.
    pub(super) fn begin(&self, stream: u32, trace: &ExchangeTrace) {
        self.unsent.borrow_mut().insert(stream, UnsentRequest { trace: trace.clone(), head_written: false });
        if !self.awaiting_reply.replace(true) {
            self.last_read_at.set(Now::read_mono());
        }
    }

    /// Returns whether the request's head was written.
    pub(super) fn is_head_written(&self, stream: u32) -> bool {
        self.unsent.borrow().get(&stream).is_none_or(|request| request.head_written)
    }

    /// Returns whether all of the request was written.
    pub(super) fn is_written(&self, stream: u32) -> bool {
        !self.unsent.borrow().contains_key(&stream)
    }

    /// Ends the search: nothing more of the request will be written.
    pub(super) fn forget(&self, stream: u32) {
        self.unsent.borrow_mut().remove(&stream);
    }

    /// Returns for how long nothing at all came while something should have (ms).
    pub(super) fn silent_for(&self) -> u64 {
        Now::read_mono().saturating_sub(self.last_read_at.get())
    }

    fn note_written(&self, streams: &mut Vec<u32>) {
        let now = Now::read_mono();
        let mut unsent = self.unsent.borrow_mut();
        for request in streams.drain(..).filter_map(|stream| unsent.remove(&stream)) {
            request.trace.note_written(now);
        }
    }

    fn note_head_written(&self, stream: u32) {
        if let Some(request) = self.unsent.borrow_mut().get_mut(&stream) {
            request.head_written = true;
        }
    }

    /// Returns how often bytes came.
    pub(super) fn reads(&self) -> u64 {
        self.reads.get()
    }

    fn note_read(&self) {
        self.reads.set(self.reads.get() + 1);
        self.last_read_at.set(Now::read_mono());
        self.awaiting_reply.set(false);
    }
}

/// The byte stream of a connection of HTTP/2.
pub(super) struct ObservedIo {
    stream: Stream,
    frames: FrameParser,
    /// The streams whose last frame the socket took, and may not have flushed yet.
    ending: Vec<u32>,
    observer: Rc<FrameObserver>,
}

impl ObservedIo {
    pub(super) fn new(stream: Stream, observer: Rc<FrameObserver>) -> Self {
        ObservedIo { stream, frames: FrameParser::default(), ending: Vec::new(), observer }
    }
}

impl AsyncRead for ObservedIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.observer.note_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ObservedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.observer.note_blocked(written.is_pending());
        let written = ready!(written)?;
        this.frames.follow(buf.get(..written).unwrap_or(buf), |frame| {
            let flagged = frame.flags & END_OR_ACK != 0;
            match frame.kind {
                SETTINGS if flagged => this.observer.settled.set(true),
                HEADERS => this.observer.note_head_written(frame.stream),
                _ => {}
            }
            if flagged && matches!(frame.kind, DATA | HEADERS) {
                this.ending.push(frame.stream);
            }
        });
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.observer.note_blocked(flushed.is_pending());
        ready!(flushed)?;
        if !this.ending.is_empty() {
            this.observer.note_written(&mut this.ending);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The head of a frame.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

const HEAD: usize = 9;

/// A place in the frames of a client.
struct FrameParser {
    head: [u8; HEAD],
    /// How many bytes of the head have passed.
    head_bytes: usize,
    /// How many bytes of the payload are still to pass.
    payload_left: usize,
}

impl Default for FrameParser {
    /// Before the preface, taken for the payload of a frame of an unknown kind.
    fn default() -> Self {
        FrameParser {
            head: [0, 0, PREFACE, u8::MAX, 0, 0, 0, 0, 0],
            head_bytes: HEAD,
            payload_left: usize::from(PREFACE),
        }
    }
}

impl FrameParser {
    /// Follows these bytes, and calls `passed` with each frame that ends among them.
    fn follow(&mut self, mut bytes: &[u8], mut passed: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            if self.head_bytes < HEAD {
                for (place, byte) in self.head.iter_mut().skip(self.head_bytes).zip(bytes) {
                    *place = *byte;
                }
                let taken = bytes.len().min(HEAD - self.head_bytes);
                self.head_bytes += taken;
                bytes = bytes.get(taken..).unwrap_or_default();
                if self.head_bytes < HEAD {
                    return;
                }
                let [high, middle, low, ..] = self.head;
                self.payload_left = u32::from_be_bytes([0, high, middle, low]) as usize;
            }
            let taken = bytes.len().min(self.payload_left);
            self.payload_left -= taken;
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.payload_left == 0 {
                let [.., kind, flags, a, b, c, d] = self.head;
                passed(Frame { kind, flags, stream: u32::from_be_bytes([a & 0x7f, b, c, d]) });
                self.head_bytes = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("short");
        [&[0, 0, length, kind, flags, 0x80, 0, 0, stream], payload].concat()
    }

    #[test]
    fn frames_are_found_however_writes_are_cut() {
        let bytes = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, 0, &[0; 12]),
            frame(SETTINGS, END_OR_ACK, 0, &[]),
            frame(HEADERS, 4, 1, b"head"),
            frame(DATA, 0, 1, &[0, 0, 0, 0, END_OR_ACK, 0, 0, 0, 1]),
            frame(DATA, END_OR_ACK, 1, &[]),
        ]
        .concat();
        for size in 1..=bytes.len() {
            let (mut frames, mut found) = (FrameParser::default(), Vec::new());
            for piece in bytes.chunks(size) {
                frames.follow(piece, |frame| found.push((frame.kind, frame.flags, frame.stream)));
            }
            let wanted = [(u8::MAX, 0, 0), (4, 0, 0), (4, 1, 0), (1, 4, 1), (0, 0, 1), (0, 1, 1)];
            assert_eq!(found, wanted, "in pieces of {size}");
        }
    }

    #[test]
    fn a_frame_passes_with_its_last_byte() {
        let bytes = frame(DATA, END_OR_ACK, 3, b"data");
        let mut frames = FrameParser { head_bytes: 0, payload_left: 0, ..FrameParser::default() };
        let (last, rest) = bytes.split_last().expect("some");
        frames.follow(rest, |frame| panic!("{frame:?} has not passed"));
        let mut passed = 0;
        frames.follow(&[*last], |frame| passed += frame.stream);
        assert_eq!(passed, 3);
    }
}
