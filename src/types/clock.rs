//! Time as a value: pure code is told what time it is, it never asks.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One reading of both clocks.
///
/// `mono` orders and measures inside the process; `wall` names days and survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of the monotonic clock; three days when the process first asked, so that what happened before a
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
        Now { mono: FIRST_MONO + millis(origin().elapsed()), wall }
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
const FIRST_MONO: u64 = 3 * 86_400_000;

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// Whole milliseconds; a `u64` holds 500 million years of them.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
