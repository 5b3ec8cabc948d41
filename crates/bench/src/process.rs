//! What the system knows of a process: CPU time and memory. Linux only; elsewhere nothing is known.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// Returns the processes listening at an address of this machine, or at all addresses on the port.
pub(crate) fn listening_at(address: SocketAddr) -> Vec<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let sockets: BTreeSet<String> = tables.iter().flat_map(|table| listening_sockets(table, address)).collect();
    let ids = numbered("/proc").filter(|id| {
        let open = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok()).any(|to| sockets.contains(&*to.to_string_lossy()))
    });
    if sockets.is_empty() { Vec::new() } else { ids.collect() }
}

/// Returns the sockets of a table that listen at the address, in the form of links.
fn listening_sockets(table: &str, address: SocketAddr) -> impl Iterator<Item = String> {
    const LISTENS: &str = "0A";
    // The system writes addresses in words of 32 bits, each with the lowest byte first.
    let words = |bytes: &[u8]| bytes.chunks(4).flat_map(|word| word.iter().rev()).map(|b| format!("{b:02X}")).collect();
    let here: String = match address.ip() {
        IpAddr::V4(ip) => words(&ip.octets()),
        IpAddr::V6(ip) => words(&ip.octets()),
    };
    let places = [here, "0".repeat(8), "0".repeat(32)].map(|place| format!("{place}:{:04X}", address.port()));
    table.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens =
            fields.get(3) == Some(&LISTENS) && fields.get(1).is_some_and(|local| places.iter().any(|p| p == local));
        fields.get(9).filter(|_| listens).map(|inode| format!("socket:[{inode}]"))
    })
}

/// Returns the CPU time of a process, to the nanosecond, as a sum over the threads. (The system's own sum counts in
/// steps of 10 ms.)
pub(crate) fn cpu(id: u32) -> Duration {
    let folder = format!("/proc/{id}/task");
    let of_thread = |thread: u32| {
        let text = fs::read_to_string(format!("{folder}/{thread}/schedstat")).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    numbered(&folder).filter_map(of_thread).sum()
}

/// Resident memory of a process, in bytes.
pub(crate) fn memory(id: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let resident =
        text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    resident.unwrap_or_default() << 10
}

fn numbered(folder: impl AsRef<Path>) -> impl Iterator<Item = u32> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_is_known_by_the_whole_address() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let (address, own) = (listener.local_addr().expect("bound"), std::process::id());
        assert_eq!(listening_at(address), [own]);
        let elsewhere = SocketAddr::from(([127, 0, 0, 2], address.port()));
        assert!(listening_at(elsewhere).is_empty(), "another address, the same port");
        drop(listener);
        assert!(listening_at(address).is_empty());
        let everywhere = TcpListener::bind(("0.0.0.0", 0)).and_then(|l| Ok((l.local_addr()?.port(), l)));
        let (port, _listener) = everywhere.expect("a free port");
        assert_eq!(listening_at(SocketAddr::from(([127, 0, 0, 1], port))), [own]);
    }

    #[test]
    fn its_use_of_the_machine_is_told() {
        let own = std::process::id();
        let before = cpu(own);
        while cpu(own) < before + Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        assert!(memory(own) > 1 << 20);
    }
}
