//! Usage in the data folder: pieces in a tree of sled, whole hours and days as files beside (see `files`).
//!
//! 1. Keys: `h` or `d`, the start of the period, the number of the block; both numbers as 8 big-endian bytes, so keys sort by time.
//! 2. sled puts a value, or a page of sixteen, that is larger than an eighth of its segments into a file of its own, and removes that
//!    file when the segment with the pointer is cleaned. Pointers are so small that no segment ever fills. So sled gets small blocks
//!    only.
//! 3. A file is durable before the pieces that it replaces are removed. Between the two a kill leaves both, and readers take the last
//!    whole block of a period and what is later: nothing is lost or counts twice.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::files::{FilePlace, UsageFiles};
use crate::persistence::record::{seal, unseal};
use crate::persistence::{Change, StoreError};
use crate::types::{UsageChange, UsagePeriod, UsageSpan, sorted};

/// The most pieces that one change removes. The units of quotas wait for the same commit; the rest goes with the next one.
const MAX_REMOVED: usize = 2_000;

/// The most changes with whole blocks that wait for a disk that can't be written: those of two days of hours. Beyond, the oldest is lost.
const MOST_WAITING: usize = 120;

/// The key of the highest number. Blocks are written in order of their numbers.
const NUMBER: &[u8] = b"n";

/// The key under which the server's name was before.
const SERVER: &[u8] = b"s";

/// Returns whether a block is all of its period so far: a piece begins with 0.
pub(super) fn is_whole(block: &[u8]) -> bool {
    block.first().is_some_and(|first| *first != 0)
}

pub(in crate::persistence) struct UsageTree {
    pieces: sled::Tree,
    files: UsageFiles,
    /// Whole blocks that could not be written, with what they replace.
    waiting: Mutex<Vec<UsageChange>>,
}

/// Where a block is.
enum Kept {
    Piece(sled::IVec),
    File(PathBuf),
}

impl UsageTree {
    /// Opens the usage in a data folder.
    ///
    /// # Errors
    /// When the store can't be read, or the folder can't be written.
    pub(in crate::persistence) fn open(db: &sled::Db, folder: &Path) -> Result<UsageTree, StoreError> {
        let pieces = db.open_tree("usage").map_err(unreadable)?;
        let files = UsageFiles::open(folder.join("usage"))?;
        let tree = UsageTree { pieces, files, waiting: Mutex::default() };
        tree.move_to_files()?;
        Ok(tree)
    }

    /// Makes files of the whole blocks in the tree, where they were before.
    fn move_to_files(&self) -> Result<(), StoreError> {
        let mut moved = 0;
        for (key, value) in self.pieces.iter().filter_map(Result::ok) {
            let Some((period, number)) = parse(&key) else { continue };
            if let Some(block) = unseal(&value).ok().filter(|block| is_whole(block)) {
                self.files.put(period, number, block)?;
                self.pieces.remove(key).map_err(unwritable)?;
                moved += 1;
            }
        }
        if moved > 0 {
            log::info!("persistence: {moved} hours and days of usage are files now");
        }
        Ok(())
    }

    /// Writes changes. The pieces, all or none, are durable when the store is flushed, whole blocks at once.
    ///
    /// # Errors
    /// When the store can't be read or written. Whole blocks wait for the next call then.
    pub(in crate::persistence) fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let usage =
            changes.iter().filter_map(|change| if let Change::Usage(usage) = change { Some(usage) } else { None });
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = std::mem::take(&mut *waiting);
        all.extend(usage.cloned());
        let written = self.write(&all);
        if written.is_err() {
            all.retain(|change| match change {
                UsageChange::Put { block, .. } => is_whole(block),
                UsageChange::Replace { .. } | UsageChange::Forget(_) => true,
            });
            all.drain(..all.len().saturating_sub(MOST_WAITING));
            *waiting = all;
        }
        written
    }

    fn write(&self, changes: &[UsageChange]) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        let mut replaced = Vec::new();
        for change in changes {
            match change {
                UsageChange::Put { period, number, block } => {
                    if is_whole(block) {
                        self.files.put(*period, *number, block)?;
                    } else {
                        batch.insert(&key(period.span, (period.start, *number)), seal(block));
                    }
                    batch.insert(NUMBER, &number.to_be_bytes());
                }
                UsageChange::Replace { period, before } => {
                    replaced.push((period.span, (period.start, 0)..(period.start, *before)));
                }
                UsageChange::Forget(period) => replaced.push((period.span, (0, 0)..(period.start, 0))),
            }
        }
        for (span, places) in &replaced {
            self.remove_pieces(&mut batch, *span, places)?;
        }
        if !changes.is_empty() {
            self.pieces.apply_batch(batch).map_err(unwritable)?;
        }
        replaced.into_iter().for_each(|(span, places)| self.files.remove(span, places));
        Ok(())
    }

    fn remove_pieces(
        &self,
        batch: &mut sled::Batch,
        span: UsageSpan,
        places: &Range<FilePlace>,
    ) -> Result<(), StoreError> {
        for key in self.pieces_in(span, places).map(|range| range.keys()).into_iter().flatten().take(MAX_REMOVED) {
            batch.remove(key.map_err(unreadable)?);
        }
        Ok(())
    }

    /// Returns the pieces in a range. `None`: an earlier one than the first is none.
    fn pieces_in(&self, span: UsageSpan, places: &Range<FilePlace>) -> Option<sled::Iter> {
        let range = key(span, places.start)..key(span, places.end);
        (range.start < range.end).then(|| self.pieces.range(range))
    }

    /// Returns the name of this server, made at the first call. The name is beside the days that it tells to others: both are lost,
    /// or none.
    pub(in crate::persistence) fn server(&self) -> String {
        self.files.server().unwrap_or_else(|| {
            let before = self.pieces.get(SERVER).ok().flatten();
            let before = before.map(|name| String::from_utf8_lossy(&name).into_owned());
            let name = before.unwrap_or_else(|| format!("{:016x}", rand::random::<u64>()));
            if let Err(error) = self.files.keep_server(&name) {
                log::error!(
                    "persistence: other servers will count the usage of this one twice after a restart: {error}"
                );
            }
            name
        })
    }

    /// Returns the highest number that a block ever had.
    pub(in crate::persistence) fn number(&self) -> u64 {
        let kept = self.pieces.get(NUMBER).ok().flatten();
        let kept = kept.and_then(|bytes| bytes.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes);
        kept.max(self.files.number())
    }

    /// Shows the blocks of the periods that begin in a range: the start, the number, the bytes. Damaged ones are left out. One file at
    /// a time is in memory.
    pub(in crate::persistence) fn show(
        &self,
        span: UsageSpan,
        starts: Range<i64>,
        show: &mut dyn FnMut(i64, u64, &[u8]),
    ) {
        let places = (starts.start, 0)..(starts.end, 0);
        let files = self.files.list(span, places.clone()).into_iter().map(|(place, path)| (place, Kept::File(path)));
        let pieces = self.pieces_in(span, &places).into_iter().flatten().filter_map(Result::ok);
        let pieces = pieces.filter_map(|(key, value)| {
            let (period, number) = parse(&key)?;
            Some(((period.start, number), Kept::Piece(value)))
        });
        let mut damaged = 0;
        for ((start, number), kept) in sorted::map(pieces.chain(files)) {
            match kept {
                Kept::File(path) => {
                    if let Some(block) = self.files.read(&path) {
                        show(start, number, &block);
                    }
                }
                Kept::Piece(value) => match unseal(&value) {
                    Ok(block) => show(start, number, block),
                    Err(_) => damaged += 1,
                },
            }
        }
        if damaged > 0 {
            log::error!("persistence: {damaged} records of usage are damaged, and missing in its sums");
        }
    }
}

fn key(span: UsageSpan, (start, number): FilePlace) -> [u8; 17] {
    let kind = match span {
        UsageSpan::Hour => b'h',
        UsageSpan::Day => b'd',
    };
    let mut key = [kind; 17];
    let numbers = start.max(0).to_be_bytes().into_iter().chain(number.to_be_bytes());
    key.iter_mut().skip(1).zip(numbers).for_each(|(place, byte)| *place = byte);
    key
}

fn parse(key: &[u8]) -> Option<(UsagePeriod, u64)> {
    let span = match key.first()? {
        b'h' => UsageSpan::Hour,
        b'd' => UsageSpan::Day,
        _ => return None,
    };
    let number = |at: usize| key.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let start = i64::try_from(number(1)?).ok()?;
    Some((UsagePeriod { span, start }, number(9)?))
}

fn unreadable(error: sled::Error) -> StoreError {
    StoreError::new("the store can't be read", error)
}

fn unwritable(error: sled::Error) -> StoreError {
    StoreError::new("the store can't be written", error)
}
