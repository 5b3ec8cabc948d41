//! An open WebSocket to an upstream.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::messages::{BadMessage, SocketCodec, SocketMessage};
use crate::stream::Stream;

/// How much is read at once, in bytes.
const READ_AT_ONCE: usize = 16 << 10;

/// How much may wait to be written before no more is taken from the client, in bytes.
const MOST_UNSENT: usize = 64 << 10;

/// An open WebSocket to an upstream. Dropping it closes the connection.
#[derive(Debug)]
pub struct UpstreamSocket {
    stream: Stream,
    codec: SocketCodec,
    incoming: BytesMut,
    outgoing: BytesMut,
}

/// Why a WebSocket ended without a close.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The connection ended.
    #[error("the connection ended")]
    Ended,
    /// The connection broke.
    #[error("the connection broke ({0})")]
    Broken(#[from] io::Error),
    /// What came is no message.
    #[error("{0}")]
    Bad(#[from] BadMessage),
}

impl UpstreamSocket {
    pub(super) fn new(stream: Stream, came: BytesMut, largest_message: usize) -> Self {
        let codec = SocketCodec::of_client(largest_message);
        UpstreamSocket { stream, codec, incoming: came, outgoing: BytesMut::new() }
    }

    /// Hands a message over. It is written by [`UpstreamSocket::flush`] and [`UpstreamSocket::next`].
    pub fn queue(&mut self, message: &SocketMessage) {
        self.codec.encode(message, &mut self.outgoing);
    }

    /// Returns whether more may be handed over.
    pub fn has_room(&self) -> bool {
        self.outgoing.len() < MOST_UNSENT
    }

    /// Writes all that was handed over.
    ///
    /// # Errors
    /// When the connection broke.
    ///
    /// # Cancel safety
    /// The rest is written by the next call.
    pub async fn flush(&mut self) -> Result<(), SocketError> {
        poll_fn(|cx| self.poll_flush(cx)).await.map_err(SocketError::from)
    }

    /// Returns the next message. Meanwhile writes what was handed over.
    ///
    /// # Errors
    /// When none can come any more.
    ///
    /// # Cancel safety
    /// Nothing is lost: the next call goes on.
    pub async fn next(&mut self) -> Result<SocketMessage, SocketError> {
        loop {
            if let Some(message) = self.next_or_room().await? {
                return Ok(message);
            }
        }
    }

    /// Returns the next message; `None` as soon as more may be handed over, if that was not so before. Meanwhile writes what was handed
    /// over.
    ///
    /// # Errors
    /// When none can come any more.
    ///
    /// # Cancel safety
    /// Nothing is lost: the next call goes on.
    pub async fn next_or_room(&mut self) -> Result<Option<SocketMessage>, SocketError> {
        let was_full = !self.has_room();
        loop {
            if let Some(message) = self.codec.decode(&mut self.incoming)? {
                return Ok(Some(message));
            }
            match poll_fn(|cx| self.poll_io(cx, was_full)).await? {
                Some(0) => return Err(SocketError::Ended),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Writes and reads. Returns how many bytes came; `None` if there is room again.
    fn poll_io(&mut self, cx: &mut Context<'_>, was_full: bool) -> Poll<io::Result<Option<usize>>> {
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        if was_full && self.has_room() {
            return Poll::Ready(Ok(None));
        }
        let mut piece = [0; READ_AT_ONCE];
        let mut piece = ReadBuf::new(&mut piece);
        std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece))?;
        self.incoming.extend_from_slice(piece.filled());
        Poll::Ready(Ok(Some(piece.filled().len())))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }
}
