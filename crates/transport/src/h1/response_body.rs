//! The body of a response over HTTP/1.1.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_codec::Decoder;
use actix_http::error::PayloadError;
use actix_http::h1::ClientPayloadCodec;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use super::exchange::poll_read;
use super::idle::IdleConnections;
use super::io::UpstreamIo;

/// A body, and the connection until the body's end. Dropping a body before the end closes the connection.
pub(super) struct Http1Body {
    reading: Option<ReadingBody>,
    /// Where the connection goes at the end.
    idle: IdleConnections,
}

struct ReadingBody {
    io: UpstreamIo,
    codec: ClientPayloadCodec,
    /// The bytes that are read and not decoded.
    bytes: BytesMut,
    /// May the codec find another piece in the bytes, or the end?
    may_decode: bool,
}

impl Http1Body {
    pub(super) fn new(io: UpstreamIo, codec: ClientPayloadCodec, bytes: BytesMut, idle: IdleConnections) -> Self {
        Http1Body { reading: Some(ReadingBody { io, codec, bytes, may_decode: true }), idle }
    }
}

impl ReadingBody {
    /// Returns the next piece; `None` at the end that the codec sees, and at the connection's, which the guard allowed.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, PayloadError>> {
        loop {
            if self.may_decode {
                if let Some(piece) = self.codec.decode(&mut self.bytes)? {
                    return Poll::Ready(Ok(piece));
                }
                self.may_decode = false;
            }
            if ready!(poll_read(&mut self.io, &mut self.bytes, cx))? == 0 {
                return Poll::Ready(Ok(None));
            }
            self.may_decode = true;
        }
    }
}

impl Stream for Http1Body {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let piece = ready!(reading.poll_piece(cx));
        if let Ok(Some(piece)) = piece {
            return Poll::Ready(Some(Ok(piece)));
        }
        let over = self.reading.take();
        if let Some(over) = over.filter(|over| piece.is_ok() && over.codec.keep_alive()) {
            self.idle.put(over.io);
        }
        Poll::Ready(piece.err().map(Err))
    }
}
