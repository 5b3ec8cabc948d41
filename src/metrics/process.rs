//! What the system says of this process, from `/proc`. Elsewhere nothing is known.

/// Clock ticks a second in `/proc`: the same number on every Linux that this program is built for.
#[cfg(target_os = "linux")]
const TICKS: f64 = 100.0;

/// The figures of the process under Prometheus' usual names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProcessStats {
    /// User and system time.
    pub cpu_seconds: f64,
    /// In RAM.
    pub resident_bytes: u64,
    /// The address space.
    pub virtual_bytes: u64,
    /// Now.
    pub open_fds: u64,
    /// At most.
    pub max_fds: u64,
    /// Now.
    pub threads: u64,
    /// Since the Unix epoch.
    pub start_seconds: f64,
}

impl ProcessStats {
    /// Reads the figures; `None` where the system does not tell. Reads files, so no worker's thread should wait for it.
    #[cfg(target_os = "linux")]
    pub fn read() -> Option<ProcessStats> {
        use std::fs::{read_dir, read_to_string};

        let stat = read_to_string("/proc/self/stat").ok()?;
        // The name of the program stands in parentheses, and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // The third field of the page for `proc(5)` is the first behind the name.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let status = read_to_string("/proc/self/status").ok()?;
        let booted = read_to_string("/proc/stat").ok()?;
        let limits = read_to_string("/proc/self/limits").ok()?;
        Some(ProcessStats {
            cpu_seconds: (field(14)? + field(15)?) as f64 / TICKS,
            resident_bytes: after(&status, "VmRSS:")? << 10,
            virtual_bytes: field(23)?,
            open_fds: read_dir("/proc/self/fd").ok()?.count() as u64,
            max_fds: after(&limits, "Max open files").unwrap_or(u64::MAX),
            threads: field(20)?,
            start_seconds: after(&booted, "btime")? as f64 + field(22)? as f64 / TICKS,
        })
    }

    /// Returns `None`: the system does not tell.
    #[cfg(not(target_os = "linux"))]
    pub fn read() -> Option<ProcessStats> {
        None
    }
}

/// Returns the number behind the first of these words at the begin of a line.
#[cfg(target_os = "linux")]
fn after(text: &str, words: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(words))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_of_this_process() {
        let stats = ProcessStats::read().expect("Linux tells");
        assert!(stats.resident_bytes > 1 << 20 && stats.virtual_bytes >= stats.resident_bytes, "{stats:?}");
        assert!(stats.open_fds >= 3 && stats.max_fds >= stats.open_fds && stats.threads >= 1, "{stats:?}");
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs_f64();
        assert!(stats.start_seconds <= now + 1.0 && stats.start_seconds > now - 86_400.0, "{stats:?}, {now}");
    }
}
