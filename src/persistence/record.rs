//! What is saved of an upstream, and the form on disk: a version, a checksum, then JSON.

use quota::QuotaRecord;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use crate::types::TokenTotals;

/// The first byte of every record. Another form gets another version.
const VERSION: u8 = 2;

/// A change of an upstream's token statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenChange {
    /// Tokens were counted.
    Grown {
        /// The new totals.
        totals: TokenTotals,
        /// The current hour: the start (ms since the Unix epoch), and the tokens.
        hour: (i64, u64),
        /// The current day, likewise.
        day: (i64, u64),
    },
    /// Everything was set to zero.
    Reset,
}

/// What is saved of one quota.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// The counts, if there are any.
    pub record: Option<QuotaRecord>,
    /// Whether counts were saved and are lost. Then the limits have to count as used up.
    pub lost: bool,
}

/// Writes a record as bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    let json = serde_json::to_vec(record).map_err(|e| StoreError::new("a record can't be written", e))?;
    Ok(seal(&json))
}

/// Puts version and checksum before the bytes of a record.
pub(super) fn seal(bytes: &[u8]) -> Vec<u8> {
    [&[VERSION], &checksum(bytes).to_be_bytes()[..], bytes].concat()
}

/// Returns the bytes behind version and checksum.
///
/// # Errors
/// When any bit differs from what [`seal`] wrote.
pub(super) fn unseal(bytes: &[u8]) -> Result<&[u8], StoreError> {
    match bytes {
        [VERSION, a, b, c, d, sealed @ ..] if checksum(sealed) == u32::from_be_bytes([*a, *b, *c, *d]) => Ok(sealed),
        [VERSION, ..] | [] => Err(StoreError::new("a record can't be read", "its checksum is wrong")),
        [version, ..] => Err(StoreError::new(
            "a record can't be read",
            format!("it is of version {version}, this program knows {VERSION}"),
        )),
    }
}

/// Reads a record from bytes.
///
/// # Errors
/// When any bit differs from what [`encode`] wrote.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(unseal(bytes)?).map_err(|e| StoreError::new("a record can't be read", e))
}

/// Returns the CRC-32 (IEEE), as in zip and PNG.
fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

#[cfg(test)]
mod tests {
    use quota::CountRecord;

    use super::*;

    #[test]
    fn a_record_with_a_flipped_bit_is_an_error() {
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
