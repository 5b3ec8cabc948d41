//! The store on disk: sled, in the data folder.
//!
//! Keys: `q/ID` for quotas (see [`QuotaId::key`]), `t/ID` for token totals, `h/ID/HOUR` and `d/ID/DAY` for buckets. The start of a
//! bucket is written as 8 big-endian bytes, so keys sort by time. Only changes are written. The first
//! write of a bucket removes the old ones. `o/NUMBER` for records of homes, likewise. `l/ID` for whose the ledger ID is. Usage has
//! a tree and files of its own, see `usage`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use quota::QuotaRecord;

use super::folder::Folder;
use super::record::{decode, encode, seal, unseal};
use super::usage::UsageTree;
use super::{Change, Saved, Store, StoreError, TokenChange};
use crate::types::{DAYS_KEPT_MS, HOURS_KEPT_MS, LedgerId, LedgerRecord, QuotaId, TokenStats, UsageSpan};

/// The store in a data folder.
pub struct SledStore {
    folder: Mutex<Folder>,
    db: sled::Db,
    usage: UsageTree,
    /// Whether lost counts begin at zero, instead of counting as used up.
    fresh: bool,
    lost: bool,
}

/// The kinds of buckets, hours and days, and how long each is kept (ms).
const BUCKETS: [(&str, i64); 2] = [("h", HOURS_KEPT_MS), ("d", DAYS_KEPT_MS)];

impl SledStore {
    /// Opens or creates the store in the folder `path`. A damaged one is moved aside; then the limits of the day count as used up, unless
    /// `fresh`.
    ///
    /// # Errors
    /// When the folder can't be used, or another process uses the folder.
    pub fn open(path: &Path, fresh: bool) -> Result<SledStore, StoreError> {
        let folder = Folder::open(path)?;
        let (db, lost) = (folder.db.clone(), folder.lost);
        if lost && fresh {
            log::warn!("persistence: --fresh: all counts begin at zero");
        } else if lost {
            log::error!(
                "persistence: the limits of APIs count as spent until their day is over; --fresh begins at zero"
            );
        }
        let usage = UsageTree::open(&db, path)?;
        Ok(SledStore { folder: Mutex::new(folder), db, usage, fresh, lost })
    }

    fn read_tokens(&self, api: &LedgerId) -> Result<TokenStats, StoreError> {
        Ok(TokenStats {
            totals: self.get(&key("t", api.as_str()))?.unwrap_or_default(),
            hours: self.buckets("h", api)?,
            days: self.buckets("d", api)?,
        })
    }

    fn stage(&self, change: &Change, batch: &mut sled::Batch) -> Result<(), StoreError> {
        match change {
            Change::Quota(id, record) => batch.insert(key("q", &id.key()), encode(record)?),
            Change::Tokens(api, TokenChange::Grown { totals, hour, day }) => {
                batch.insert(key("t", api.as_str()), encode(totals)?);
                for ((kind, kept_ms), (start, tokens)) in BUCKETS.into_iter().zip([*hour, *day]) {
                    let bucket = bucket_key(kind, api, start);
                    if !self.has(&bucket)? {
                        let old = self.before(kind, api, start.saturating_sub(kept_ms))?;
                        old.into_iter().for_each(|key| batch.remove(key));
                    }
                    batch.insert(bucket, encode(&tokens)?);
                }
            }
            Change::Ledger(ledger, record) => batch.insert(key("l", ledger.as_str()), encode(record)?),
            Change::Homes(number, record) => batch.insert(homes_key(*number), seal(record)),
            // Written before: see `commit`.
            Change::ForgetHomes(0) | Change::Usage(_) => {}
            Change::ForgetHomes(before) => {
                let old = self.db.range(homes_key(0)..homes_key(*before));
                old.keys()
                    .take(MAX_FORGOTTEN)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(unreadable)?
                    .into_iter()
                    .for_each(|key| batch.remove(key));
            }
            Change::Tokens(api, TokenChange::Reset) => {
                batch.remove(key("t", api.as_str()));
                for (kind, _) in BUCKETS {
                    self.before(kind, api, i64::MAX)?.into_iter().for_each(|key| batch.remove(key));
                }
            }
        }
        Ok(())
    }

    /// Returns the keys of the buckets before `start`.
    fn before(&self, kind: &str, api: &LedgerId, start: i64) -> Result<Vec<sled::IVec>, StoreError> {
        let range = self.db.range(bucket_key(kind, api, 0)..bucket_key(kind, api, start));
        range.keys().collect::<Result<_, _>>().map_err(unreadable)
    }

    fn buckets(&self, kind: &str, api: &LedgerId) -> Result<BTreeMap<i64, u64>, StoreError> {
        let prefix = bucket_key(kind, api, 0);
        let prefix = prefix.get(..prefix.len() - 8).unwrap_or_default();
        let mut buckets = BTreeMap::new();
        for found in self.db.scan_prefix(prefix) {
            let (key, value) = found.map_err(unreadable)?;
            let start = key.get(prefix.len()..).and_then(|start| start.try_into().ok()).map(i64::from_be_bytes);
            if let Some(start) = start {
                buckets.insert(start, decode(&value)?);
            }
        }
        Ok(buckets)
    }

    fn has(&self, key: &[u8]) -> Result<bool, StoreError> {
        self.db.contains_key(key).map_err(unreadable)
    }

    fn get<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        let found = self.db.get(key).map_err(unreadable)?;
        found.map(|bytes| decode(&bytes)).transpose()
    }
}

impl Store for SledStore {
    fn quota(&self, id: &QuotaId) -> Saved {
        let record = self.get::<QuotaRecord>(&key("q", &id.key()));
        if let Err(e) = &record {
            log::error!("{id}: its counts are lost: {e}");
        }
        let lost = record.is_err() || matches!(record, Ok(None)) && self.lost;
        Saved { record: record.ok().flatten(), lost: lost && !self.fresh }
    }

    fn tokens(&self, api: &LedgerId) -> TokenStats {
        self.read_tokens(api).unwrap_or_else(|e| {
            log::error!("{api}: its token statistics are lost: {e}");
            TokenStats::default()
        })
    }

    fn homes(&self) -> Vec<(u64, Vec<u8>)> {
        let sound = |(key, value): (sled::IVec, sled::IVec)| {
            let number = key.get(HOMES.len()..).and_then(|number| number.try_into().ok()).map(u64::from_be_bytes)?;
            match unseal(&value) {
                Ok(record) => Some((number, record.to_vec())),
                Err(e) => {
                    log::error!("some homes of objects are lost, and will be found by asking: {e}");
                    None
                }
            }
        };
        self.db.scan_prefix(HOMES).filter_map(Result::ok).filter_map(sound).collect()
    }

    fn ledgers(&self) -> Vec<(LedgerId, LedgerRecord)> {
        let sound = |(key, value): (sled::IVec, sled::IVec)| {
            let ledger = LedgerId::from(std::str::from_utf8(key.get(LEDGERS.len()..)?).ok()?);
            match decode(&value) {
                Ok(record) => Some((ledger, record)),
                Err(e) => {
                    log::error!("{ledger}: a renamed entry will not be recognised: {e}");
                    None
                }
            }
        };
        self.db.scan_prefix(LEDGERS).filter_map(Result::ok).filter_map(sound).collect()
    }

    fn usage(&self, span: UsageSpan, starts: Range<i64>, show: &mut dyn FnMut(i64, u64, &[u8])) {
        self.usage.show(span, starts, show);
    }

    fn usage_server(&self) -> String {
        self.usage.server()
    }

    fn usage_number(&self) -> u64 {
        self.usage.number()
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        // One thread commits at a time. A panic in another can't have left the folder half written.
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        self.usage.apply(changes)?;
        let mut batch = sled::Batch::default();
        for change in changes {
            if matches!(change, Change::Tokens(_, TokenChange::Reset)) {
                // A reset removes existing keys: earlier changes have to be written first.
                folder.commit(std::mem::take(&mut batch))?;
            }
            self.stage(change, &mut batch)?;
        }
        folder.commit(batch)
    }
}

fn unreadable(error: sled::Error) -> StoreError {
    StoreError::new("the store can't be read", error)
}

fn key(kind: &str, of: &str) -> Vec<u8> {
    format!("{kind}/{of}").into_bytes()
}

/// The most records of homes that one commit removes. The units of quotas wait for the same commit.
const MAX_FORGOTTEN: usize = 500;

/// Begins the keys of records of ledgers.
const LEDGERS: &[u8] = b"l/";

/// Begins the keys of records of homes.
const HOMES: &[u8] = b"o/";

fn homes_key(number: u64) -> Vec<u8> {
    [HOMES, &number.to_be_bytes()].concat()
}

/// Returns the key of a bucket. A zero byte ends the id: no id holds one, and `a` and `a/b` don't mix.
fn bucket_key(kind: &str, api: &LedgerId, start: i64) -> Vec<u8> {
    let mut key = key(kind, api.as_str());
    key.push(0);
    key.extend_from_slice(&start.max(0).to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{AccountDigest, TokenTotals};

    const HOUR: i64 = 3_600_000;

    fn grown(requests: u64, hour: i64) -> Change {
        let totals = TokenTotals { requests, ..TokenTotals::default() };
        Change::Tokens(LedgerId::from("a"), TokenChange::Grown { totals, hour: (hour, requests), day: (0, requests) })
    }

    /// Opens a folder again in the same process. sled's own threads may hold the lock for some milliseconds more.
    fn reopened(folder: &Path) -> SledStore {
        let begun = std::time::Instant::now();
        loop {
            match SledStore::open(folder, false) {
                Err(e) if begun.elapsed().as_secs() < 10 && e.to_string().contains("is using it") => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                opened => return opened.expect("opens again"),
            }
        }
    }

    #[test]
    fn committed_changes_survive_a_reopening_and_old_hours_are_removed() {
        let folder = std::env::temp_dir().join(format!("api-together-sled-{}", std::process::id()));
        let api = LedgerId::from("a");
        let id = QuotaId::of_api(&api);
        let quota = QuotaRecord { saved_wall: 7, ..QuotaRecord::default() };
        {
            let store = SledStore::open(&folder, false).expect("opens");
            store.commit(&[grown(1, HOUR), Change::Quota(id.clone(), quota.clone())]).expect("commits");
            store.commit(&[grown(2, 60 * HOUR)]).expect("commits");
            // Another API with a longer id has other buckets.
            assert!(store.tokens(&LedgerId::from("a/b")).hours.is_empty());
        }
        let store = reopened(&folder);
        assert_eq!(store.quota(&id).record, Some(quota));
        let saved = store.tokens(&api);
        assert_eq!(saved.totals.requests, 2);
        assert_eq!(saved.hours, BTreeMap::from([(60 * HOUR, 2)]));
        assert_eq!(saved.days, BTreeMap::from([(0, 2)]));
        let homes: Vec<Change> = (0..3).map(|number| Change::Homes(number, vec![7])).collect();
        store.commit(&homes).expect("commits");
        store.commit(&[Change::ForgetHomes(0), Change::ForgetHomes(2)]).expect("commits");
        assert_eq!(store.homes(), [(2, vec![7])]);
        let mut record = LedgerRecord::default();
        record.claim(&"b".into(), &[AccountDigest::of("http://x/v1/", "sk-0123456789")]);
        store.commit(&[Change::Ledger(api.clone(), record.clone())]).expect("commits");
        assert_eq!(store.ledgers(), [(api.clone(), record)]);
        let reset = Change::Tokens(api.clone(), TokenChange::Reset);
        store.commit(&[grown(3, 61 * HOUR), reset]).expect("commits");
        assert_eq!(store.tokens(&api), TokenStats::default());
        drop(store);
        std::fs::remove_dir_all(&folder).expect("is ours to remove");
    }
}
