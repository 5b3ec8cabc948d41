//! The byte stream to an upstream, from the codec's side: a socket, with a guard and the exchange's trace in between.
//!
//! 1. The first bytes written after a response begin the next request. The guard must then be idle.
//! 2. The codec is shown complete heads only, and of a body no byte too many.
//! 3. Where writing fails or has to wait, the response is looked for. A final error, or `connection: close`, ends the
//!    upload: the rest of the request goes nowhere, and the response is read.
//! 4. A connection unfit for another request is closed as soon as the response ends.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use clock::Now;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::error::FramingError;
use super::guard::ResponseGuard;
use crate::error::begun_too_late;
use crate::stream::Stream;
use crate::trace::ExchangeTrace;

/// A connection to an upstream.
#[derive(Debug)]
pub(crate) struct UpstreamIo {
    stream: Stream,
    guard: ResponseGuard,
    /// The exchange under way, until the head of its response is read.
    trace: Option<ExchangeTrace>,
    /// When the connection was made (ms, monotonic).
    made_at: u64,
    /// The bytes of a response, from the head on, unread by the codec so far.
    held: Vec<u8>,
    /// How many of the held bytes the codec has read.
    given: usize,
    /// Has a response come? Then further writes belong to a later request.
    served: bool,
    reused: bool,
    /// Is a request being written? Until the codec reads.
    writing: bool,
    /// Was the response there before all of the request was written? Then the rest of the request goes nowhere.
    discarding_upload: bool,
    /// Why nothing more can be written, while a response may still come.
    unwritable: Option<io::Error>,
}

impl UpstreamIo {
    pub(crate) fn new(stream: Stream) -> Self {
        UpstreamIo {
            stream,
            guard: ResponseGuard::default(),
            trace: None,
            made_at: Now::read_mono(),
            held: Vec::new(),
            given: 0,
            served: false,
            reused: false,
            writing: false,
            discarding_upload: false,
            unwritable: None,
        }
    }

    /// Begins an exchange, which is told what becomes of the request.
    pub(super) fn begin(&mut self, trace: ExchangeTrace) {
        self.trace = Some(trace);
    }

    /// Ends the exchange: the head of its response is read.
    pub(super) fn end(&mut self) {
        self.trace = None;
    }

    /// Returns when the connection was made (ms, monotonic).
    pub(super) fn made_at(&self) -> u64 {
        self.made_at
    }

    /// Returns whether another request may follow: nothing is outstanding and nothing unread has come, the end included. What
    /// TLS says for itself (a ticket for later sessions) is read here.
    pub(super) fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        let is_free = !self.guard.is_busy() && self.held.is_empty();
        is_free && (self.stream.is_plain() || self.reads_nothing(cx)) && !self.stream.has_unread()
    }

    fn reads_nothing(&mut self, cx: &mut Context<'_>) -> bool {
        Pin::new(&mut self.stream).poll_read(cx, &mut ReadBuf::new(&mut [0])).is_pending()
    }

    /// Closes the connection if the guard says so.
    fn close_if_required(&mut self) {
        if self.guard.must_close_now() {
            self.stream = Stream::Closed;
        }
    }

    /// Gives the connection up. Returns the reason.
    fn give_up(&mut self, error: FramingError) -> io::Error {
        self.stream = Stream::Closed;
        error.into()
    }

    /// Gathers a response's head. `Ready` when a final head is held, or the connection ended before a byte of one.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut space = [MaybeUninit::uninit(); 4_096];
            let mut buf = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                let ended = self.guard.end(self.held.len());
                return Poll::Ready(ended.map_err(|error| self.give_up(error)));
            }
            if let Some(trace) = &self.trace {
                trace.note_answered();
            }
            self.served = true;
            self.held.extend_from_slice(buf.filled());
            match self.guard.head(&mut self.held) {
                Ok(false) => {}
                Ok(true) => {
                    self.close_if_required();
                    return Poll::Ready(Ok(()));
                }
                Err(error) => return Poll::Ready(Err(self.give_up(error))),
            }
        }
    }

    /// Gives the codec the held bytes.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let unread = self.held.get(self.given..).unwrap_or_default();
        let piece = unread.get(..buf.remaining()).unwrap_or(unread);
        buf.put_slice(piece);
        self.given += piece.len();
        if self.given == self.held.len() {
            // An idle connection holds no memory.
            self.held = Vec::new();
            self.given = 0;
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().get(before..).unwrap_or_default();
        let has_ended = bytes.is_empty() && buf.remaining() > 0;
        let of_body = if has_ended { self.guard.end(0).map(|()| 0) } else { self.guard.body(bytes) };
        match of_body {
            Ok(of_body) => buf.set_filled(before + of_body),
            Err(error) => {
                buf.set_filled(before);
                return Poll::Ready(Err(self.give_up(error)));
            }
        }
        self.close_if_required();
        Poll::Ready(Ok(()))
    }

    /// Begins the next request, if none is being written, and asks the exchange whether the bytes may go out.
    fn before_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.writing {
            if let Err(error) = self.guard.begin(bytes) {
                return Err(self.give_up(error));
            }
            self.writing = true;
            self.reused = self.served;
        }
        let may_write = self.trace.as_ref().is_none_or(|trace| trace.note_writing(self.reused));
        if may_write { Ok(()) } else { Err(begun_too_late()) }
    }

    /// Writes, unless the upstream has answered already and wants no more: then returns `discarded`.
    fn poll_send<T>(
        &mut self,
        cx: &mut Context<'_>,
        discarded: T,
        write: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = match self.unwritable.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => write(Pin::new(&mut self.stream), cx),
        };
        let error = match written {
            Poll::Pending if self.writing => None,
            Poll::Ready(Err(error)) if self.writing => Some(error),
            Poll::Ready(_) | Poll::Pending => return written,
        };
        let head = if self.guard.awaits_head() { self.poll_head(cx) } else { Poll::Ready(Ok(())) };
        match (head, error) {
            // What broke the writing will wake the reading.
            (Poll::Pending, error) => {
                self.unwritable = error;
                Poll::Pending
            }
            (Poll::Ready(Ok(())), error) if self.guard.awaits_head() => {
                Poll::Ready(Err(error.unwrap_or_else(|| self.give_up(FramingError::NoAnswer))))
            }
            (Poll::Ready(Ok(())), None) if !self.guard.refuses_upload() => Poll::Pending,
            (Poll::Ready(Ok(())), _) => {
                self.discarding_upload = true;
                self.guard.close_after_response();
                self.close_if_required();
                Poll::Ready(Ok(discarded))
            }
            (Poll::Ready(Err(unreadable)), error) => Poll::Ready(Err(error.unwrap_or(unreadable))),
        }
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(trace) = self.trace.as_ref().filter(|_| self.writing) {
            trace.note_reading();
        }
        if self.guard.awaits_head() {
            ready!(self.poll_head(cx))?;
        }
        if self.held.is_empty() {
            return self.poll_body(cx, buf);
        }
        self.writing = false;
        self.give(buf);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.discarding_upload {
            return Poll::Ready(Ok(buf.len()));
        }
        self.before_write(buf)?;
        self.poll_send(cx, buf.len(), |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.discarding_upload {
            return Poll::Ready(Ok(()));
        }
        self.poll_send(cx, (), |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
