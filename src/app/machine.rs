//! What the machine gives the process: descriptors, memory, sockets, and the privacy of files.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;

use crate::config::ServerLimits;

/// The memory of a machine without `/proc/meminfo`, in bytes.
const MEMORY_UNKNOWN: u64 = 4 << 30;

/// The share of the machine's memory for bodies. A body counts once, and is there twice while on the way upstream.
const BODIES_SHARE: u64 = 8;

/// Files that are always open: the store, the log, listeners, the runtime's own.
const OWN_FILES: u64 = 48;

/// Clients' connections, where the process may open more files than anybody needs.
const MOST_CONNECTIONS: u64 = 25_000;

/// Makes new files private to their owner: counts and statistics show what keys are used for, and how much.
pub fn keep_files_private() {
    #[cfg(unix)]
    {
        use rustix::fs::Mode;
        rustix::process::umask(Mode::RWXG | Mode::RWXO);
    }
}

/// Asks for as many open files as the process may have. Returns the number, if there is a limit.
pub fn open_files() -> Option<u64> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        if raised.is_ok() { maximum } else { current }
    }
    #[cfg(not(unix))]
    None
}

/// Connections in the listen backlog; the system may have a lower bound. The default of std is 128, and a client tries
/// again after a second when the backlog is full.
#[cfg(unix)]
const QUEUE: i32 = 1_024;

/// How much of an answer the system buffers for a client, in bytes. Its own default is 4 MB for each slow client. A smaller
/// buffer shows sooner whether the client reads: the system reports room when a third is free.
#[cfg(unix)]
const SEND_BUFFER: usize = 256 << 10;

/// Listens for many clients. `localhost` is both loopback addresses, as a client may resolve the name to either.
pub(super) fn listen(host: &str, port: u16) -> io::Result<Vec<TcpListener>> {
    let listeners = if host == "localhost" { both_loopbacks(port)? } else { vec![TcpListener::bind((host, port))?] };
    listeners.iter().for_each(prepare);
    Ok(listeners)
}

/// Returns what to do about an address that can't be listened on.
pub(super) fn listening_mend(why: &io::Error) -> &'static str {
    if why.kind() == io::ErrorKind::PermissionDenied {
        "ports below 1024 need root or the right to use them (setcap cap_net_bind_service=+ep, AmbientCapabilities in systemd); \
         choose another with --port"
    } else if why.kind() == io::ErrorKind::AddrNotAvailable {
        "this machine has no such address; choose one of its own with --host, or 0.0.0.0 for all"
    } else {
        "choose another with --port ($PORT, server.port) or --host ($HOST, server.host)"
    }
}

fn both_loopbacks(port: u16) -> io::Result<Vec<TcpListener>> {
    let v4 = TcpListener::bind(("127.0.0.1", port))?;
    match TcpListener::bind(("::1", v4.local_addr()?.port())) {
        Ok(v6) => Ok(vec![v4, v6]),
        // A machine without IPv6 has one loopback address; a taken port is taken.
        Err(why) if why.kind() == io::ErrorKind::AddrInUse => Err(why),
        Err(_) => Ok(vec![v4]),
    }
}

/// Prepares a listener for many clients, some of them slow. Connections inherit the buffer.
fn prepare(listener: &TcpListener) {
    #[cfg(unix)]
    {
        use rustix::net::{listen, sockopt};
        // A system that refuses serves with the defaults.
        let _ = listen(listener, QUEUE);
        let _ = sockopt::set_socket_send_buffer_size(listener, SEND_BUFFER);
    }
    #[cfg(not(unix))]
    let _ = listener;
}

/// Returns the memory of the machine, or of the container if less, in bytes.
fn memory() -> u64 {
    let total = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_of(&text)).unwrap_or(MEMORY_UNKNOWN);
    cgroup_files().iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).fold(total, u64::min)
}

/// Returns how much the bodies of all requests under way may take together, in bytes.
pub(super) fn bodies_in_flight() -> usize {
    usize::try_from(memory() / BODIES_SHARE).unwrap_or(usize::MAX)
}

/// Returns the configured number, or half of the files that may be open. The other half is for as many upstream connections,
/// and for clients who get a 503.
pub(super) fn max_connections(limits: &ServerLimits) -> usize {
    let half = |files: u64| (files.saturating_sub(OWN_FILES) * 8 / 17).clamp(1, MOST_CONNECTIONS);
    let files = open_files().map_or(MOST_CONNECTIONS, half);
    limits.max_connections.or_else(|| usize::try_from(files).ok()).unwrap_or(usize::MAX)
}

/// `MemTotal:       24683764 kB`
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

/// Where a bound may stand: of the second version or the first, seen from inside a container or from outside.
fn cgroup_files() -> Vec<PathBuf> {
    let root = PathBuf::from("/sys/fs/cgroup");
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    vec![root.join("memory.max"), root.join(own).join("memory.max"), root.join("memory/memory.limit_in_bytes")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_memory() {
        assert_eq!(total_of("MemTotal:       24683764 kB\nMemFree: 1 kB\n"), Some(24_683_764 << 10));
        assert!(memory() > 64 << 20);
    }
}
