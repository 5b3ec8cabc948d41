//! Which certificates of upstreams are trusted: Mozilla's roots, and the certificates in `SSL_CERT_FILE`.
//!
//! 1. A certificate of an upstream passes if a trusted certificate has signed it, directly or through others.
//! 2. A certificate equal to one in the file passes as well, by any signer: a self-signed one, mostly. webpki alone would
//!    refuse a certificate with the right to sign others (`CaUsedAsEndEntity`).
//! 3. In either case the certificate must name the host, and the dates must be valid now.
//! 4. A bad certificate in the file does not spoil the others. Problems are reported at the start.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{
    VerifierBuilderError, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Names the file with certificates to trust beside Mozilla's.
const VARIABLE: &str = "SSL_CERT_FILE";

/// The certificates to trust.
#[derive(Debug)]
pub struct TrustedRoots {
    roots: RootCertStore,
    /// The certificates in the file.
    own: Vec<CertificateDer<'static>>,
    problems: Vec<String>,
}

/// Why the file of certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file can't be read.
    #[error("{VARIABLE}: {} can't be read ({error})", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// No certificate in the file can be trusted.
    #[error("{VARIABLE}: {} has no certificate that can be trusted", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// Returns Mozilla's roots, and the certificates in the file named by `SSL_CERT_FILE`, if any.
///
/// # Errors
/// When the file can't be used at all. [`TrustedRoots::problems`] lists single certificates.
pub fn trusted_roots() -> Result<TrustedRoots, TrustError> {
    let path = std::env::var_os(VARIABLE).filter(|path: &OsString| !path.is_empty()).map(PathBuf::from);
    let mut trusted = TrustedRoots::read(path.as_deref())?;
    for certificate in ALSO.get().into_iter().flat_map(CertificateDer::pem_file_iter).flatten() {
        // What can't be trusted shows itself at the connection.
        let _ = trusted.add(certificate);
    }
    Ok(trusted)
}

/// A file of certificates that this process trusts beside all others.
static ALSO: OnceLock<PathBuf> = OnceLock::new();

/// Trusts the certificates of one more file: a command's that asks the server of its own configuration. The first file counts, and
/// only before the first connection over TLS.
pub fn trust_also(file: &Path) {
    ALSO.get_or_init(|| file.to_owned());
}

impl TrustedRoots {
    /// Returns a line for each kind of problem with certificates in the file. (A system's bundle may have many expired ones.)
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    fn read(path: Option<&Path>) -> Result<TrustedRoots, TrustError> {
        let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let mut trusted = TrustedRoots { roots, own: Vec::new(), problems: Vec::new() };
        let Some(path) = path else { return Ok(trusted) };
        let unreadable = |error| TrustError::Unreadable { path: path.to_owned(), error };
        let text = std::fs::read(path).map_err(unreadable)?;
        let mut refused = BTreeMap::<String, Vec<String>>::new();
        for (nth, certificate) in (1..).zip(CertificateDer::pem_slice_iter(&text)) {
            if let Err(reason) = trusted.add(certificate) {
                refused.entry(reason).or_default().push(nth.to_string());
            }
        }
        for (reason, numbers) in refused {
            let numbers = numbers.join(", ");
            trusted.problems.push(format!("{VARIABLE}: {}: certificate {numbers}: {reason}", path.display()));
        }
        if trusted.own.is_empty() {
            return Err(TrustError::Empty { path: path.to_owned() });
        }
        Ok(trusted)
    }

    fn add(&mut self, certificate: Result<CertificateDer<'static>, pem::Error>) -> Result<(), String> {
        // The parser's own words would quote the file, and the file may hold a key.
        let certificate = certificate.map_err(|_| "damaged".to_owned())?;
        self.roots.add(certificate.clone()).map_err(|error| error.to_string())?;
        // An older certificate (version 1) can sign others, but not stand for an upstream: no dates to check here.
        let checked =
            ParsedCertificate::try_from(&certificate).map_or(Ok(()), |own| check_alone(&own, UnixTime::now()));
        self.own.push(certificate);
        checked.map_err(|error| reason(&error))
    }

    /// Returns the verifier of upstreams' certificates by these roots.
    pub(crate) fn verifier(
        self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, VerifierBuilderError> {
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots), provider.clone());
        Ok(Arc::new(UpstreamVerifier { webpki: builder.build()?, own: self.own }))
    }
}

/// Verifies upstreams' certificates.
#[derive(Debug)]
struct UpstreamVerifier {
    webpki: Arc<WebPkiServerVerifier>,
    /// The certificates in the file.
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for UpstreamVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        if verified.is_ok() || !self.own.contains(end_entity) {
            return verified;
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        check_alone(&certificate, now)?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Checks a certificate by itself, the dates above all, without its signer.
///
/// webpki checks the dates first, then the right to sign others, then the issuer. So an error for either of the latter means
/// valid dates.
fn check_alone(certificate: &ParsedCertificate<'_>, now: UnixTime) -> Result<(), Error> {
    let roots = RootCertStore::empty();
    match verify_server_cert_signed_by_trust_anchor(certificate, &roots, &[], now, &[]) {
        Ok(()) | Err(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))) => Ok(()),
        Err(error) => Err(error),
    }
}

fn reason(error: &Error) -> String {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    if matches!(error, Error::InvalidCertificate(Expired | ExpiredContext { .. })) {
        "expired".to_owned()
    } else if matches!(error, Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. })) {
        "not valid yet".to_owned()
    } else {
        error.to_string()
    }
}

#[cfg(test)]
mod tests;
