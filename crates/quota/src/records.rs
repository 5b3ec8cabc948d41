//! The counts of a quota, in the form for a store, and the answers of a store: plain values.

use clock::{Now, Uptime};
use serde::{Deserialize, Serialize};

use crate::limits::QuotaKind;

/// What a quota has counted of one kind of unit, requests or tokens, at one moment. The field names are the format on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRecord {
    /// The beginning of the day (or of another period) of `used_today`, in ms since the Unix epoch.
    pub day_start: i64,
    /// The end of the day; 0 where the period is rolling.
    pub day_end: i64,
    /// Units since `day_start`.
    pub used_today: u64,
    /// The part of `used_today` to count in the next period again: an overshoot.
    pub carried: u64,
    /// Units of the period, where it is rolling: (ms since the Unix epoch, how many).
    pub day_log: Vec<(i64, u64)>,
    /// Units of the last minute: (ms since the Unix epoch, how many).
    pub log: Vec<(i64, u64)>,
    /// Units for use without another record, and units reserved for attempts under way. After a crash all
    /// count as used.
    pub granted: u64,
}

/// What a quota has counted at one moment. The field names are the format on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRecord {
    /// Requests.
    pub requests: CountRecord,
    /// Tokens, or nano-dollars in a quota of money.
    pub tokens: CountRecord,
    /// The largest wall time seen, in ms since the Unix epoch.
    pub newest_wall: i64,
    /// The wall time of this record, in ms since the Unix epoch.
    pub saved_wall: i64,
    /// The uptime of the machine at `saved_wall`.
    pub uptime: Option<Uptime>,
    /// Of a shared quota: the epoch of the store at the time of these counts, which are of all servers.
    #[serde(default)]
    pub epoch: Option<String>,
}

impl QuotaRecord {
    /// Returns the record with the machine's uptime, a clock nobody sets.
    pub fn marked(self, uptime: Option<Uptime>) -> Self {
        QuotaRecord { uptime, ..self }
    }

    /// Returns the record with the times of today's wall clock. After somebody set the clock, all ages would be wrong.
    /// Without an uptime nothing says how much time has passed. Then a wall clock behind the record's means none.
    pub fn by_the_clock_of(mut self, now: Now, uptime: Option<&Uptime>) -> Self {
        let since = now.wall - self.saved_wall;
        let passed = self.uptime.as_ref().zip(uptime).and_then(|(then, now)| now.since(then));
        let set_by = passed.map_or(since.min(0), |passed| since - passed.as_millis() as i64);
        for counts in [&mut self.requests, &mut self.tokens] {
            counts.log.iter_mut().chain(&mut counts.day_log).for_each(|(wall, _)| *wall += set_by);
        }
        self
    }
}

/// An amount of each kind of unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Units {
    /// Requests.
    pub requests: u64,
    /// Tokens or nano-dollars.
    pub tokens: u64,
    /// Requests at the same time.
    pub slots: u32,
}

/// Units of one kind in the last minute and in the period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WindowUsage {
    /// In the last minute.
    pub minute: u64,
    /// In the day, or in another period.
    pub day: u64,
}

/// A store's answer to a [`crate::GrantRequest`].
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// The granted part of the wanted units.
    pub units: Units,
    /// The rest of the answer, where other servers share the quota.
    pub shared: Option<SharedGrant>,
}

/// The rest of the answer of a shared store.
#[derive(Debug, Clone, Default)]
pub struct SharedGrant {
    /// How long the grant may be used, counted from the request (ms). 0 if the store only corrects the clock: the day in the
    /// request is not the store's.
    pub lasts_ms: u64,
    /// Requests at the same time, held by this server, the granted ones included.
    pub slots: u32,
    /// Why the needed units were not granted, if so.
    pub denied: Option<Denial>,
    /// Requests of other servers.
    pub requests: WindowUsage,
    /// Tokens or nano-dollars of other servers.
    pub tokens: WindowUsage,
    /// The store's clock, in ms since the Unix epoch.
    pub wall: i64,
    /// Names one life of the store's memory. A store with another epoch has forgotten what this one knew.
    pub epoch: String,
}

/// Why a shared store did not grant what was needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denial {
    /// The full window; `None` if the store itself is not ready.
    pub which: Option<QuotaKind>,
    /// When units come free, counted from the request (ms).
    pub frees_in_ms: u64,
}
