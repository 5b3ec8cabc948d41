//! What the system knows of a process: its CPU time and its memory. Linux only; elsewhere nothing is known.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The processes that listen on a port of this machine.
pub(super) fn listening_on(port: u16) -> Vec<u32> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let sockets: BTreeSet<String> = tables.iter().flat_map(|table| listening_sockets(table, port)).collect();
    let ids = numbered("/proc").filter(|id| {
        let open = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        open.filter_map(|file| fs::read_link(file.path()).ok()).any(|to| sockets.contains(&*to.to_string_lossy()))
    });
    if sockets.is_empty() { Vec::new() } else { ids.collect() }
}

/// Of a table of sockets, those that listen on a port, as links to them read.
fn listening_sockets(table: &str, port: u16) -> impl Iterator<Item = String> {
    const LISTENS: &str = "0A";
    let port = format!(":{port:04X}");
    table.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(3) == Some(&LISTENS) && fields.get(1).is_some_and(|local| local.ends_with(&port));
        fields.get(9).filter(|_| listens).map(|inode| format!("socket:[{inode}]"))
    })
}

/// CPU time of a process, to the nanosecond: that of its threads. (The one that the system keeps for the whole process counts in
/// steps of 10 ms.)
pub(super) fn cpu(id: u32) -> Duration {
    let folder = format!("/proc/{id}/task");
    let of_thread = |thread: u32| {
        let told = fs::read_to_string(format!("{folder}/{thread}/schedstat")).ok()?;
        told.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    numbered(&folder).filter_map(of_thread).sum()
}

/// Resident memory of a process, in bytes.
pub(super) fn memory(id: u32) -> u64 {
    let told = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let resident =
        told.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    resident.unwrap_or_default() << 10
}

fn numbered(folder: impl AsRef<Path>) -> impl Iterator<Item = u32> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_that_listens_is_found_and_its_use_of_the_machine_is_told() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let own = std::process::id();
        assert_eq!(listening_on(port), [own]);
        drop(listener);
        assert!(listening_on(port).is_empty());
        let before = cpu(own);
        while cpu(own) < before + Duration::from_millis(5) {
            std::hint::spin_loop();
        }
        assert!(memory(own) > 1 << 20);
    }
}
