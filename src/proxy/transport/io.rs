//! The byte stream to an upstream, and a witness of what passed through it.

use std::cell::Cell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::rt::net::{ActixStream, Ready, TcpStream};
use actix_web::web::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::framing::Framing;
use super::head;
use crate::types::{Now, WriteStamp, Written};

tokio::task_local! {
    /// The exchange whose task is polling: awc writes and reads in the task that asked it to.
    static WIRE: Wire;
}

/// What one exchange saw of its connection.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    stamp: WriteStamp,
    facts: Rc<Facts>,
}

#[derive(Debug, Default)]
struct Facts {
    reused: Cell<bool>,
    answered: Cell<bool>,
    last_write: Cell<u64>,
}

impl Wire {
    /// A witness that sets `stamp` when the request is written.
    pub(crate) fn new(stamp: WriteStamp) -> Self {
        Wire { stamp, facts: Rc::default() }
    }

    /// Runs an exchange under this witness.
    pub(crate) async fn watch<F: Future>(&self, exchange: F) -> F::Output {
        WIRE.scope(self.clone(), exchange).await
    }

    /// Did the request go out on a connection that had served another, and end without a byte of an answer? Then the
    /// upstream had closed it in the meantime, and most likely has seen nothing.
    pub(crate) fn was_stale(&self) -> bool {
        self.facts.reused.get() && !self.facts.answered.get() && self.stamp.read() != Written::Nothing
    }

    /// Says whether the request may still be written.
    fn writing(&self, reused: bool) -> bool {
        let now = Now::read_mono();
        self.facts.reused.set(reused);
        self.facts.last_write.set(now);
        self.stamp.begin(now)
    }

    /// awc reads the answer only after it has written all of the request: the first read ends the writing.
    fn reading(&self, bytes: usize) {
        if self.stamp.read() == Written::Partly {
            self.stamp.finish(self.facts.last_write.get());
        }
        if bytes > 0 {
            self.facts.answered.set(true);
        }
    }
}

/// Tells the exchange. Outside of one (the pool's check of an idle connection, a body's later reads) there is nobody.
fn witness<T>(f: impl FnOnce(&Wire) -> T) -> Option<T> {
    WIRE.try_with(f).ok()
}

/// A connection to an upstream.
#[derive(Debug)]
pub(super) struct UpstreamIo {
    stream: Stream,
    /// Bytes came in: what is written from now on belongs to a later request.
    served: bool,
    /// Something was written since the last read.
    writing: bool,
    reused: bool,
    /// What has come of a response's head, while that is not whole.
    head: Option<Vec<u8>>,
    /// What has come and awc has not read yet.
    unread: Bytes,
    /// What is still to come of the response's body.
    framing: Framing,
    /// Interim heads that were dropped before the final one.
    interim: u32,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Calls the same method of whichever stream it is.
macro_rules! delegate {
    ($self:expr, $method:ident, $($argument:expr),*) => {
        match &mut $self.stream {
            Stream::Plain(socket) => Pin::new(socket).$method($($argument),*),
            Stream::Tls(session) => Pin::new(session).$method($($argument),*),
        }
    };
}

impl UpstreamIo {
    pub(super) fn plain(socket: TcpStream) -> Self {
        UpstreamIo::new(Stream::Plain(socket))
    }

    pub(super) fn tls(session: TlsStream<TcpStream>) -> Self {
        UpstreamIo::new(Stream::Tls(Box::new(session)))
    }

    fn new(stream: Stream) -> Self {
        UpstreamIo {
            stream,
            served: false,
            writing: false,
            reused: false,
            head: None,
            unread: Bytes::new(),
            framing: Framing::Complete,
            interim: 0,
        }
    }

    fn before_write(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.writing, true) {
            self.reused = self.served;
            self.head = Some(Vec::new());
            self.framing = Framing::Complete;
            self.interim = 0;
        }
        let reused = self.reused;
        match witness(|wire| wire.writing(reused)) {
            Some(false) => Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long to connect")),
            Some(true) | None => Ok(()),
        }
    }

    fn after_read(&mut self, bytes: usize) {
        if self.writing || bytes > 0 {
            witness(|wire| wire.reading(bytes));
        }
        if bytes > 0 {
            self.served = true;
            self.writing = false;
        }
    }

    /// Gathers a response's head and makes it ready for awc. `Ready` when there is something for awc to read.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(mut head) = self.head.take() {
            let mut space = [MaybeUninit::uninit(); 4_096];
            let mut buf = ReadBuf::uninit(&mut space);
            let read = delegate!(self, poll_read, cx, &mut buf);
            head.extend_from_slice(buf.filled());
            self.after_read(buf.filled().len());
            match (read, head::end(&head)) {
                (Poll::Ready(Ok(())), Some(end)) => self.take_head(head, end),
                // An early end, or no head of HTTP: awc is to judge it.
                (Poll::Ready(Ok(())), None) if buf.filled().is_empty() || head.len() > head::LARGEST_HEAD => {
                    self.unread = head.into();
                }
                (Poll::Ready(Ok(())), None) => self.head = Some(head),
                (Poll::Ready(Err(error)), _) => return Poll::Ready(Err(error)),
                (Poll::Pending, _) => {
                    self.head = Some(head);
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// A head is whole, and `end` bytes long.
    fn take_head(&mut self, mut head: Vec<u8>, end: usize) {
        if head::is_interim(&head) && self.interim < head::MOST_INTERIM_HEADS {
            self.interim += 1;
            head.drain(..end);
            return match head::end(&head) {
                Some(end) => self.take_head(head, end),
                None => self.head = Some(head),
            };
        }
        let (announced, begun) = head.split_at_mut(end);
        self.framing = Framing::of(announced);
        self.framing.advance(begun);
        if self.framing == Framing::UntilClose {
            head::mark_close_delimited(announced);
        }
        self.unread = head.into();
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(session) => session.get_ref().0,
        }
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.poll_head(cx))?;
        if !self.unread.is_empty() {
            let n = self.unread.len().min(buf.remaining());
            buf.put_slice(&self.unread.split_to(n));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        std::task::ready!(delegate!(self, poll_read, cx, buf))?;
        let bytes = buf.filled().get(before..).unwrap_or_default();
        self.after_read(bytes.len());
        self.framing.advance(bytes);
        if bytes.is_empty() && buf.remaining() > 0 && self.framing.is_open() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.before_write()?;
        delegate!(self, poll_write, cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.before_write()?;
        delegate!(self, poll_write_vectored, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(socket) => socket.is_write_vectored(),
            Stream::Tls(session) => session.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_flush, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_shutdown, cx)
    }
}

impl ActixStream for UpstreamIo {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.socket(), cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.socket(), cx)
    }
}
