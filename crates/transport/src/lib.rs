//! Sends requests to upstreams, over HTTP/2 where the upstream chooses HTTP/2 (ALPN), else over HTTP/1.1.
//! [`UpstreamClient::send`] hides the version.
//!
//! # Rules
//! 1. A worker has one [`UpstreamClient`] for each upstream, kept in the [`ClientCache`]: what one
//!    upstream does to its connections is no other's concern.
//! 2. The moment of a request's last written byte is recorded exactly ([`clock::SentAt`]), over either version.
//! 3. An ambiguous response is an error, and so is one that breaks off.
//! 4. A connection serves another request only if the end of the last response is beyond doubt.
//! 5. A request whose outcome is unknown is not sent twice by this crate; [`SendError`] says what is known.
//!
//! # Layers
//! - [`connector`] makes connections for both versions: [`dial`] resolves the name and connects, or [`proxy`] has a proxy connect;
//!   [`tls`] verifies the upstream. [`stream`] is the result.
//! - [`h1`]: HTTP/1.1 is actix-http's codec over an I/O type of ours, whose guard judges all bytes before the codec reads them. The
//!   requests and errors are awc's; its exchange and its pool are not used (see docs/decisions.md).
//! - [`h2`]: HTTP/2 is the crate h2 over the same connector.
//! - [`websocket`]: an upgraded connection, over the same connector.
//! - [`trace`]: what one exchange learned of its connection.

mod cache;
mod client;
mod connector;
mod dial;
mod error;
mod h1;
mod h2;
mod proxy;
mod stream;
#[cfg(test)]
mod testing;
mod tls;
mod trace;
mod trust;
mod websocket;

pub use cache::ClientCache;
pub use client::{IncomingHead, IncomingResponse, OutgoingBody, Target, UpstreamClient};
pub use error::{ConnectionLost, SendError, SendErrorKind, connection_lost};
pub use h1::Framing;
pub use proxy::{Proxy, ProxyUrlError};
pub use trust::{TrustError, TrustedRoots, trust_also, trusted_roots};
pub use websocket::{
    BadMessage, Handshake, HandshakeRefusal, SocketClose, SocketCodec, SocketError, SocketMessage, SocketRequest,
    UpstreamSocket, open_socket,
};
