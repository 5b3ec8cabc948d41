//! Why the application did not start, or ended.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use thiserror::Error;

use super::machine;
use crate::http::TlsError;
use crate::persistence::StoreError;

/// Why the application did not start, or ended.
#[derive(Debug, Error)]
pub enum AppError {
    /// The address can't be listened on.
    #[error("can't listen on {}:{port}: {why}; {}", shown_host(host), machine::listening_mend(why))]
    Listen {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// What the system said.
        why: io::Error,
    },
    /// The data folder can't be used.
    #[error("{}: {why}", std::path::absolute(folder).unwrap_or_else(|_| folder.clone()).display())]
    Store {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        why: StoreError,
    },
    /// The store of several servers can't be used.
    #[error("{0}")]
    SharedStore(StoreError),
    /// The server's certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The certificates to trust at upstreams can't be used.
    #[error(transparent)]
    Trust(#[from] transport::TrustError),
    /// The server ended by itself.
    #[error("the server ended: {0}")]
    Server(#[from] io::Error),
    /// An actor that nothing works without has ended.
    #[error("the {0} ended, which is a defect of this program")]
    CoreActorEnded(&'static str),
}

/// Returns a host for an error's text. A name without an address may be a key in the wrong place.
fn shown_host(host: &str) -> &str {
    if host == "localhost" || host.parse::<IpAddr>().is_ok() { host } else { "the configured host" }
}
