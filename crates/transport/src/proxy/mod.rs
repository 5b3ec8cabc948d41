//! Reaches an upstream through a proxy.
//!
//! 1. Only the dialing differs: the result is a byte stream to the upstream, as from a socket. TLS with the upstream, HTTP/2,
//!    WebSockets, all deadlines and all guards are the same as without a proxy.
//! 2. An HTTP proxy is asked for a tunnel (`CONNECT`) to `http://` upstreams too. In a tunnel every status is the upstream's,
//!    and every refusal by the proxy comes before the request.
//! 3. A refusal by the proxy is a connection that could not be made. Nothing was sent to the upstream.
//! 4. No byte behind the proxy's answer is read here: such bytes belong to the upstream.
//! 5. The user and the password are in no text.

mod address;
mod dialer;
mod error;
mod http_tunnel;
mod socks;

pub use address::{Proxy, ProxyUrlError};
pub(crate) use dialer::ProxyDialer;
pub(crate) use error::ProxyError;

#[cfg(test)]
mod tests;
