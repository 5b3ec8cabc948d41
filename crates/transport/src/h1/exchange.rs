//! One exchange over HTTP/1.1: actix-http's codec over a connection of ours.
//!
//! awc's own exchange makes a codec with a clock of its own for each request: a task and a timer, which are thrown away with
//! the response. Here all codecs of a thread share one clock. A large body is written as it lies, without a copy.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_codec::{Decoder, Encoder};
use actix_http::body::BodySize;
use actix_http::h1::{ClientCodec, Message, MessageType};
use actix_http::{Payload, RequestHead, RequestHeadType, ResponseHead, ServiceConfig};
use awc::error::{ConnectError, SendRequestError};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::idle::IdleConnections;
use super::io::UpstreamIo;
use super::response_body::Http1Body;
use crate::client::{IncomingHead, IncomingResponse, OutgoingBody};
use crate::connector::Connector;
use crate::error::connect_error;
use crate::trace::ExchangeTrace;

/// The room for a request's head and a short body (bytes). More room is made where a head needs more.
const FIRST_WRITE: usize = 2 << 10;

/// Up to this size (bytes) a body is written in one piece with the head: a copy costs less than another call of the system.
const LARGEST_COPY: usize = 16 << 10;

thread_local! {
    /// The codecs' clock. (Only servers' codecs read it.)
    static CODEC_CONFIG: ServiceConfig = ServiceConfig::default();
}

/// HTTP/1.1 to one upstream.
pub(crate) struct Http1 {
    connector: Connector,
    connect_timeout: Duration,
    idle: IdleConnections,
}

impl Http1 {
    pub(crate) fn new(connector: Connector, connect_timeout: Duration) -> Self {
        Http1 { connector, connect_timeout, idle: IdleConnections::default() }
    }

    /// Sends a request over an idle connection or a new one, and waits for the head of the response.
    ///
    /// # Errors
    /// When no head came.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub(crate) async fn send(
        &self,
        head: RequestHead,
        body: OutgoingBody,
        trace: &ExchangeTrace,
    ) -> Result<IncomingResponse, SendRequestError> {
        let mut io = match self.idle.take().await {
            Some(io) => io,
            None => self.connect().await?,
        };
        io.begin(trace.clone());
        let mut codec = ClientCodec::new(CODEC_CONFIG.with(ServiceConfig::clone));
        write_request(&mut io, &mut codec, head, body).await?;
        let mut bytes = BytesMut::new();
        let head = read_head(&mut io, &mut codec, &mut bytes).await?;
        io.end();
        Ok(IncomingResponse { body: self.body(io, codec, bytes), head: IncomingHead::Http1(head) })
    }

    async fn connect(&self) -> Result<UpstreamIo, SendRequestError> {
        let made = timeout(self.connect_timeout, self.connector.connect_http1()).await;
        let made = made.map_or(Err(ConnectError::Timeout), |made| made.map_err(connect_error));
        Ok(UpstreamIo::new(made.map_err(SendRequestError::Connect)?))
    }

    /// Returns the body behind a head. The connection is kept after the body.
    fn body(&self, io: UpstreamIo, codec: ClientCodec, bytes: BytesMut) -> Payload {
        match codec.message_type() {
            MessageType::None => {
                if codec.keep_alive() {
                    self.idle.put(io);
                }
                Payload::None
            }
            MessageType::Payload | MessageType::Stream => {
                let body = Http1Body::new(io, codec.into_payload_codec(), bytes, self.idle.clone());
                Payload::Stream { payload: Box::pin(body) }
            }
        }
    }
}

async fn write_request(
    io: &mut UpstreamIo,
    codec: &mut ClientCodec,
    head: RequestHead,
    body: OutgoingBody,
) -> Result<(), SendRequestError> {
    // Where a body is usual, its length is told even if there is none: some servers refuse a request without.
    let is_body_usual = matches!(head.method.as_str(), "POST" | "PUT" | "PATCH");
    let size = match &body {
        OutgoingBody::Bytes(body) if body.is_empty() && !is_body_usual => BodySize::None,
        OutgoingBody::Bytes(body) => BodySize::Sized(body.len() as u64),
        OutgoingBody::Stream(length, _) => BodySize::Sized(*length),
    };
    let mut bytes = BytesMut::with_capacity(FIRST_WRITE);
    let head = Message::Item((RequestHeadType::Owned(head), size));
    codec.encode(head, &mut bytes).map_err(SendRequestError::Send)?;
    let written = match body {
        OutgoingBody::Bytes(body) => write_bytes(io, bytes, body).await,
        OutgoingBody::Stream(length, mut pieces) => {
            io.write_all(&bytes).await.map_err(SendRequestError::Send)?;
            let mut left = length;
            while let Some(piece) = pieces.next().await {
                let piece = piece.map_err(|error| SendRequestError::Body(error.into()))?;
                let counted = piece.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(&piece);
                io.write_all(counted).await.map_err(SendRequestError::Send)?;
                left -= counted.len() as u64;
            }
            if left == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        }
    };
    written.map_err(SendRequestError::Send)?;
    io.flush().await.map_err(SendRequestError::Send)
}

async fn write_bytes(io: &mut UpstreamIo, mut head: BytesMut, body: Bytes) -> io::Result<()> {
    if body.len() <= LARGEST_COPY {
        head.extend_from_slice(&body);
        return io.write_all(&head).await;
    }
    io.write_all(&head).await?;
    io.write_all(&body).await
}

async fn read_head(
    io: &mut UpstreamIo,
    codec: &mut ClientCodec,
    bytes: &mut BytesMut,
) -> Result<ResponseHead, SendRequestError> {
    loop {
        if let Some(head) = codec.decode(bytes).map_err(SendRequestError::Response)? {
            return Ok(head);
        }
        if poll_fn(|cx| poll_read(io, bytes, cx)).await.map_err(SendRequestError::Send)? == 0 {
            return Err(SendRequestError::Connect(ConnectError::Disconnected));
        }
    }
}

/// Reads on. Returns how many bytes came: none at the end.
pub(super) fn poll_read(io: &mut UpstreamIo, bytes: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    /// How much is read at once, at least (bytes).
    const ROOM: usize = 4 << 10;
    bytes.reserve(ROOM);
    let read = pin!(io.read_buf(bytes));
    Poll::Ready(ready!(read.poll(cx)))
}

#[cfg(test)]
mod tests;
