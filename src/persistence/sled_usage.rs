//! Usage on disk: blocks in a tree of their own, so that large values do not share pages with the counts of quotas.
//!
//! Keys: `h` or `d`, the start of the period, the number of the block; both numbers as 8 big-endian bytes, so keys sort by time.

use std::ops::Range;

use super::record::{seal, unseal};
use super::{Change, StoreError};
use crate::types::{UsageChange, UsagePeriod, UsageSpan};

/// The most blocks that one change removes. The units of quotas wait for the same commit; the rest goes with the next one.
const MAX_REMOVED: usize = 2_000;

/// The key of the highest number. Blocks are written in order of their numbers.
const NUMBER: &[u8] = b"n";

/// The key of the server's name.
const SERVER: &[u8] = b"s";

pub(super) struct UsageTree(sled::Tree);

impl UsageTree {
    /// Opens the tree.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(super) fn open(db: &sled::Db) -> Result<UsageTree, StoreError> {
        db.open_tree("usage").map(UsageTree).map_err(unreadable)
    }

    /// Writes changes, all or none. They are durable when the store is flushed.
    ///
    /// # Errors
    /// When the store can't be read or written.
    pub(super) fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        let mut any = false;
        for change in
            changes.iter().filter_map(|change| if let Change::Usage(usage) = change { Some(usage) } else { None })
        {
            any = true;
            match change {
                UsageChange::Put { period, number, block } => {
                    batch.insert(&key(*period, *number), seal(block));
                    batch.insert(NUMBER, &number.to_be_bytes());
                }
                UsageChange::Replace { period, before } => {
                    self.remove(&mut batch, key(*period, 0)..key(*period, *before))?;
                }
                UsageChange::Forget(period) => {
                    let first = UsagePeriod { start: 0, ..*period };
                    self.remove(&mut batch, key(first, 0)..key(*period, 0))?;
                }
            }
        }
        if any {
            self.0.apply_batch(batch).map_err(|e| StoreError::new("the store can't be written", e))?;
        }
        Ok(())
    }

    /// Returns the name of this server, made at the first call.
    pub(super) fn server(&self) -> String {
        let fresh = format!("{:016x}", rand::random::<u64>());
        let kept = self.0.compare_and_swap(SERVER, None::<&[u8]>, Some(fresh.as_bytes()));
        let kept = kept.ok().and_then(|swapped| swapped.err()).and_then(|differs| differs.current);
        kept.map_or(fresh, |name| String::from_utf8_lossy(&name).into_owned())
    }

    /// Returns the highest number that a block ever had.
    pub(super) fn number(&self) -> u64 {
        let kept = self.0.get(NUMBER).ok().flatten();
        kept.and_then(|bytes| bytes.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes)
    }

    fn remove(&self, batch: &mut sled::Batch, range: Range<[u8; 17]>) -> Result<(), StoreError> {
        // An earlier period than the first is none.
        if range.start < range.end {
            for key in self.0.range(range).keys().take(MAX_REMOVED) {
                batch.remove(key.map_err(unreadable)?);
            }
        }
        Ok(())
    }

    /// Shows the blocks of the periods that begin in a range: the start, the number, the bytes. Damaged ones are left out.
    pub(super) fn show(&self, span: UsageSpan, starts: Range<i64>, show: &mut dyn FnMut(i64, u64, &[u8])) {
        let [first, end] = [starts.start, starts.end].map(|start| key(UsagePeriod { span, start }, 0));
        if first >= end {
            return;
        }
        let mut damaged = 0;
        for (key, value) in self.0.range(first..end).filter_map(Result::ok) {
            let [start, number] = [1, 9].map(|at| key.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()));
            match (start, number, unseal(&value)) {
                (Some(start), Some(number), Ok(block)) => {
                    show(i64::from_be_bytes(start), u64::from_be_bytes(number), block);
                }
                (_, _, _) => damaged += 1,
            }
        }
        if damaged > 0 {
            log::error!("persistence: {damaged} records of usage are damaged, and missing in its sums");
        }
    }
}

fn key(period: UsagePeriod, number: u64) -> [u8; 17] {
    let kind = match period.span {
        UsageSpan::Hour => b'h',
        UsageSpan::Day => b'd',
    };
    let mut key = [kind; 17];
    let numbers = period.start.max(0).to_be_bytes().into_iter().chain(number.to_be_bytes());
    key.iter_mut().skip(1).zip(numbers).for_each(|(place, byte)| *place = byte);
    key
}

fn unreadable(error: sled::Error) -> StoreError {
    StoreError::new("the store can't be read", error)
}
