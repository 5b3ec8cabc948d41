//! Connects to the first address of a name to answer (Happy Eyeballs, RFC 8305).
//!
//! 1. The addresses alternate between IPv6 and IPv4, each family in the system's order.
//! 2. The next address is tried 250 ms after the last one, or at once when an attempt fails. The earlier attempts go on.
//! 3. The first connection wins, and the other attempts are dropped.
//! 4. The family of the last winner goes first. A network whose IPv6 leads nowhere costs 250 ms once, not each time.
//!
//! The caller bounds the whole time, and so the number of attempts.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use actix_rt::net::TcpStream;
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, ResolverService};
use awc::http::Uri;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

/// The delay between two attempts, as RFC 8305 recommends.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Resolves the name of one upstream and connects. Clones share the memory of the last winner.
#[derive(Clone)]
pub(crate) struct Dialer {
    resolver: ResolverService,
    /// Any URI with the upstream's host and port.
    host: Uri,
    last_winner: Rc<Cell<Option<SocketAddr>>>,
}

impl Dialer {
    pub(crate) fn new(resolver: ResolverService, host: Uri) -> Self {
        Dialer { resolver, host, last_winner: Rc::default() }
    }

    pub(crate) fn host_name(&self) -> &str {
        self.host.host().unwrap_or_default()
    }

    pub(crate) fn port(&self) -> u16 {
        self.host.port_u16().unwrap_or_default()
    }

    /// Makes a connection to the host.
    ///
    /// # Errors
    /// With the first attempt's error, if all fail.
    ///
    /// # Cancel safety
    /// Dropping the future drops all attempts.
    pub(crate) async fn dial(&self) -> Result<TcpStream, ConnectError> {
        self.dial_by(async |address| {
            let socket = TcpStream::connect(address).await?;
            // Else an event waits for the acknowledgement of the one before: 40 ms at the 99th percentile.
            socket.set_nodelay(true)?;
            Ok(socket)
        })
        .await
    }

    /// Does the same with another way to reach one address.
    pub(crate) async fn dial_by<T>(
        &self,
        connect: impl AsyncFn(SocketAddr) -> io::Result<T>,
    ) -> Result<T, ConnectError> {
        let mut resolved = self.resolver.call(ConnectInfo::new(self.host.clone())).await?;
        let addresses = interleaved(resolved.take_addrs().collect(), self.last_winner.get());
        let (address, connection) = first_to_connect(addresses, connect).await.map_err(ConnectError::Io)?;
        self.last_winner.set(Some(address));
        Ok(connection)
    }
}

/// Parses a URL. A configured URL is valid; for another the resolver finds no host.
pub(crate) fn parsed(url: &str) -> Uri {
    Uri::try_from(url).unwrap_or_default()
}

/// Returns a host as written without a port: an IPv6 address without brackets.
pub(crate) fn without_brackets(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Orders addresses by alternating families, beginning with the family of the last winner.
fn interleaved(addresses: Vec<SocketAddr>, last_winner: Option<SocketAddr>) -> Vec<SocketAddr> {
    let first = last_winner.or(addresses.first().copied());
    let begins_with_ipv6 = first.is_some_and(|address| address.is_ipv6());
    let total = addresses.len();
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == begins_with_ipv6);
    let mut preferred = preferred.into_iter();
    let mut other = other.into_iter();
    let mut ordered = Vec::with_capacity(total);
    while ordered.len() < total {
        ordered.extend(preferred.next());
        ordered.extend(other.next());
    }
    ordered
}

async fn first_to_connect<T>(
    addresses: Vec<SocketAddr>,
    connect: impl AsyncFn(SocketAddr) -> io::Result<T>,
) -> io::Result<(SocketAddr, T)> {
    let connect = async |address| Ok((address, connect(address).await?));
    let mut attempts = FuturesUnordered::new();
    let mut first_error = None;
    for address in addresses {
        attempts.push(connect(address));
        // Without a result in time the next attempt joins the earlier ones.
        match timeout(ATTEMPT_DELAY, attempts.next()).await {
            Ok(Some(Ok(connected))) => return Ok(connected),
            Ok(Some(Err(error))) => first_error = first_error.or(Some(error)),
            Ok(None) | Err(_) => {}
        }
    }
    while let Some(attempt) = attempts.next().await {
        match attempt {
            Ok(connected) => return Ok(connected),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    // The resolver returns at least one address, or an error.
    Err(first_error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

#[cfg(test)]
mod tests;
