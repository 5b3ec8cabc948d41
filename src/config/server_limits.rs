//! The limits of the server itself: how much at once, how slow a client, and how long a shutdown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::ServerFile;

/// The bounds of the server's own edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimits {
    /// Clients' connections; about half of the process's file descriptors, if none are named.
    pub max_connections: Option<usize>,
    /// Requests at the same time.
    pub max_requests: usize,
    /// Bytes of request bodies at the same time; an eighth of the machine's memory, if none are named.
    pub bodies_in_flight: Option<usize>,
    /// For a request's head to come.
    pub head_timeout: Duration,
    /// Between two pieces of a request's body; and for the whole body, with a second more for each 1,000 bytes.
    pub body_timeout: Duration,
    /// For a client to read any of the answer.
    pub write_timeout: Duration,
    /// From the wish to stop until no more connections are taken.
    pub drain_delay: Duration,
    /// For running answers to end, after the delay.
    pub shutdown_timeout: Duration,
    /// The certificate, if the server speaks TLS.
    pub tls: Option<TlsFiles>,
}

/// The files of a certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the certificate first, then the intermediate ones.
    pub cert_file: PathBuf,
    /// PEM.
    pub key_file: PathBuf,
}

impl ServerLimits {
    /// `folder` is where relative paths start from.
    pub(super) fn from_file(file: &ServerFile, folder: &Path) -> Self {
        let ms = |typed: Option<u32>, default: u32| Duration::from_millis(u64::from(typed.unwrap_or(default)));
        ServerLimits {
            max_connections: file.max_connections.map(|most| most as usize),
            max_requests: file.max_requests.unwrap_or(10_000) as usize,
            bodies_in_flight: file.bodies_in_flight_mb.map(|mb| mb as usize * 1024 * 1024),
            head_timeout: ms(file.head_timeout_ms, 10_000),
            body_timeout: ms(file.body_timeout_ms, 30_000),
            write_timeout: ms(file.write_timeout_ms, 60_000),
            drain_delay: ms(file.drain_delay_ms, 0),
            shutdown_timeout: Duration::from_secs(u64::from(file.shutdown_timeout_sec.unwrap_or(30))),
            tls: file
                .tls
                .as_ref()
                .map(|tls| TlsFiles { cert_file: folder.join(&tls.cert_file), key_file: folder.join(&tls.key_file) }),
        }
    }
}
