//! The byte stream under HTTP/2: it sees which frames were written, and so when a request was.
//!
//! HTTP/2 hands frames over and is told nothing of their fate: they may wait for a window, for another stream's end, or for
//! the socket. So the frames are looked for among the bytes that the socket took: a request is written when the frame that
//! ends it has passed, and was flushed. That is true whatever happens above.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use clock::Now;

use crate::stream::Stream;
use crate::trace::Wire;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
/// On data and headers: the stream ends with this frame. On settings: those of the other side are in force.
const ENDS: u8 = 1;

/// What a client sends before its first frame.
const PREFACE: u8 = 24;

/// A stream is blocked that took no more for so long (ms): the runtime itself makes pauses.
const BLOCKED_MS: u64 = 10;

/// What a connection's bytes have shown.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The requests that have not been written yet, by stream.
    writing: RefCell<HashMap<u32, Writing>>,
    /// Since when the stream has taken no more (ms, monotonic).
    blocked: Cell<Option<u64>>,
    /// Are the other side's settings in force?
    settled: Cell<bool>,
    /// When the last byte came, or the first wait for one began (ms, monotonic).
    heard: Cell<u64>,
    /// How often something came.
    came: Cell<u64>,
    /// Was something asked since then?
    owed: Cell<bool>,
}

/// A request that has not been written, or not all of it.
#[derive(Debug)]
struct Writing {
    wire: Wire,
    /// Has its head been?
    headed: bool,
}

impl Log {
    /// Would a request that is handed over now have to wait for the socket?
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.get().is_some_and(|since| Now::read_mono() >= since + BLOCKED_MS)
    }

    fn note_blocked(&self, pending: bool) {
        self.blocked.set(pending.then(|| self.blocked.get().unwrap_or_else(Now::read_mono)));
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.get()
    }

    /// A request is on its way.
    pub(super) fn begin(&self, stream: u32, wire: &Wire) {
        self.writing.borrow_mut().insert(stream, Writing { wire: wire.clone(), headed: false });
        if !self.owed.replace(true) {
            self.heard.set(Now::read_mono());
        }
    }

    /// Has the request's head been written?
    pub(super) fn is_headed(&self, stream: u32) -> bool {
        self.writing.borrow().get(&stream).is_none_or(|writing| writing.headed)
    }

    /// Has all of it been?
    pub(super) fn is_written(&self, stream: u32) -> bool {
        !self.writing.borrow().contains_key(&stream)
    }

    /// The request goes no further.
    pub(super) fn forget(&self, stream: u32) {
        self.writing.borrow_mut().remove(&stream);
    }

    /// For how long nothing at all came while something should have (ms).
    pub(super) fn silent_for(&self) -> u64 {
        Now::read_mono().saturating_sub(self.heard.get())
    }

    fn written(&self, streams: &mut Vec<u32>) {
        let now = Now::read_mono();
        let mut writing = self.writing.borrow_mut();
        for written in streams.drain(..).filter_map(|stream| writing.remove(&stream)) {
            written.wire.written(now);
        }
    }

    fn headed(&self, stream: u32) {
        if let Some(writing) = self.writing.borrow_mut().get_mut(&stream) {
            writing.headed = true;
        }
    }

    /// How often something came.
    pub(super) fn came(&self) -> u64 {
        self.came.get()
    }

    fn heard(&self) {
        self.came.set(self.came.get() + 1);
        self.heard.set(Now::read_mono());
        self.owed.set(false);
    }
}

/// A connection that HTTP/2 is spoken on.
pub(super) struct FramesIo {
    stream: Stream,
    frames: Frames,
    /// The streams whose last frame the stream took, and may not have flushed yet.
    ending: Vec<u32>,
    log: Rc<Log>,
}

impl FramesIo {
    pub(super) fn new(stream: Stream, log: Rc<Log>) -> Self {
        FramesIo { stream, frames: Frames::default(), ending: Vec::new(), log }
    }
}

impl AsyncRead for FramesIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.log.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for FramesIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let taken = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.log.note_blocked(taken.is_pending());
        let taken = ready!(taken)?;
        let (log, ending) = (&this.log, &mut this.ending);
        this.frames.follow(buf.get(..taken).unwrap_or(buf), |frame| {
            let flagged = frame.flags & ENDS != 0;
            match frame.kind {
                SETTINGS if flagged => log.settled.set(true),
                HEADERS => log.headed(frame.stream),
                _ => {}
            }
            if flagged && matches!(frame.kind, DATA | HEADERS) {
                ending.push(frame.stream);
            }
        });
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.log.note_blocked(flushed.is_pending());
        ready!(flushed)?;
        if !this.ending.is_empty() {
            this.log.written(&mut this.ending);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A frame's head.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

/// The length of a frame's head.
const HEAD: usize = 9;

/// Where in a client's frames the bytes have come to.
struct Frames {
    head: [u8; HEAD],
    /// How much of the head has come.
    have: usize,
    /// How much of what is behind it is to come.
    left: usize,
}

impl Default for Frames {
    /// Before the preface, which is taken for a frame of a kind that there is not.
    fn default() -> Self {
        Frames { head: [0, 0, PREFACE, u8::MAX, 0, 0, 0, 0, 0], have: HEAD, left: usize::from(PREFACE) }
    }
}

impl Frames {
    /// Follows these bytes, and tells of each frame that ends in them.
    fn follow(&mut self, mut bytes: &[u8], mut passed: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            if self.have < HEAD {
                for (place, byte) in self.head.iter_mut().skip(self.have).zip(bytes) {
                    *place = *byte;
                }
                let more = bytes.len().min(HEAD - self.have);
                self.have += more;
                bytes = bytes.get(more..).unwrap_or_default();
                if self.have < HEAD {
                    return;
                }
                let [high, middle, low, ..] = self.head;
                self.left = u32::from_be_bytes([0, high, middle, low]) as usize;
            }
            let more = bytes.len().min(self.left);
            self.left -= more;
            bytes = bytes.get(more..).unwrap_or_default();
            if self.left == 0 {
                let [.., kind, flags, a, b, c, d] = self.head;
                passed(Frame { kind, flags, stream: u32::from_be_bytes([a & 0x7f, b, c, d]) });
                self.have = 0;
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
    fn frames_are_found_wherever_writes_are_cut() {
        let bytes = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, 0, &[0; 12]),
            frame(SETTINGS, ENDS, 0, &[]),
            frame(HEADERS, 4, 1, b"head"),
            frame(DATA, 0, 1, &[0, 0, 0, 0, ENDS, 0, 0, 0, 1]),
            frame(DATA, ENDS, 1, &[]),
        ]
        .concat();
        for size in 1..=bytes.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for piece in bytes.chunks(size) {
                frames.follow(piece, |frame| found.push((frame.kind, frame.flags, frame.stream)));
            }
            let wanted = [(u8::MAX, 0, 0), (4, 0, 0), (4, 1, 0), (1, 4, 1), (0, 0, 1), (0, 1, 1)];
            assert_eq!(found, wanted, "in pieces of {size}");
        }
    }

    #[test]
    fn a_frame_has_not_passed_before_its_last_byte() {
        let bytes = frame(DATA, ENDS, 3, b"data");
        let mut frames = Frames { have: 0, left: 0, ..Frames::default() };
        let (last, rest) = bytes.split_last().expect("some");
        frames.follow(rest, |frame| panic!("{frame:?} has not passed"));
        let mut passed = 0;
        frames.follow(&[*last], |frame| passed += frame.stream);
        assert_eq!(passed, 3);
    }
}
