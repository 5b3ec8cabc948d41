//! Makes connections: resolves the name, connects, sets nodelay, lays TLS. awc's pool calls the connector as a service, and
//! HTTP/2's pool calls [`Connector::connect`].

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::dial::Dialer;
use super::h1::UpstreamIo;
use super::stream::Stream;
use super::tls::{Alpn, client_config};

/// How long an unclaimed connection is kept. The first request claims the connection at once. A later one could not see
/// whether the connection has ended, as unread bytes may be a ticket for later TLS sessions.
const UNCLAIMED_TIMEOUT: Duration = Duration::from_secs(1);

/// The connector of one upstream.
#[derive(Clone)]
pub(crate) struct Connector {
    dialer: Dialer,
    tls: bool,
    /// A connection made to learn what the upstream speaks, and when. The upstream chose HTTP/1.1.
    unclaimed: Rc<RefCell<Option<(Stream, Instant)>>>,
}

impl Connector {
    pub(crate) fn new(dialer: Dialer, tls: bool) -> Self {
        Connector { dialer, tls, unclaimed: Rc::default() }
    }

    /// Makes a connection. Returns whether HTTP/2 was chosen, too.
    pub(crate) async fn connect(&self, alpn: Alpn) -> Result<(Stream, bool), ConnectError> {
        let socket = self.dialer.dial().await?;
        // Else an event waits for the acknowledgement of the one before: 40 ms at the 99th percentile.
        socket.set_nodelay(true).map_err(ConnectError::Io)?;
        if !self.tls {
            return Ok((Stream::Plain(socket), false));
        }
        let connector = TlsConnector::from(client_config(alpn).map_err(ConnectError::Io)?);
        let name = server_name(self.dialer.host_name()).map_err(ConnectError::Io)?;
        let session = connector.connect(name, socket).await.map_err(ConnectError::Io)?;
        let chose_http2 = session.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Stream::Tls(Box::new(session)), chose_http2))
    }

    /// Keeps a connection of HTTP/1.1 for the request behind the choice.
    pub(crate) fn keep_unclaimed(&self, stream: Stream) {
        *self.unclaimed.borrow_mut() = Some((stream, Instant::now()));
    }

    fn take_unclaimed(&self) -> Option<Stream> {
        let (stream, since) = self.unclaimed.take()?;
        (since.elapsed() < UNCLAIMED_TIMEOUT).then_some(stream)
    }
}

impl Service<ConnectInfo<Uri>> for Connector {
    type Response = Connection<Uri, UpstreamIo>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    actix_service::always_ready!();

    /// (A request's own URI has no host: see [`super::client`].)
    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let stream = match connector.take_unclaimed() {
                Some(stream) => stream,
                None => connector.connect(Alpn::Http1).await?.0,
            };
            Ok(Connection::new(request.request().clone(), UpstreamIo::new(stream)))
        })
    }
}

fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
}
