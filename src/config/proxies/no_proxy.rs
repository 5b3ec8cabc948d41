//! `NO_PROXY`: the hosts that are reached without a proxy. Pure.
//!
//! Entries are separated by commas or white space:
//! 1. `example.com` (or `.example.com`, `*.example.com`) is the host and every host below.
//! 2. `10.0.0.1` and `fd00::1` are addresses, `10.0.0.0/8` and `fd00::/8` all addresses of a block. Names are not resolved.
//! 3. A port behind a host or an address (`example.com:8443`, `[::1]:8443`) bounds the entry to this port.
//! 4. `*` is every host.

use std::net::IpAddr;

use url::{Host, Url};

/// The hosts without a proxy.
#[derive(Debug, Default)]
pub(super) struct NoProxy(Vec<NoProxyEntry>);

#[derive(Debug)]
struct NoProxyEntry {
    hosts: NoProxyHosts,
    port: Option<u16>,
}

#[derive(Debug)]
enum NoProxyHosts {
    All,
    /// A name in lower case, with all names below.
    Domain(String),
    /// An address, and how many of the first bits count.
    Block(IpAddr, u32),
}

impl NoProxy {
    /// Reads the list. An entry that is none of the forms is taken as a name.
    pub(super) fn parse(list: &str) -> Self {
        let words = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
        NoProxy(words.map(NoProxyEntry::parse).collect())
    }

    /// Returns whether the address is reached without a proxy.
    pub(super) fn contains(&self, to: &Url) -> bool {
        let port = to.port_or_known_default();
        self.0.iter().any(|entry| {
            let is_host = to.host().is_some_and(|host| entry.hosts.contains(host));
            is_host && (entry.port.is_none() || entry.port == port)
        })
    }
}

impl NoProxyEntry {
    fn parse(word: &str) -> NoProxyEntry {
        let (host, port) = match word.rsplit_once(':').map(|(host, port)| (host, port.parse().ok())) {
            // The last group of an address of IPv6 without brackets is no port.
            Some((host, Some(port))) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            Some(_) | None => (word, None),
        };
        NoProxyEntry { hosts: NoProxyHosts::parse(host), port }
    }
}

impl NoProxyHosts {
    fn parse(host: &str) -> NoProxyHosts {
        if host == "*" {
            return NoProxyHosts::All;
        }
        let (address, bits) = host.split_once('/').map_or((host, None), |(address, bits)| (address, Some(bits)));
        let address = address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
        let bits = address.and_then(|ip| bits.map_or(Some(width(ip)), |bits| bits.parse().ok()));
        match (address, bits) {
            (Some(ip), Some(bits)) if bits <= width(ip) => NoProxyHosts::Block(ip, bits),
            (Some(_) | None, _) => {
                let name = host.strip_prefix('*').unwrap_or(host).trim_matches('.');
                NoProxyHosts::Domain(name.to_ascii_lowercase())
            }
        }
    }

    fn contains(&self, host: Host<&str>) -> bool {
        match (self, host) {
            (NoProxyHosts::All, _) => true,
            (NoProxyHosts::Domain(domain), Host::Domain(name)) => is_below(name.trim_end_matches('.'), domain),
            (NoProxyHosts::Block(block, bits), Host::Ipv4(ip)) => is_in_block(IpAddr::V4(ip), *block, *bits),
            (NoProxyHosts::Block(block, bits), Host::Ipv6(ip)) => is_in_block(IpAddr::V6(ip), *block, *bits),
            (NoProxyHosts::Domain(_), Host::Ipv4(_) | Host::Ipv6(_)) | (NoProxyHosts::Block(..), Host::Domain(_)) => {
                false
            }
        }
    }
}

/// Returns whether a name is the domain, or below.
fn is_below(name: &str, domain: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let above = name.strip_suffix(domain);
    !domain.is_empty() && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// Returns the bits of an address.
fn width(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { u32::BITS } else { u128::BITS }
}

fn is_in_block(ip: IpAddr, block: IpAddr, bits: u32) -> bool {
    let (all, differing) = match (ip, block) {
        (IpAddr::V4(ip), IpAddr::V4(block)) => (u32::BITS, u128::from(ip.to_bits() ^ block.to_bits())),
        (IpAddr::V6(ip), IpAddr::V6(block)) => (u128::BITS, ip.to_bits() ^ block.to_bits()),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    // A shift by all bits leaves nothing of them.
    differing.checked_shr(all.saturating_sub(bits)).unwrap_or(0) == 0
}
