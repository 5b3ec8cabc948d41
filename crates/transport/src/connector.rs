//! Resolves, connects, sets nodelay, lays TLS: the service that awc's pool calls for a new connection, and what sessions of
//! HTTP/2 are opened by.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Connector, ConnectorService, Host};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::h1::UpstreamIo;
use super::stream::Stream;

/// How long a connection is kept that has served nobody: who it was made for asks for it at once. (Whether it has ended can't be
/// seen: what lies unread on it may be a ticket for later sessions.)
const SPARE: Duration = Duration::from_secs(1);

/// The connector of one upstream.
#[derive(Clone)]
pub(crate) struct Gate {
    tcp: ConnectorService,
    tls: bool,
    /// A connection that was made to find out what the upstream speaks, and when.
    spare: Rc<RefCell<Option<(Stream, Instant)>>>,
}

/// What a connection offers to speak (ALPN).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 before HTTP/1.1.
    Http2,
}

impl Gate {
    pub(crate) fn new(tls: bool) -> Self {
        Gate { tcp: Connector::default().service(), tls, spare: Rc::default() }
    }

    /// Makes a connection, and says whether HTTP/2 was chosen for it.
    pub(crate) async fn connect(&self, target: ConnectInfo<Uri>, offer: Offer) -> Result<(Stream, bool), ConnectError> {
        let (socket, uri) = self.tcp.call(target).await?.into_parts();
        // Without it an event waits for the acknowledgement of the one before: 40 ms at the 99th percentile.
        socket.set_nodelay(true).map_err(ConnectError::Io)?;
        if !self.tls {
            return Ok((Stream::Plain(socket), false));
        }
        let connector = TlsConnector::from(tls_config(offer).map_err(ConnectError::Io)?);
        let name = server_name(uri.hostname()).map_err(ConnectError::Io)?;
        let session = connector.connect(name, socket).await.map_err(ConnectError::Io)?;
        let chose_http2 = session.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((Stream::Tls(Box::new(session)), chose_http2))
    }

    /// Keeps a connection of HTTP/1.1 for who asks next.
    pub(crate) fn spare(&self, stream: Stream) {
        *self.spare.borrow_mut() = Some((stream, Instant::now()));
    }

    /// The one that was kept, if it is as good as new.
    fn take_spare(&self) -> Option<Stream> {
        let (stream, since) = self.spare.take()?;
        (since.elapsed() < SPARE).then_some(stream)
    }
}

impl Service<ConnectInfo<Uri>> for Gate {
    type Response = Connection<Uri, UpstreamIo>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    actix_service::always_ready!();

    fn call(&self, target: ConnectInfo<Uri>) -> Self::Future {
        let gate = self.clone();
        Box::pin(async move {
            let uri = target.request().clone();
            let stream = match gate.take_spare() {
                Some(stream) => stream,
                None => gate.connect(target, Offer::Http1).await?.0,
            };
            Ok(Connection::new(uri, UpstreamIo::new(stream)))
        })
    }
}

fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
}

/// One for the process and each offer.
fn tls_config(offer: Offer) -> io::Result<Arc<ClientConfig>> {
    static HTTP1: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    static HTTP2: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let (kept, protocols): (_, &[&str]) = match offer {
        Offer::Http1 => (&HTTP1, &["http/1.1"]),
        Offer::Http2 => (&HTTP2, &["h2", "http/1.1"]),
    };
    if let Some(config) = kept.get() {
        return Ok(config.clone());
    }
    let mut config = verifying()?;
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(kept.get_or_init(|| Arc::new(config)).clone())
}

/// Certificates are always verified, against Mozilla's roots and those in `SSL_CERT_FILE`, where companies name their own.
fn verifying() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        let unreadable = |e| io::Error::other(format!("SSL_CERT_FILE can't be used: {e}"));
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            roots.add(certificate.map_err(unreadable)?).map_err(io::Error::other)?;
        }
    }
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
