//! A client's connection, with the deadlines that actix-http has not: for the heads of its later requests, and for a client
//! that takes nothing of what is written to it. (For the first head actix-http waits itself, and answers 408.)

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

/// How long one may take to say what it wants that there is no place for.
const REJECT_TIMEOUT: Duration = Duration::from_secs(1);

/// What the middleware tells the connection that its requests come on, and is told of it.
#[derive(Debug)]
pub(super) struct ConnectionState {
    /// Its place among the connections that are wanted.
    place: Option<ConnectionSlot>,
    /// Heads that came, whole.
    heads: Cell<u64>,
    /// Requests whose answer has not been written to its end.
    open: Cell<u32>,
    /// The connection is to close when none is open.
    closes: Cell<bool>,
}

/// A request on a connection, from its head to the end of its answer.
#[derive(Debug)]
pub(super) struct InFlight(Rc<ConnectionState>);

impl ConnectionState {
    pub(super) fn of(place: Option<ConnectionSlot>) -> Rc<Self> {
        let (heads, open, closes) = (Cell::default(), Cell::default(), Cell::default());
        Rc::new(ConnectionState { place, heads, open, closes })
    }

    /// Is there no place for this connection? Then it is told so, and ends.
    pub(super) fn is_too_many(&self) -> bool {
        self.place.is_none()
    }

    /// A head has come.
    pub(super) fn open(self: &Rc<Self>) -> InFlight {
        self.heads.set(self.heads.get().wrapping_add(1));
        self.open.set(self.open.get() + 1);
        InFlight(self.clone())
    }

    /// Is the connection to close now?
    pub(super) fn ends(&self) -> bool {
        self.closes.get() && self.open.get() == 0
    }
}

impl InFlight {
    /// The connection is to close behind this request's answer. (In its head that can't be said any more.)
    pub(super) fn close_after(&self) {
        self.0.closes.set(true);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get().saturating_sub(1));
    }
}

/// How long a connection waits for its client.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketTimeouts {
    pub(super) head: Duration,
    pub(super) write: Duration,
}

/// One connection.
pub(super) struct Socket {
    wire: ClientStream,
    patience: SocketTimeouts,
    pub(super) requests: Rc<ConnectionState>,
    /// How many heads had come when a byte came that belongs to none.
    begun: Option<u64>,
    /// Ends the wait for a head's rest.
    head: Deadline,
    /// Ends the wait for the client to take something.
    write: Deadline,
    /// actix-http was woken to see that nothing more is read.
    over: bool,
}

/// With TLS or without.
pub(super) enum ClientStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    pub(super) fn new(wire: ClientStream, patience: SocketTimeouts, place: Option<ConnectionSlot>) -> Self {
        let (head, write) = (Deadline::default(), Deadline::default());
        let (patience, begun) = match place {
            Some(_) => (patience, None),
            None => (SocketTimeouts { head: patience.head.min(REJECT_TIMEOUT), ..patience }, Some(0)),
        };
        Socket { wire, patience, requests: ConnectionState::of(place), begun, head, write, over: false }
    }

    /// A byte came. While no request is open, it begins a head; or it is the rest of a body that was not wanted.
    fn came(&mut self) {
        let heads = self.requests.heads.get();
        if self.requests.open.get() == 0 && heads > 0 {
            self.begun.get_or_insert(heads);
        }
    }

    /// Is a head begun, and not whole in time?
    fn head_is_late(&mut self, cx: &mut Context<'_>) -> bool {
        if self.begun.is_some_and(|heads| heads == self.requests.heads.get()) {
            return self.head.passed(self.patience.head, cx);
        }
        self.begun = None;
        self.head.lift();
        false
    }

    /// Watches over a step of writing.
    fn watched<T>(&mut self, step: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        match step {
            Poll::Pending if self.write.passed(self.patience.write, cx) => Poll::Ready(Err(late())),
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
        if this.requests.ends() {
            // As if the client had left: actix-http writes out what it has, and closes.
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = match &mut this.wire {
            ClientStream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            ClientStream::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        if buf.filled().len() > before {
            this.came();
        }
        // Here only a deadline that runs is looked at: whether what came is a whole head is known by the next flush.
        if (this.head.runs() || this.requests.is_too_many()) && this.head_is_late(cx) {
            return Poll::Ready(Err(late()));
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let step = match &mut this.wire {
            ClientStream::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            ClientStream::Tls(tls) => Pin::new(tls).poll_write(cx, bytes),
        };
        this.watched(step, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let step = match &mut this.wire {
            ClientStream::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, pieces),
            ClientStream::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, pieces),
        };
        this.watched(step, cx)
    }

    /// actix-http ends each turn with it, after it has looked at what came.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let step = match &mut this.wire {
            ClientStream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            ClientStream::Tls(tls) => Pin::new(tls).poll_flush(cx),
        };
        if this.begun.is_some() && this.head_is_late(cx) {
            return Poll::Ready(Err(late()));
        }
        if this.requests.ends() && !std::mem::replace(&mut this.over, true) {
            cx.waker().wake_by_ref();
        }
        match &this.wire {
            // TCP has nothing to flush, and its saying so is no progress.
            ClientStream::Plain(_) => step,
            ClientStream::Tls(_) => this.watched(step, cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let step = match &mut this.wire {
            ClientStream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            ClientStream::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        };
        this.watched(step, cx)
    }
}

/// A moment by which something must have happened, if it is awaited at all.
#[derive(Default)]
struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Has it passed? It begins to run when it is asked first.
    fn passed(&mut self, patience: Duration, cx: &mut Context<'_>) -> bool {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
        timer.as_mut().poll(cx).is_ready()
    }

    fn runs(&self) -> bool {
        self.0.is_some()
    }

    fn lift(&mut self) {
        self.0 = None;
    }
}
