//! What is kept of an upstream, and its form on disk: a version, a checksum, then JSON.

use quota::QuotaRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::types::TokenTotals;

/// The first byte of every record; a later form gets another.
const VERSION: u8 = 2;

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
    use quota::CountRecord;

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
