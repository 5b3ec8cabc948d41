//! What carries the bytes: a socket, with TLS or without, or nothing any more.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_rt::net::TcpStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

/// A way to an upstream.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// It was given up: reads find its end.
    Closed,
}

/// Calls the same method of whichever stream it is.
macro_rules! delegate {
    ($self:expr, $method:ident($($argument:expr),*), $closed:expr) => {
        match $self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).$method($($argument),*),
            Stream::Tls(session) => Pin::new(session).$method($($argument),*),
            Stream::Closed => Poll::Ready($closed),
        }
    };
}

impl Stream {
    pub(crate) fn socket(&self) -> Option<&TcpStream> {
        match self {
            Stream::Plain(socket) => Some(socket),
            Stream::Tls(session) => Some(session.get_ref().0),
            Stream::Closed => None,
        }
    }
}

impl Stream {
    /// Has something come, the end for instance, that nobody has read? The system is asked, since the reactor knows what
    /// came only after it has had its turn: what came unasked would be taken for the next answer.
    pub(crate) fn has_unread(&self) -> bool {
        let peeked = self.socket().map(|socket| SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]));
        !peeked.is_some_and(|peeked| peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_read(cx, buf), Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write(cx, buf), Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_flush(cx), Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_shutdown(cx), Ok(()))
    }
}
