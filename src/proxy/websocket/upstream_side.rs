//! The upstream's side of a connection.
//!
//! An upstream that sends nothing for [`PING_EVERY`] is pinged. Without a sign of life for [`LOST_AFTER`] the connection is lost.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use tokio::time::{Instant, timeout, timeout_at};
use transport::{
    Handshake, HandshakeRefusal, SendError, SocketClose, SocketError, SocketMessage, SocketRequest, UpstreamSocket,
    open_socket,
};

use super::ending::{code, sendable};
use crate::dialect::redact::redacted;
use crate::mailbox::spawn;
use crate::proxy::headers::{self, Header};
use crate::proxy::pool::target::target_of;
use crate::types::RouteId;
use crate::upstream::{AskedPath, Endpoint};

/// The largest message of an upstream, in bytes. An event can hold a whole image in base64.
pub(super) const LARGEST_MESSAGE: usize = 32 << 20;

/// After so long a silence the upstream is pinged.
const PING_EVERY: Duration = Duration::from_secs(30);

/// Without a sign of life for so long, the connection is lost.
const LOST_AFTER: Duration = Duration::from_secs(90);

/// How long an upstream may take to answer a close.
const REST_WITHIN: Duration = Duration::from_millis(500);

/// How long a close may take to be written.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// An open connection to the chosen upstream.
pub(super) struct UpstreamSide {
    pub(super) endpoint: Arc<Endpoint>,
    socket: Box<UpstreamSocket>,
    heard_at: Instant,
    pinged_at: Instant,
}

/// What is asked for in a handshake.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) route: RouteId,
    /// Without a question mark.
    pub(super) query: &'a str,
    /// The client's.
    pub(super) headers: &'a [Header],
}

impl Opening<'_> {
    /// Returns a handshake in which nothing is a client's.
    pub(super) fn bare(route: RouteId) -> Self {
        Opening { route, query: "", headers: &[] }
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// The upstream has no address for this format.
    NoAddress,
    /// No answer came.
    Failed(SendError),
    /// The upstream answered without an upgrade.
    Refused(HandshakeRefusal),
}

/// What comes from an upstream.
#[derive(Debug)]
pub(super) enum FromUpstream {
    /// A text or bytes, without the upstream's key.
    Data(SocketMessage),
    /// The upstream ends the connection.
    Closed(SocketClose),
    /// The connection is lost: why.
    Lost(String),
}

impl UpstreamSide {
    /// Opens a connection. The time to connect has a bound; the caller bounds the whole.
    pub(super) async fn open(
        endpoint: &Arc<Endpoint>,
        Opening { route, query, headers: client }: Opening<'_>,
    ) -> Result<Self, NotOpened> {
        let Some(reach) = endpoint.reach(route.format()) else { return Err(NotOpened::NoAddress) };
        let path = reach.place(AskedPath { path: route.path(), query, model: "" });
        let mut sent = HeaderMap::new();
        headers::set_request_headers(&mut sent, client, endpoint);
        // A handshake has no body.
        sent.remove(header::CONTENT_TYPE);
        let request = SocketRequest { path: &path, headers: &sent, largest_message: LARGEST_MESSAGE };
        let mut target = target_of(endpoint, reach);
        if sent.contains_key(header::AUTHORIZATION) {
            // The secret of a session goes up in the place of the account's key.
            target.headers.retain(|(name, _)| !["authorization", "x-api-key", "api-key"].contains(&name.as_str()));
        }
        let socket = match open_socket(&target, request).await {
            Ok(Handshake::Open(socket)) => socket,
            Ok(Handshake::Refused(refusal)) => return Err(NotOpened::Refused(refusal)),
            Err(error) => return Err(NotOpened::Failed(error)),
        };
        let now = Instant::now();
        Ok(UpstreamSide { endpoint: endpoint.clone(), socket, heard_at: now, pinged_at: now })
    }

    /// Hands a message over, to be written beside other things.
    pub(super) fn queue(&mut self, message: &SocketMessage) {
        self.socket.queue(message);
    }

    /// Returns whether more may be handed over.
    pub(super) fn has_room(&self) -> bool {
        self.socket.has_room()
    }

    /// Writes all that was handed over.
    pub(super) async fn flush(&mut self) -> Result<(), SocketError> {
        self.socket.flush().await
    }

    /// Returns what comes next.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&mut self) -> FromUpstream {
        loop {
            if let Some(message) = self.next_or_room().await {
                return message;
            }
        }
    }

    /// Returns what comes next; `None` as soon as more may be handed over, if that was not so before.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next_or_room(&mut self) -> Option<FromUpstream> {
        loop {
            let ping_at = self.heard_at.max(self.pinged_at) + PING_EVERY;
            let message = match timeout_at(ping_at, self.socket.next_or_room()).await {
                Ok(Ok(Some(message))) => message,
                Ok(Ok(None)) => return None,
                Ok(Err(error)) => return Some(FromUpstream::Lost(error.to_string())),
                Err(_) if self.heard_at.elapsed() >= LOST_AFTER => {
                    return Some(FromUpstream::Lost("no pong came".to_owned()));
                }
                Err(_) => {
                    self.pinged_at = Instant::now();
                    self.queue(&SocketMessage::Ping(Bytes::new()));
                    continue;
                }
            };
            self.heard_at = Instant::now();
            let key = &self.endpoint.key;
            match message {
                SocketMessage::Text(text) => return Some(FromUpstream::Data(SocketMessage::Text(redacted(text, key)))),
                SocketMessage::Binary(bytes) => {
                    return Some(FromUpstream::Data(SocketMessage::Binary(redacted(bytes, key))));
                }
                SocketMessage::Ping(bytes) => self.queue(&SocketMessage::Pong(bytes)),
                SocketMessage::Pong(_) => {}
                SocketMessage::Close(close) => {
                    let mut close = sendable(close);
                    let reason = redacted(std::mem::take(&mut close.reason).into(), key);
                    let close = SocketClose::new(close.code, &String::from_utf8_lossy(&reason));
                    return Some(FromUpstream::Closed(close));
                }
            }
        }
    }

    /// Ends the connection.
    pub(super) async fn close(mut self, close: SocketClose) {
        self.queue(&SocketMessage::Close(Some(close)));
        // An upstream that reads nothing finds the end of the connection instead.
        if let Ok(Ok(())) = timeout(CLOSE_WITHIN, self.flush()).await {
            // Dropped with unread data, the connection would be reset, and what was written last could be lost.
            spawn(async move {
                let rest = async { while let FromUpstream::Data(_) = self.next().await {} };
                let _ = timeout(REST_WITHIN, rest).await;
            });
        }
    }

    /// Returns the close for an upstream that is left for another.
    pub(super) fn not_needed() -> SocketClose {
        SocketClose::new(code::NORMAL, "")
    }
}
