//! What carries the bytes to an upstream: a socket, with TLS or without, or nothing any more.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_rt::net::TcpStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

/// A byte stream to an upstream.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// TLS with the upstream within TLS with a proxy.
    TlsInTls(Box<TlsStream<Box<TlsStream<TcpStream>>>>),
    /// The connection was given up: a read finds the end.
    Closed,
}

/// Calls the same method of the stream, of any kind.
macro_rules! delegate {
    ($self:expr, $method:ident($($argument:expr),*), $closed:expr) => {
        match $self.get_mut() {
            Stream::Plain(socket) => Pin::new(socket).$method($($argument),*),
            Stream::Tls(session) => Pin::new(session).$method($($argument),*),
            Stream::TlsInTls(session) => Pin::new(session).$method($($argument),*),
            Stream::Closed => Poll::Ready($closed),
        }
    };
}

impl Stream {
    /// Lays TLS over the stream. Returns whether the other side chose HTTP/2, too.
    ///
    /// # Errors
    /// When the other side has no trusted certificate for the name, or no TLS.
    pub(crate) async fn over_tls(
        self,
        connector: &TlsConnector,
        name: ServerName<'static>,
    ) -> io::Result<(Stream, bool)> {
        fn chose_http2<T>(session: &TlsStream<T>) -> bool {
            session.get_ref().1.alpn_protocol() == Some(b"h2")
        }
        match self {
            Stream::Plain(socket) => {
                let session = connector.connect(name, socket).await?;
                let http2 = chose_http2(&session);
                Ok((Stream::Tls(Box::new(session)), http2))
            }
            Stream::Tls(outer) => {
                let session = connector.connect(name, outer).await?;
                let http2 = chose_http2(&session);
                Ok((Stream::TlsInTls(Box::new(session)), http2))
            }
            // Nothing is asked for a third layer.
            Stream::TlsInTls(_) | Stream::Closed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Returns whether the bytes are the socket's own, without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Stream::Plain(_))
    }

    pub(crate) fn socket(&self) -> Option<&TcpStream> {
        match self {
            Stream::Plain(socket) => Some(socket),
            Stream::Tls(session) => Some(session.get_ref().0),
            Stream::TlsInTls(session) => Some(session.get_ref().0.get_ref().0),
            Stream::Closed => None,
        }
    }

    /// Returns whether something unread has come, the end included.
    ///
    /// The system is asked, not the reactor. The reactor learns of new bytes only in its next turn, and stray bytes
    /// would be taken for the next response.
    pub(crate) fn has_unread(&self) -> bool {
        let Some(socket) = self.socket() else { return true };
        match SockRef::from(socket).peek(&mut [MaybeUninit::uninit()]) {
            Ok(_) => true,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
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
