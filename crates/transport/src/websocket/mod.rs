//! WebSockets: to upstreams, and the messages of either side.
//!
//! - [`handshake`] opens one, over a connection of its own by the same [`crate::connector`] as all others: the same names,
//!   certificates and deadlines.
//! - [`socket`] is the open one: bounded in both directions, and safe to be waited for beside other things.
//! - [`messages`] puts frames together. The frames themselves are actix-http's.

mod handshake;
mod messages;
mod socket;

pub use handshake::{Handshake, HandshakeRefusal, SocketRequest, open_socket};
pub use messages::{BadMessage, SocketClose, SocketCodec, SocketMessage};
pub use socket::{SocketError, UpstreamSocket};
