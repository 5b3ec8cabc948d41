//! Both clocks as one value. Pure code receives the time, and never reads it.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// One reading of both clocks.
///
/// `mono` orders and measures inside the process; `wall` names days and survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of the monotonic clock; more than a year when the process first asked, so that what happened before a
    /// restart has a place. Never goes back.
    pub mono: u64,
    /// Milliseconds since the Unix epoch. May step in either direction.
    pub wall: i64,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Now {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => millis(since) as i64,
            Err(before) => -(millis(before.duration()) as i64),
        };
        Now { mono: Now::read_mono(), wall }
    }

    /// Reads the monotonic clock alone, as [`Now::mono`].
    pub fn read_mono() -> u64 {
        FIRST_MONO + millis(origin().elapsed())
    }

    /// The moment `mono` ms of the monotonic clock, as wall time.
    pub fn wall_at(self, mono: u64) -> i64 {
        self.wall + (mono as i64 - self.mono as i64)
    }

    /// The wall time `wall`, as the monotonic clock will read then (or 0 when that was before the start).
    pub fn mono_at(self, wall: i64) -> u64 {
        (self.mono as i64 + (wall - self.wall)).max(0) as u64
    }

    /// How long until `mono`; zero when it has passed.
    pub fn until(self, mono: u64) -> Duration {
        Duration::from_millis(mono.saturating_sub(self.mono))
    }
}

/// What the monotonic clock shows when the process first asks.
const FIRST_MONO: u64 = 400 * 86_400_000;

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// Whole milliseconds; a `u64` holds 500 million years of them.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How long the machine has been up: a clock that goes on over a restart of the process, and that nobody sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uptime {
    /// Names the machine's start.
    pub boot: String,
    /// Since then, to 10 ms.
    pub ms: u64,
}

impl Uptime {
    /// Reads it, where the system tells it (Linux).
    pub fn read() -> Option<Uptime> {
        static BOOT: OnceLock<Option<String>> = OnceLock::new();
        let boot = BOOT.get_or_init(|| std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok());
        let boot = boot.as_ref()?.trim().to_owned();
        let text = std::fs::read_to_string("/proc/uptime").ok()?;
        let (seconds, hundredths) = text.split(' ').next()?.split_once('.')?;
        let ms = seconds.parse::<u64>().ok()? * 1_000 + hundredths.parse::<u64>().ok()? * 10;
        Some(Uptime { boot, ms })
    }

    /// How long ago `earlier` was, if it was since the same start of the machine.
    pub fn since(&self, earlier: &Uptime) -> Option<Duration> {
        let passed = self.ms.checked_sub(earlier.ms)?;
        (self.boot == earlier.boot).then(|| Duration::from_millis(passed))
    }
}
