//! A record of homes as bytes: the day, the upstreams, then each object with a place among the upstreams. The store adds version and
//! checksum.

use crate::types::{LedgerId, ObjectKey};

/// Homes that were remembered on one day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HomeRecord {
    /// Since the Unix epoch.
    pub(super) day: u32,
    pub(super) homes: Vec<(ObjectKey, LedgerId)>,
}

impl HomeRecord {
    /// Writes the record.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut apis: Vec<&LedgerId> = Vec::new();
        let mut homes = Vec::with_capacity(self.homes.len() * (ObjectKey::LEN + 2));
        for (key, api) in &self.homes {
            let place = apis.iter().position(|known| *known == api).unwrap_or_else(|| {
                apis.push(api);
                apis.len() - 1
            });
            homes.extend_from_slice(key.as_bytes());
            homes.extend_from_slice(&(place as u16).to_be_bytes());
        }
        let mut bytes = self.day.to_be_bytes().to_vec();
        bytes.extend_from_slice(&(apis.len() as u16).to_be_bytes());
        for api in apis {
            bytes.extend_from_slice(&(api.as_str().len() as u16).to_be_bytes());
            bytes.extend_from_slice(api.as_str().as_bytes());
        }
        bytes.extend_from_slice(&homes);
        bytes
    }

    /// Reads a record; `None` if the bytes are none.
    pub(super) fn decode(bytes: &[u8]) -> Option<HomeRecord> {
        let (day, rest) = bytes.split_first_chunk()?;
        let (count, mut rest) = number(rest)?;
        let mut apis: Vec<LedgerId> = Vec::new();
        for _ in 0..count {
            let (length, behind) = number(rest)?;
            let (id, behind) = behind.split_at_checked(length)?;
            apis.push(LedgerId::from(std::str::from_utf8(id).ok()?));
            rest = behind;
        }
        let mut homes = Vec::with_capacity(rest.len() / (ObjectKey::LEN + 2));
        while let Some((key, behind)) = rest.split_first_chunk() {
            let (place, behind) = number(behind)?;
            homes.push((ObjectKey::from_bytes(*key), apis.get(place)?.clone()));
            rest = behind;
        }
        rest.is_empty().then_some(HomeRecord { day: u32::from_be_bytes(*day), homes })
    }
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((usize::from(u16::from_be_bytes(*number)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_cut_one_not_at_all() {
        let home = |n: u32, api: &str| (ObjectKey::of_id(&n.to_string()), LedgerId::from(api));
        let record = HomeRecord { day: 20_000, homes: vec![home(1, "a"), home(2, "größe"), home(3, "a")] };
        let bytes = record.encode();
        assert_eq!(HomeRecord::decode(&bytes), Some(record));
        for cut in [0, 3, 5, 9, bytes.len() - 1] {
            assert_eq!(HomeRecord::decode(&bytes[..cut]), None, "{cut}");
        }
    }
}
