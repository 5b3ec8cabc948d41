//! The kept files in memory, with their bounds. No clock and no disk: functions of the files and of the time.
//!
//! 1. A file is forgotten with its copies after [`KEPT_MS`], or as the oldest of more than [`MOST_FILES`].
//! 2. If all bytes together are more than allowed, the oldest go first. The ids of their copies stay.

use std::collections::HashMap;
use std::sync::Arc;

use super::record::FileRecord;
use crate::types::ObjectKey;

/// For how long a file is kept (ms), as long as its home: 30 days.
const KEPT_MS: i64 = 30 * 86_400_000;

/// The most files.
const MOST_FILES: usize = 10_000;

/// A file in memory.
#[derive(Debug, Clone)]
pub(super) struct IndexedFile {
    pub(super) record: Arc<FileRecord>,
    /// Are the bytes still on disk?
    pub(super) has_bytes: bool,
}

/// All kept files.
#[derive(Debug, Default)]
pub(super) struct FileIndex {
    files: HashMap<ObjectKey, IndexedFile>,
    /// The bytes on disk.
    bytes: u64,
}

/// What has to leave the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) file: ObjectKey,
    /// The ids of the copies stay.
    pub(super) bytes_only: bool,
}

impl FileIndex {
    /// Adds a file.
    pub(super) fn insert(&mut self, file: IndexedFile) {
        let key = file.record.key();
        self.remove(&key);
        if file.has_bytes {
            self.bytes += file.record.length;
        }
        self.files.insert(key, file);
    }

    /// Removes a file.
    pub(super) fn remove(&mut self, key: &ObjectKey) -> Option<Arc<FileRecord>> {
        let removed = self.files.remove(key)?;
        if removed.has_bytes {
            self.bytes = self.bytes.saturating_sub(removed.record.length);
        }
        Some(removed.record)
    }

    /// Returns a file, unless the file is too old.
    pub(super) fn get(&self, key: &ObjectKey, now: i64) -> Option<&IndexedFile> {
        self.files.get(key).filter(|file| is_kept(&file.record, now))
    }

    /// Changes the record of a file. Returns whether there is one.
    pub(super) fn change(&mut self, key: &ObjectKey, change: impl FnOnce(&mut FileRecord)) -> bool {
        let Some(file) = self.files.get_mut(key) else { return false };
        change(Arc::make_mut(&mut file.record));
        true
    }

    /// Removes what is too old or too much. Returns what has to leave the disk.
    pub(super) fn trim(&mut self, most_bytes: u64, now: i64) -> Vec<Dropped> {
        let mut by_age: Vec<(i64, ObjectKey)> = self.files.iter().map(|(key, file)| (file.record.at, *key)).collect();
        by_age.sort_unstable();
        let surplus = by_age.len().saturating_sub(MOST_FILES);
        let mut dropped = Vec::new();
        for (nth, (_, key)) in by_age.into_iter().enumerate() {
            let Some(file) = self.files.get_mut(&key) else { continue };
            let is_heavy = self.bytes > most_bytes && file.has_bytes;
            let bytes_only = nth >= surplus && is_kept(&file.record, now);
            if bytes_only && !is_heavy {
                continue;
            }
            if bytes_only && !file.record.copies.is_empty() {
                file.has_bytes = false;
                self.bytes = self.bytes.saturating_sub(file.record.length);
                dropped.push(Dropped { file: key, bytes_only: true });
            } else {
                self.remove(&key);
                dropped.push(Dropped { file: key, bytes_only: false });
            }
        }
        dropped
    }
}

fn is_kept(record: &FileRecord, now: i64) -> bool {
    record.at.saturating_add(KEPT_MS) > now
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::proxy::file_copies::record::VERSION;
    use crate::types::{ApiId, WireFormat};

    fn file(id: &str, at: i64, length: u64, copies: &[&str]) -> IndexedFile {
        let copies = copies.iter().map(|api| (ApiId::from(*api), format!("{id}-{api}"))).collect();
        let (headers, query, losses) = (Vec::new(), String::new(), BTreeMap::new());
        let id = id.to_owned();
        let record =
            FileRecord { version: VERSION, id, format: WireFormat::OpenAi, headers, query, length, at, copies, losses };
        IndexedFile { record: Arc::new(record), has_bytes: true }
    }

    fn index(files: &[IndexedFile]) -> FileIndex {
        let mut index = FileIndex::default();
        files.iter().for_each(|file| index.insert(file.clone()));
        index
    }

    fn dropped(id: &str, bytes_only: bool) -> Dropped {
        Dropped { file: ObjectKey::of_id(id), bytes_only }
    }

    #[test]
    fn beyond_the_bound_of_bytes_the_oldest_go_first_and_their_copies_stay_known() {
        let mut index = index(&[file("new", 30, 50, &[]), file("old", 10, 50, &["b"]), file("mid", 20, 50, &[])]);
        assert_eq!(index.trim(150, 40), []);
        assert_eq!(index.trim(60, 40), [dropped("old", true), dropped("mid", false)]);
        assert_eq!(index.trim(60, 40), []);
        let old = index.get(&ObjectKey::of_id("old"), 40).expect("known");
        assert!(!old.has_bytes && old.record.copies.len() == 1);
        assert!(index.get(&ObjectKey::of_id("mid"), 40).is_none());
        assert!(index.get(&ObjectKey::of_id("new"), 40).is_some_and(|file| file.has_bytes));
        assert_eq!(index.bytes, 50);
    }

    #[test]
    fn a_file_that_is_too_old_is_unknown_and_leaves_the_disk() {
        let mut index = index(&[file("old", 0, 50, &["b"]), file("new", 1, 50, &[])]);
        assert!(index.get(&ObjectKey::of_id("old"), KEPT_MS - 1).is_some());
        assert!(index.get(&ObjectKey::of_id("old"), KEPT_MS).is_none());
        assert_eq!(index.trim(150, KEPT_MS), [dropped("old", false)]);
        assert_eq!(index.bytes, 50);
    }

    #[test]
    fn beyond_the_bound_of_files_the_oldest_go() {
        let files: Vec<IndexedFile> =
            (0..MOST_FILES as i64 + 2).map(|nth| file(&nth.to_string(), nth, 1, &["b"])).collect();
        assert_eq!(index(&files).trim(u64::MAX, 0), [dropped("0", false), dropped("1", false)]);
    }

    #[test]
    fn a_file_of_the_same_id_takes_the_place_of_the_former_one() {
        let mut index = index(&[file("one", 1, 50, &["b"]), file("one", 2, 70, &[])]);
        assert_eq!(index.bytes, 70);
        assert!(index.change(&ObjectKey::of_id("one"), |record| record.query.push('x')));
        assert_eq!(index.remove(&ObjectKey::of_id("one")).map(|record| record.query.clone()), Some("x".to_owned()));
        assert_eq!((index.bytes, index.remove(&ObjectKey::of_id("one"))), (0, None));
        assert!(!index.change(&ObjectKey::of_id("one"), |_| {}));
    }
}
