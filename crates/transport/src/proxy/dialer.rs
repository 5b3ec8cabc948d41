//! Connects to the proxy, and has the proxy connect to the upstream.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_tls::connect::{ConnectError, ResolverService};
use awc::http::Uri;
use tokio_rustls::TlsConnector;

use super::address::{Proxy, ProxyProtocol};
use super::error::ProxyError;
use super::{http_tunnel, socks};
use crate::dial::{Dialer, parsed};
use crate::stream::Stream;
use crate::tls::{Alpn, client_config, server_name};

/// Makes connections to one upstream through a proxy.
#[derive(Clone)]
pub(crate) struct ProxyDialer {
    proxy: Arc<Proxy>,
    to_proxy: Dialer,
    /// Resolves the upstream's name, for `socks5://` alone.
    to_upstream: Dialer,
}

/// What the proxy is to connect to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Destination<'a> {
    /// A name or an address as the configuration has them, and a port.
    Host(&'a str, u16),
    /// An address found for the name.
    Address(SocketAddr),
}

impl ProxyDialer {
    /// Returns the way to `upstream`, any URI with the upstream's host and port.
    pub(crate) fn new(proxy: Arc<Proxy>, resolver: ResolverService, upstream: Uri) -> Self {
        let host = parsed(&format!("http://{}:{}/", proxy.host, proxy.port));
        let to_proxy = Dialer::new(resolver.clone(), host);
        ProxyDialer { proxy, to_proxy, to_upstream: Dialer::new(resolver, upstream) }
    }

    pub(crate) fn host_name(&self) -> &str {
        self.to_upstream.host_name()
    }

    /// Makes a connection to the upstream. Addresses found here race as they do without a proxy.
    ///
    /// # Errors
    /// With what the proxy did instead, in words.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection to the proxy.
    pub(crate) async fn dial(&self) -> Result<Stream, ConnectError> {
        match self.proxy.protocol {
            ProxyProtocol::Socks5 => {
                self.to_upstream.dial_by(async |address| self.open(Destination::Address(address)).await).await
            }
            ProxyProtocol::Http | ProxyProtocol::Https | ProxyProtocol::Socks5h => {
                let (host, port) = (self.to_upstream.host_name(), self.to_upstream.port());
                self.open(Destination::Host(host, port)).await.map_err(ConnectError::Io)
            }
        }
    }

    async fn open(&self, to: Destination<'_>) -> io::Result<Stream> {
        let socket = self.to_proxy.dial().await.map_err(ProxyError::unreachable)?;
        let stream = Stream::Plain(socket);
        match self.proxy.protocol {
            ProxyProtocol::Http => http_tunnel::open(stream, &self.proxy, to).await,
            ProxyProtocol::Https => http_tunnel::open(self.over_tls(stream).await?, &self.proxy, to).await,
            ProxyProtocol::Socks5 | ProxyProtocol::Socks5h => socks::open(stream, &self.proxy, to).await,
        }
    }

    async fn over_tls(&self, stream: Stream) -> io::Result<Stream> {
        let connector = TlsConnector::from(client_config(Alpn::Http1)?);
        let secured = stream.over_tls(&connector, server_name(&self.proxy.host)?).await;
        secured.map(|(stream, _)| stream).map_err(|error| ProxyError::new(format!("no TLS with it ({error})")).into())
    }
}

/// `host:port`, an IPv6 address in brackets.
impl std::fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Destination::Host(host, port) => write!(f, "{host}:{port}"),
            Destination::Address(address) => address.fmt(f),
        }
    }
}
