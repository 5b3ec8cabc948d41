//! The store on disk: sled, in the data folder.
//!
//! Keys: `q/ID` quotas, `t/ID` token totals, `h/ID/HOUR` and `d/ID/DAY` buckets (starts as 8 big-endian bytes, so that
//! they sort by time). Only what changed is written; buckets that have become too old are removed on the way.

use std::collections::BTreeMap;
use std::path::Path;

use super::record::{decode, encode};
use super::{Change, Saved, Store, StoreError, TokenChange};
use crate::types::{ApiId, DAYS_KEPT_MS, HOURS_KEPT_MS, TokenStats};

/// A folder of sled's.
pub struct SledStore {
    db: sled::Db,
}

/// `h` or `d`, and how long its buckets are kept.
const BUCKETS: [(&str, i64); 2] = [("h", HOURS_KEPT_MS), ("d", DAYS_KEPT_MS)];

impl SledStore {
    /// Opens (or begins) the store in `folder`.
    ///
    /// # Errors
    /// When the folder can't be used, or another process uses it.
    pub fn open(folder: &Path) -> Result<SledStore, StoreError> {
        sled::Config::new()
            .path(folder.join("sled"))
            // sled's default cache is 1 GiB; what is kept here is some hundred kilobytes.
            .cache_capacity(16 << 20)
            .mode(sled::Mode::LowSpace)
            // `commit` flushes: what it promises is on disk.
            .flush_every_ms(None)
            .open()
            .map(|db| SledStore { db })
            .map_err(|e| {
                let locked = e.to_string().contains("could not acquire lock");
                match locked {
                    true => StoreError::new(
                        "the data folder can't be opened",
                        "another api-together is using it; stop that one, or give this one its own --data",
                    ),
                    false => StoreError::new("the data folder can't be opened", e),
                }
            })
    }

    fn stage(&self, change: &Change, batch: &mut sled::Batch) -> Result<(), StoreError> {
        match change {
            Change::Quota(api, record) => batch.insert(key("q", api), encode(record)?),
            Change::Tokens(api, TokenChange::Grown { totals, hour, day }) => {
                batch.insert(key("t", api), encode(totals)?);
                for ((kind, kept_ms), (start, tokens)) in BUCKETS.into_iter().zip([*hour, *day]) {
                    batch.insert(bucket_key(kind, api, start), encode(&tokens)?);
                    self.before(kind, api, start.saturating_sub(kept_ms))?
                        .into_iter()
                        .for_each(|key| batch.remove(key));
                }
            }
            Change::Tokens(api, TokenChange::Reset) => {
                batch.remove(key("t", api));
                for (kind, _) in BUCKETS {
                    self.before(kind, api, i64::MAX)?.into_iter().for_each(|key| batch.remove(key));
                }
            }
        }
        Ok(())
    }

    /// The keys of the buckets that begin before `start`.
    fn before(&self, kind: &str, api: &ApiId, start: i64) -> Result<Vec<sled::IVec>, StoreError> {
        let range = self.db.range(bucket_key(kind, api, 0)..bucket_key(kind, api, start));
        range.keys().collect::<Result<_, _>>().map_err(|e| StoreError::new("the store can't be read", e))
    }

    fn buckets(&self, kind: &str, api: &ApiId) -> Result<BTreeMap<i64, u64>, StoreError> {
        let prefix = bucket_key(kind, api, 0);
        let prefix = prefix.get(..prefix.len() - 8).unwrap_or_default();
        let mut buckets = BTreeMap::new();
        for found in self.db.scan_prefix(prefix) {
            let (key, value) = found.map_err(|e| StoreError::new("the store can't be read", e))?;
            let start = key.get(prefix.len()..).and_then(|start| start.try_into().ok()).map(i64::from_be_bytes);
            if let Some(start) = start {
                buckets.insert(start, decode(&value)?);
            }
        }
        Ok(buckets)
    }

    fn get<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        let found = self.db.get(key).map_err(|e| StoreError::new("the store can't be read", e))?;
        found.map(|bytes| decode(&bytes)).transpose()
    }
}

impl Store for SledStore {
    fn load(&self, api: &ApiId) -> Result<Saved, StoreError> {
        Ok(Saved {
            quota: self.get(&key("q", api))?,
            tokens: TokenStats {
                totals: self.get(&key("t", api))?.unwrap_or_default(),
                hours: self.buckets("h", api)?,
                days: self.buckets("d", api)?,
            },
        })
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StoreError> {
        let failed = |e| StoreError::new("the store can't be written", e);
        let mut batch = sled::Batch::default();
        for change in changes {
            if matches!(change, Change::Tokens(_, TokenChange::Reset)) {
                // A reset removes what it finds: what comes before it must be there to be found.
                self.db.apply_batch(std::mem::take(&mut batch)).map_err(failed)?;
            }
            self.stage(change, &mut batch)?;
        }
        // A batch is atomic over a kill; it is durable after the flush.
        self.db.apply_batch(batch).map_err(failed)?;
        self.db.flush().map_err(failed)?;
        Ok(())
    }
}

fn key(kind: &str, api: &ApiId) -> Vec<u8> {
    format!("{kind}/{api}").into_bytes()
}

/// The id is ended by a zero byte, which no id holds: `a` and `a/b` don't mix.
fn bucket_key(kind: &str, api: &ApiId, start: i64) -> Vec<u8> {
    let mut key = key(kind, api);
    key.push(0);
    key.extend_from_slice(&start.max(0).to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::QuotaRecord;
    use crate::types::TokenTotals;

    const HOUR: i64 = 3_600_000;

    fn grown(requests: u64, hour: i64) -> Change {
        let totals = TokenTotals { requests, ..TokenTotals::default() };
        Change::Tokens(ApiId::from("a"), TokenChange::Grown { totals, hour: (hour, requests), day: (0, requests) })
    }

    #[test]
    fn what_is_committed_is_there_after_a_reopening_and_old_hours_go() {
        let folder = std::env::temp_dir().join(format!("api-together-sled-{}", std::process::id()));
        let api = ApiId::from("a");
        let quota = QuotaRecord { used_today: 7, ..QuotaRecord::default() };
        {
            let store = SledStore::open(&folder).expect("opens");
            store.commit(&[grown(1, HOUR), Change::Quota(api.clone(), quota.clone())]).expect("commits");
            store.commit(&[grown(2, 60 * HOUR)]).expect("commits");
            // The id is part of the key: a neighbour with a longer id has buckets of its own.
            assert!(store.load(&ApiId::from("a/b")).expect("loads").tokens.hours.is_empty());
        }
        let store = SledStore::open(&folder).expect("opens again");
        let saved = store.load(&api).expect("loads");
        assert_eq!(saved.quota, Some(quota));
        assert_eq!(saved.tokens.totals.requests, 2);
        assert_eq!(saved.tokens.hours, BTreeMap::from([(60 * HOUR, 2)]));
        assert_eq!(saved.tokens.days, BTreeMap::from([(0, 2)]));
        let reset = Change::Tokens(api.clone(), TokenChange::Reset);
        store.commit(&[grown(3, 61 * HOUR), reset]).expect("commits");
        assert_eq!(store.load(&api).expect("loads").tokens, TokenStats::default());
        drop(store);
        std::fs::remove_dir_all(&folder).expect("is ours to remove");
    }
}
