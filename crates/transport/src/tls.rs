//! How TLS is spoken to upstreams.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring;

use super::trust::{TrustedRoots, trusted_roots};

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
    let mut config = verifying(trusted_roots().map_err(io::Error::other)?)?;
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(kept.get_or_init(|| Arc::new(config)).clone())
}

/// Returns a configuration with verification of each certificate.
pub(crate) fn verifying(roots: TrustedRoots) -> io::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = roots.verifier(&provider).map_err(io::Error::other)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}
