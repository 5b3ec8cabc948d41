//! How TLS is spoken to upstreams.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What a connection offers to speak (ALPN).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpn {
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 before HTTP/1.1.
    Http2,
}

/// Returns the configuration for this offer: one for the process.
pub(crate) fn client_config(alpn: Alpn) -> io::Result<Arc<ClientConfig>> {
    static HTTP1: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    static HTTP2: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let (kept, protocols): (_, &[&str]) = match alpn {
        Alpn::Http1 => (&HTTP1, &["http/1.1"]),
        Alpn::Http2 => (&HTTP2, &["h2", "http/1.1"]),
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
