//! A client's connection, with the deadlines that actix-http lacks.
//!
//! 1. The head of a request must be whole within `headTimeoutMs` of the first byte. (For the first head of a connection
//!    actix-http waits itself, and answers 408.)
//! 2. A client must read some of the answer within `writeTimeoutMs`.
//! 3. A connection beyond `maxConnections` has a second to send a request, gets a 503, and closes.
//! 4. A connection closes behind an error event. The answer's head has left by then, and can't announce the close.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use super::concurrency::ConnectionSlot;

/// How long a connection without a slot may take to send a request.
const REJECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What a connection and the middleware know of each other.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// One of `maxConnections`.
    slot: Option<ConnectionSlot>,
    /// Whole heads so far.
    heads: Cell<u64>,
    /// Requests whose answer is not yet written to the end.
    open: Cell<u32>,
    /// The connection is to close when no request is open.
    closes: Cell<bool>,
}

/// A request on a connection, from the head to the end of the answer.
#[derive(Debug)]
pub(super) struct InFlight(Rc<ConnectionState>);

impl ConnectionState {
    pub(super) fn of(slot: Option<ConnectionSlot>) -> Rc<Self> {
        Rc::new(ConnectionState { slot, heads: Cell::default(), open: Cell::default(), closes: Cell::default() })
    }

    /// Returns whether this connection is one too many. Such a connection gets a 503 and closes.
    pub(super) fn is_too_many(&self) -> bool {
        self.slot.is_none()
    }

    /// Counts a whole head.
    pub(super) fn open(self: &Rc<Self>) -> InFlight {
        self.heads.set(self.heads.get().wrapping_add(1));
        self.open.set(self.open.get() + 1);
        InFlight(self.clone())
    }

    /// Returns whether the connection is to close now.
    pub(super) fn ends(&self) -> bool {
        self.closes.get() && self.open.get() == 0
    }
}

impl InFlight {
    /// Lets the connection close after this request's answer.
    pub(super) fn close_after(&self) {
        self.0.closes.set(true);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
    }
}

/// How long a connection waits for the client.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketTimeouts {
    pub(super) head: Duration,
    pub(super) write: Duration,
}

pub(super) struct Socket {
    stream: ClientStream,
    timeouts: SocketTimeouts,
    pub(super) state: Rc<ConnectionState>,
    /// How many heads had come when a byte of the next one came.
    begun: Option<u64>,
    /// Ends the wait for the rest of a head.
    head: Deadline,
    /// Ends the wait for the client to take something.
    write: Deadline,
    /// actix-http was woken to see the end of reading.
    over: bool,
}

pub(super) enum ClientStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Calls the same method of the stream, with TLS or without.
macro_rules! delegate {
    ($this:ident.$method:ident($($argument:expr),*)) => {
        match &mut $this.stream {
            ClientStream::Plain(tcp) => Pin::new(tcp).$method($($argument),*),
            ClientStream::Tls(tls) => Pin::new(tls).$method($($argument),*),
        }
    };
}

impl Socket {
    pub(super) fn new(stream: ClientStream, timeouts: SocketTimeouts, slot: Option<ConnectionSlot>) -> Self {
        let (timeouts, begun) = match slot {
            Some(_) => (timeouts, None),
            None => (SocketTimeouts { head: timeouts.head.min(REJECT_TIMEOUT), ..timeouts }, Some(0)),
        };
        Socket {
            stream,
            timeouts,
            state: ConnectionState::of(slot),
            begun,
            head: Deadline::default(),
            write: Deadline::default(),
            over: false,
        }
    }

    /// Notes a byte. While no request is open, the byte begins a head, or is the rest of a body that nobody read.
    fn came(&mut self) {
        let heads = self.state.heads.get();
        if self.state.open.get() == 0 && heads > 0 {
            self.begun.get_or_insert(heads);
        }
    }

    /// Returns whether a head has begun and is not whole in time.
    fn head_is_late(&mut self, cx: &mut Context<'_>) -> bool {
        if self.begun.is_some_and(|heads| heads == self.state.heads.get()) {
            return self.head.has_passed(self.timeouts.head, cx);
        }
        self.begun = None;
        self.head.lift();
        false
    }

    /// Watches over a step of writing.
    fn watched<T>(&mut self, step: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match step {
            Poll::Pending if self.write.has_passed(self.timeouts.write, cx) => Poll::Ready(Err(late())),
            Poll::Pending => Poll::Pending,
            Poll::Ready(done) => {
                self.write.lift();
                Poll::Ready(done)
            }
        }
    }
}

fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state.ends() {
            // As if the client had left: actix-http writes out the rest, and closes.
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = delegate!(this.poll_read(cx, buf));
        if buf.filled().len() > before {
            this.came();
        }
        // Here only a running deadline is checked. Whether the bytes are a whole head is known by the next flush.
        if (this.head.runs() || this.state.is_too_many()) && this.head_is_late(cx) {
            return Poll::Ready(Err(late()));
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let step = delegate!(this.poll_write(cx, bytes));
        this.watched(step, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let step = delegate!(this.poll_write_vectored(cx, pieces));
        this.watched(step, cx)
    }

    /// actix-http ends each turn with a flush, after parsing what came.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let step = delegate!(this.poll_flush(cx));
        if this.begun.is_some() && this.head_is_late(cx) {
            return Poll::Ready(Err(late()));
        }
        if this.state.ends() && !std::mem::replace(&mut this.over, true) {
            cx.waker().wake_by_ref();
        }
        match &this.stream {
            // TCP has nothing to flush: `Ready` is no progress of the client.
            ClientStream::Plain(_) => step,
            ClientStream::Tls(_) => this.watched(step, cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let step = delegate!(this.poll_shutdown(cx));
        this.watched(step, cx)
    }
}

/// A moment for something to happen, while somebody waits.
#[derive(Default)]
struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Returns whether the deadline has passed. The first call starts the clock.
    fn has_passed(&mut self, timeout: Duration, cx: &mut Context<'_>) -> bool {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + timeout)));
        timer.as_mut().poll(cx).is_ready()
    }

    fn runs(&self) -> bool {
        self.0.is_some()
    }

    fn lift(&mut self) {
        self.0 = None;
    }
}
