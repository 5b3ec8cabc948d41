//! Finds mistakes in variables of the environment that would otherwise have no effect and no message: the time zone, and a folder
//! of certificates. Reported at the start and by `check`, and never with a variable's value.

use std::ffi::OsString;
use std::path::Path;

use jiff::tz::TimeZone;

/// Returns a text for each problem.
pub(super) fn warnings() -> Vec<String> {
    let mut warnings = Vec::new();
    if variable("TZ").is_some() && TimeZone::try_system().is_err() {
        let mend = "give an IANA name such as Asia/Shanghai, and see that the system has the zones' data (tzdata)";
        warnings.push(format!("TZ names no time zone that is known here, so UTC is used; {mend}"));
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
