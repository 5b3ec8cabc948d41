//! Makes connections: reaches the upstream, straight or through a proxy, and lays TLS.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix_tls::connect::{ConnectError, ResolverService};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::client::Target;
use super::dial::{Dialer, parsed};
use super::proxy::ProxyDialer;
use super::stream::Stream;
use super::tls::{Alpn, client_config, server_name};

/// How long an unclaimed connection is kept. The first request claims the connection at once. A later one could not see
/// whether the connection has ended, as unread bytes may be a ticket for later TLS sessions.
const UNCLAIMED_TIMEOUT: Duration = Duration::from_secs(1);

/// The connector of one upstream.
#[derive(Clone)]
pub(crate) struct Connector {
    way: Way,
    tls: bool,
    /// A connection made to learn what the upstream speaks, and when. The upstream chose HTTP/1.1.
    unclaimed: Rc<RefCell<Option<(Stream, Instant)>>>,
}

/// How the upstream is reached.
#[derive(Clone)]
enum Way {
    Straight(Dialer),
    Proxied(ProxyDialer),
}

impl Connector {
    /// Returns the connector of a target. The resolver finds addresses for names.
    pub(crate) fn to(target: &Target, resolver: ResolverService) -> Self {
        let host = parsed(&target.base);
        let way = match &target.proxy {
            None => Way::Straight(Dialer::new(resolver, host)),
            Some(proxy) => Way::Proxied(ProxyDialer::new(proxy.clone(), resolver, host)),
        };
        Connector { way, tls: target.tls, unclaimed: Rc::default() }
    }

    /// Makes a connection. Returns whether HTTP/2 was chosen, too.
    pub(crate) async fn connect(&self, alpn: Alpn) -> Result<(Stream, bool), ConnectError> {
        let (stream, host_name) = match &self.way {
            Way::Straight(dialer) => (Stream::Plain(dialer.dial().await?), dialer.host_name()),
            Way::Proxied(dialer) => (dialer.dial().await?, dialer.host_name()),
        };
        if !self.tls {
            return Ok((stream, false));
        }
        let connector = TlsConnector::from(client_config(alpn).map_err(ConnectError::Io)?);
        let name = server_name(host_name).map_err(ConnectError::Io)?;
        stream.over_tls(&connector, name).await.map_err(ConnectError::Io)
    }

    /// Keeps a connection of HTTP/1.1 for the request behind the choice.
    pub(crate) fn keep_unclaimed(&self, stream: Stream) {
        *self.unclaimed.borrow_mut() = Some((stream, Instant::now()));
    }

    /// Makes a connection of HTTP/1.1, or returns the unclaimed one.
    pub(crate) async fn connect_http1(&self) -> Result<Stream, ConnectError> {
        match self.take_unclaimed() {
            Some(stream) => Ok(stream),
            None => Ok(self.connect(Alpn::Http1).await?.0),
        }
    }

    fn take_unclaimed(&self) -> Option<Stream> {
        let (stream, since) = self.unclaimed.take()?;
        (since.elapsed() < UNCLAIMED_TIMEOUT).then_some(stream)
    }
}
