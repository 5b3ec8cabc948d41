//! How TLS is spoken to upstreams.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;

use super::dial::without_brackets;
use super::trust::{TrustedRoots, trusted_roots};

/// What a connection offers to speak (ALPN).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpn {
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 before HTTP/1.1.
    Http2,
}

/// The configurations of the process. They share the trusted certificates.
struct Configs {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

/// Returns the process's configuration for this offer.
pub(crate) fn client_config(alpn: Alpn) -> io::Result<Arc<ClientConfig>> {
    static CONFIGS: OnceLock<Configs> = OnceLock::new();
    let configs = match CONFIGS.get() {
        Some(configs) => configs,
        None => {
            let base = verifying(trusted_roots().map_err(io::Error::other)?)?;
            CONFIGS.get_or_init(|| Configs {
                http1: offering(&base, &["http/1.1"]),
                http2: offering(&base, &["h2", "http/1.1"]),
            })
        }
    };
    Ok(match alpn {
        Alpn::Http1 => configs.http1.clone(),
        Alpn::Http2 => configs.http2.clone(),
    })
}

/// Returns the name that a host's certificate must have.
pub(crate) fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    let bare = without_brackets(host).to_owned();
    ServerName::try_from(bare).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))
}

fn offering(base: &ClientConfig, protocols: &[&str]) -> Arc<ClientConfig> {
    let mut config = base.clone();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    // Tickets of a session with one offer are not for the other.
    config.resumption = Resumption::default();
    Arc::new(config)
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
