//! The server's own certificate: read at the start, and again when a file changes.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::config::TlsFiles;

/// How often the files are read: as often as the configuration.
const POLL: Duration = Duration::from_secs(1);

/// Why there is no certificate. Never shows what stands in a file.
#[derive(Debug, Error)]
#[error("server.tls: {}: {why}", path.display())]
pub struct TlsError {
    path: PathBuf,
    why: String,
}

/// The certificate in force.
#[derive(Debug)]
pub struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
    /// Of the files' content, as read last.
    fingerprint: AtomicU64,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file can't be read, or the key does not fit the certificate.
    pub fn load(files: &TlsFiles) -> Result<Arc<Self>, TlsError> {
        let texts = read_both(files)?;
        let current = RwLock::new(certified(files, &texts)?);
        Ok(Arc::new(Certificate { files: files.clone(), current, fingerprint: fingerprint(&texts).into() }))
    }

    /// Follows the files for ever. An unusable content leaves the old certificate in force.
    pub async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(POLL).await;
            match self.renew() {
                Ok(true) => log::info!("server.tls: a new certificate is in force"),
                Ok(false) => {}
                Err(error) => log::error!("{error}; the old certificate stays in force"),
            }
        }
    }

    /// Returns whether a new certificate is in force. A mistake is reported once.
    fn renew(&self) -> Result<bool, TlsError> {
        // While a file is being replaced, there may be none for a moment.
        let Ok(texts) = read_both(&self.files) else { return Ok(false) };
        let new = fingerprint(&texts);
        if self.fingerprint.swap(new, Ordering::Relaxed) == new {
            return Ok(false);
        }
        let key = certified(&self.files, &texts)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(true)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Returns what speaks TLS on a connection. HTTP/1.1 alone is offered: HTTP/2 would need deadlines for each of its streams,
/// and the clients of these APIs don't ask for HTTP/2.
pub(super) fn acceptor(certificate: Arc<Certificate>) -> Result<TlsAcceptor, std::io::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(std::io::Error::other)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The contents of the certificate's file and of the key's.
type PemTexts = (Vec<u8>, Vec<u8>);

fn read_both(files: &TlsFiles) -> Result<PemTexts, TlsError> {
    let read = |path: &Path| fs::read(path).map_err(|e| failed(path, format!("can't be read: {e}")));
    Ok((read(&files.cert_file)?, read(&files.key_file)?))
}

fn certified(files: &TlsFiles, (chain, key): &PemTexts) -> Result<Arc<CertifiedKey>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| failed(&files.cert_file, "holds no certificate in PEM form".to_owned()))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| failed(&files.key_file, "holds no private key in PEM form".to_owned()))?;
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider());
    certified.map(Arc::new).map_err(|e| failed(&files.key_file, format!("does not fit the certificate: {e}")))
}

fn failed(path: &Path, why: String) -> TlsError {
    TlsError { path: path.to_owned(), why }
}

fn fingerprint(texts: &PemTexts) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}
