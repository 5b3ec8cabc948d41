//! What is kept of an upstream, and its form on disk: a version, a checksum, then JSON.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::types::{Now, TokenStats, TokenTotals, Uptime};

/// The first byte of every record; a later form gets another.
const VERSION: u8 = 1;

/// The counts of an upstream's request quotas at one moment.
///
/// `granted` more attempts may have been sent since. After a crash all of them count as sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRecord {
    /// The midnight that `used_today` counts from, in ms since the Unix epoch.
    pub day_start: i64,
    /// The midnight that ends that day.
    #[serde(default)]
    pub day_end: i64,
    /// Attempts of that day.
    pub used_today: u32,
    /// Attempts of the last 24 hours, where that is the day: (ms since the Unix epoch, how many).
    #[serde(default)]
    pub day_log: Vec<(i64, u32)>,
    /// Attempts of the last minute: (ms since the Unix epoch, how many).
    pub log: Vec<(i64, u32)>,
    /// Attempts that may follow without another record.
    pub granted: u32,
    /// The largest wall time seen, in ms since the Unix epoch.
    pub newest_wall: i64,
    /// The wall time of this record, in ms since the Unix epoch.
    #[serde(default)]
    pub saved_wall: i64,
    /// The uptime of the machine then.
    #[serde(default)]
    pub uptime: Option<Uptime>,
}

impl QuotaRecord {
    /// Marks the moment of this record on the clock that nobody sets.
    pub fn marked(self, uptime: Option<Uptime>) -> Self {
        QuotaRecord { uptime, ..self }
    }

    /// The record as the wall clock of now would have written it: if somebody has set that since, ages would be wrong.
    pub fn by_the_clock_of(self, now: Now, uptime: Option<&Uptime>) -> Self {
        let passed = self.uptime.as_ref().zip(uptime).and_then(|(then, now)| now.since(then));
        let Some(passed) = passed else { return self };
        let set_by = now.wall - self.saved_wall - passed.as_millis() as i64;
        let moved = |log: Vec<(i64, u32)>| log.into_iter().map(|(wall, count)| (wall + set_by, count)).collect();
        QuotaRecord { log: moved(self.log), day_log: moved(self.day_log), ..self }
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

/// All that is kept of one upstream.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// Its quotas, if they were ever saved.
    pub quota: Option<QuotaRecord>,
    /// Its statistics.
    pub tokens: TokenStats,
    /// There was more, and it is lost: its limits are to count as spent.
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
        let record = QuotaRecord { used_today: 7, log: vec![(5, 1)], ..QuotaRecord::default() };
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
