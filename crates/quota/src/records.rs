//! What a quota says of itself, and what a store answers: plain values.

use clock::{Now, Uptime};
use serde::{Deserialize, Serialize};

use crate::limits::QuotaKind;

/// What a quota has counted of one kind of unit, requests or tokens, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountRecord {
    /// The midnight that `used_today` counts from, in ms since the Unix epoch.
    pub day_start: i64,
    /// The midnight that ends that day.
    pub day_end: i64,
    /// Units of that day.
    pub used_today: u64,
    /// Of them, what counts in the next day again: an overshoot.
    pub carried: u64,
    /// Units of the last 24 hours, where that is the day: (ms since the Unix epoch, how many).
    pub day_log: Vec<(i64, u64)>,
    /// Units of the last minute: (ms since the Unix epoch, how many).
    pub log: Vec<(i64, u64)>,
    /// Units that may be used without another record, those that are on the way included. After a crash all of them
    /// count as used.
    pub granted: u64,
}

/// The counts of one quota at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRecord {
    /// Requests.
    pub requests: CountRecord,
    /// Tokens.
    pub tokens: CountRecord,
    /// The largest wall time seen, in ms since the Unix epoch.
    pub newest_wall: i64,
    /// The wall time of this record, in ms since the Unix epoch.
    pub saved_wall: i64,
    /// The uptime of the machine then.
    pub uptime: Option<Uptime>,
    /// If others share the quota: the life of the store that the counts, everybody's, were learned from.
    #[serde(default)]
    pub epoch: Option<String>,
}

impl QuotaRecord {
    /// Marks the moment of this record on the clock that nobody sets.
    pub fn marked(self, uptime: Option<Uptime>) -> Self {
        QuotaRecord { uptime, ..self }
    }

    /// The record as the wall clock of now would have written it: if somebody has set that since, ages would be wrong.
    /// Where nothing tells how much time has passed, a clock that reads earlier than then says that none has.
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
    /// Tokens.
    pub tokens: u64,
    /// Requests at the same time.
    pub slots: u32,
}

/// The answer to an [`Ask`].
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// So much of what was wanted may be used.
    pub units: Units,
    /// What is to be known besides, where others share the quota.
    pub shared: Option<SharedGrant>,
}

/// What a store tells that lends parts of a shared quota.
#[derive(Debug, Clone, Default)]
pub struct SharedGrant {
    /// What is granted may be used for so long, from when it was asked for (ms); 0 if the store only says what time it is:
    /// the day that was asked for is not its own.
    pub lasts_ms: u64,
    /// Requests at the same time that are held, with those just granted.
    pub slots: u32,
    /// If what was needed is not to be had: in which window, and when it frees (ms from when it was asked for). No window
    /// is named if the store itself is not ready.
    pub denied: Option<(Option<QuotaKind>, u64)>,
    /// Requests of others: in the last minute and today.
    pub requests: (u64, u64),
    /// Tokens of others.
    pub tokens: (u64, u64),
    /// The store's clock, in ms since the Unix epoch.
    pub wall: i64,
    /// Which life of the store it is: another one has forgotten what this one knows.
    pub epoch: String,
}
