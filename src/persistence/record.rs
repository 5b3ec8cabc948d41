//! What is kept of an upstream, and its form on disk: a version, a checksum, then JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::types::{Now, TokenTotals, Uptime};

/// The first byte of every record; a later form gets another.
const VERSION: u8 = 2;

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

/// What changed of an upstream's token statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenChange {
    /// New totals, and the one hour and the one day that grew: (its start, its tokens).
    Grown {
        /// All totals.
        totals: TokenTotals,
        /// The hour that grew.
        hour: (i64, u64),
        /// The day that grew.
        day: (i64, u64),
    },
    /// Everything was set to zero.
    Reset,
}

/// What is kept of one quota.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// Its counts, if they were ever saved.
    pub record: Option<QuotaRecord>,
    /// They were, and are lost: its limits are to count as spent.
    pub lost: bool,
}

/// A record as bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(record).map_err(|e| StoreError::new("a record can't be written", e))?;
    let mut bytes = Vec::with_capacity(json.len() + 5);
    bytes.push(VERSION);
    bytes.extend_from_slice(&checksum(&json).to_be_bytes());
    bytes.extend_from_slice(&json);
    Ok(bytes)
}

/// A record from bytes.
///
/// # Errors
/// When the bytes are not what [`encode`] made, to the last bit.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    match bytes {
        [VERSION, a, b, c, d, json @ ..] if checksum(json) == u32::from_be_bytes([*a, *b, *c, *d]) => {
            serde_json::from_slice(json).map_err(|e| StoreError::new("a record can't be read", e))
        }
        [VERSION, ..] | [] => Err(StoreError::new("a record can't be read", "its checksum is wrong")),
        [version, ..] => Err(StoreError::new(
            "a record can't be read",
            format!("it is of version {version}, this program knows {VERSION}"),
        )),
    }
}

/// CRC-32 (IEEE), as in zip and PNG.
fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_is_noticed() {
        let requests = CountRecord { used_today: 7, log: vec![(5, 1)], ..CountRecord::default() };
        let record = QuotaRecord { requests, ..QuotaRecord::default() };
        let bytes = encode(&record).expect("encodes");
        assert_eq!(decode::<QuotaRecord>(&bytes).expect("decodes"), record);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode::<QuotaRecord>(&damaged).is_err(), "bit {bit}");
        }
        assert!(decode::<QuotaRecord>(&bytes[..bytes.len() - 1]).is_err());
    }
}
