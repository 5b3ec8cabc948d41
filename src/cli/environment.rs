//! Finds mistakes in variables of the environment that are otherwise used without a word: the time zone, and the trusted
//! certificates. Reported at the start and by `check`, and never with a variable's value.

use std::ffi::OsString;
use std::path::Path;

use jiff::tz::TimeZone;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// Returns a text for each problem.
pub(super) fn warnings() -> Vec<String> {
    let mut warnings = Vec::new();
    if variable("TZ").is_some() && TimeZone::try_system().is_err() {
        let mend = "give an IANA name such as Asia/Shanghai, and see that the system has the zones' data (tzdata)";
        warnings.push(format!("TZ names no time zone that is known here, so UTC is used; {mend}"));
    }
    if let Some(file) = variable("SSL_CERT_FILE") {
        warnings.extend(of_certificates(Path::new(&file)));
    }
    if let Some(folder) = variable("SSL_CERT_DIR") {
        let mend = "name one PEM file with SSL_CERT_FILE";
        if !Path::new(&folder).is_dir() {
            warnings.push(format!("SSL_CERT_DIR names no folder, and folders are not read; {mend}"));
        } else if variable("SSL_CERT_FILE").is_none() {
            warnings.push(format!("SSL_CERT_DIR is not used, as folders are not read; {mend}"));
        }
    }
    warnings
}

/// An empty variable counts as not set.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns what is wrong with a file of certificates to trust.
fn of_certificates(path: &Path) -> Vec<String> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(e) => return vec![format!("SSL_CERT_FILE can't be read: {e}")],
    };
    let mut warnings = Vec::new();
    let mut found = 0;
    let mut trusted = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        found += 1;
        if certificate.ok().is_none_or(|certificate| trusted.add(certificate).is_err()) {
            warnings.push(format!("SSL_CERT_FILE: certificate {found} in it can't be read, and is not trusted"));
        }
    }
    if found == 0 {
        warnings.push("SSL_CERT_FILE holds no certificate in PEM form".to_owned());
    }
    warnings
}
