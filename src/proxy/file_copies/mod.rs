//! The files that the pool keeps, and their copies at other accounts (`server.replicateFiles`). All workers share them.
//!
//! 1. What is kept is the form of an upload, byte for byte: another account is sent the same.
//! 2. A form is kept up to [`MOST_OF_ONE`] bytes, all together up to [`MOST_OF_ALL`], for the time of a home. The oldest goes first.
//! 3. Of each account there is at most one copy of a file. One request makes the copy, and others wait ([`CopyTurn`]).
//! 4. Memory says what is there, and the disk follows, one change after the other.
//!
//! In reading order: `record`, `index` (pure), `folder`, and here the wiring.

mod folder;
mod index;
mod record;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use self::folder::FileFolder;
use self::index::{Dropped, FileIndex, IndexedFile};
pub(super) use self::record::{FileRecord, VERSION, uploaded_id};
use super::client_request::FormSource;
use crate::mailbox;
use crate::types::{ApiId, Now, ObjectKey};

/// The largest form that is kept, in bytes.
pub(super) const MOST_OF_ONE: u64 = 16 << 20;

/// How often files that are too old are looked for.
const LOOK_AFTER: Duration = Duration::from_secs(3_600);

/// What all kept forms may take on disk, in bytes.
const MOST_OF_ALL: u64 = 1 << 30;

/// The kept files.
#[derive(Debug)]
pub struct FileCopies {
    folder: FileFolder,
    index: Mutex<FileIndex>,
    /// Held during each change of the disk.
    disk: tokio::sync::Mutex<()>,
    /// The copies that are being made.
    turns: Mutex<HashMap<(ObjectKey, ApiId), Weak<CopyTurn>>>,
}

/// The making of one copy: whoever has the lock makes the copy.
#[derive(Debug, Default)]
pub(super) struct CopyTurn {
    pub(super) lock: tokio::sync::Mutex<()>,
    /// How often the account refused.
    failures: AtomicUsize,
}

impl CopyTurn {
    /// Records that the account did not take the file.
    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how often the account has refused so far.
    pub(super) fn failures(&self) -> usize {
        self.failures.load(Ordering::Relaxed)
    }
}

impl FileCopies {
    /// Reads what is kept in this folder, and removes the rests of a killed process. The folder is made with the first file.
    pub fn open(folder: PathBuf) -> FileCopies {
        let folder = FileFolder::new(folder);
        let mut index = FileIndex::default();
        folder.sweep().into_iter().for_each(|file| index.insert(file));
        folder.remove(&index.trim(MOST_OF_ALL, Now::read().wall));
        FileCopies { folder, index: Mutex::new(index), disk: tokio::sync::Mutex::default(), turns: Mutex::default() }
    }

    /// Returns what is known of a file, if the pool can give the file to an account, or an account has a copy.
    pub(super) fn find(&self, file: &ObjectKey) -> Option<(Arc<FileRecord>, bool)> {
        let index = self.index();
        index.get(file, Now::read().wall).map(|file| (file.record.clone(), file.has_bytes))
    }

    /// Returns the id of a file's copy at an account.
    pub(super) fn copy_at(&self, file: &ObjectKey, api: &ApiId) -> Option<String> {
        self.index().get(file, Now::read().wall)?.record.copies.get(api).cloned()
    }

    /// Removes what is too old, as long as the process lives.
    pub async fn look_after(self: Arc<FileCopies>) {
        loop {
            sleep(LOOK_AFTER).await;
            let _disk = self.disk.lock().await;
            let dropped = self.index().trim(MOST_OF_ALL, Now::read().wall);
            // What can't be removed is removed at the next start.
            let _ = self.drop_from_disk(dropped).await;
        }
    }

    /// Keeps the form of a file.
    pub(super) async fn keep(self: &Arc<FileCopies>, record: FileRecord, form: FormSource) -> io::Result<()> {
        let copies = self.clone();
        to_its_end(async move { copies.write(record, form).await }).await?
    }

    async fn write(&self, record: FileRecord, form: FormSource) -> io::Result<()> {
        let _disk = self.disk.lock().await;
        let (folder, record) = (self.folder.clone(), Arc::new(record));
        let written = record.clone();
        blocking(move || folder.keep(&written, &form)).await?;
        let dropped = {
            let mut index = self.index();
            index.insert(IndexedFile { record, has_bytes: true });
            index.trim(MOST_OF_ALL, Now::read().wall)
        };
        self.drop_from_disk(dropped).await
    }

    /// Opens the form of a file, if kept.
    pub(super) async fn open_form(&self, file: ObjectKey) -> Option<(Arc<FileRecord>, File)> {
        let (record, _) = self.find(&file).filter(|(_, has_bytes)| *has_bytes)?;
        let folder = self.folder.clone();
        let form = blocking(move || folder.open(&file)).await.ok()?;
        Some((record, form))
    }

    /// Remembers a copy. Returns whether the file is still there: a removed file has no copies.
    pub(super) async fn add_copy(self: &Arc<FileCopies>, file: &ObjectKey, api: &ApiId, id: &str) -> bool {
        let is_there = self.index().change(file, |record| {
            record.copies.insert(api.clone(), id.to_owned());
        });
        if is_there {
            self.save(*file).await;
        }
        is_there
    }

    /// Forgets a copy that the account does not know. Returns whether the copy may be made again.
    pub(super) async fn forget_copy(self: &Arc<FileCopies>, file: &ObjectKey, api: &ApiId) -> bool {
        let mut is_lost = false;
        self.index().change(file, |record| is_lost = record.lose_copy(api, Now::read().wall));
        if is_lost {
            self.save(*file).await;
        }
        is_lost
    }

    /// Takes a file out of memory. The caller removes the file from the disk, and the copies from their accounts.
    pub(super) fn take(&self, file: &ObjectKey) -> Option<Arc<FileRecord>> {
        self.index().remove(file)
    }

    /// Removes a taken file from the disk.
    pub(super) async fn erase(&self, file: ObjectKey) {
        let _disk = self.disk.lock().await;
        // The same id may have been uploaded again by now.
        if self.index().get(&file, Now::read().wall).is_none() {
            let erased = self.drop_from_disk(vec![Dropped { file, bytes_only: false }]).await;
            warn_of(erased);
        }
    }

    /// Returns the making of a copy. All requests at once have the same one.
    pub(super) fn turn(&self, file: ObjectKey, api: &ApiId) -> Arc<CopyTurn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        let place = turns.entry((file, api.clone())).or_default();
        place.upgrade().unwrap_or_else(|| {
            let turn = Arc::default();
            *place = Arc::downgrade(&turn);
            turn
        })
    }

    /// Writes the present record of a file.
    async fn save(self: &Arc<FileCopies>, file: ObjectKey) {
        let copies = self.clone();
        let saved = to_its_end(async move { copies.write_record(file).await }).await;
        warn_of(saved.and_then(|saved| saved));
    }

    async fn write_record(&self, file: ObjectKey) -> io::Result<()> {
        let _disk = self.disk.lock().await;
        let record = self.index().get(&file, Now::read().wall).map(|file| file.record.clone());
        let Some(record) = record else { return Ok(()) };
        let folder = self.folder.clone();
        blocking(move || folder.write_record(&record)).await
    }

    async fn drop_from_disk(&self, dropped: Vec<Dropped>) -> io::Result<()> {
        if dropped.is_empty() {
            return Ok(());
        }
        let folder = self.folder.clone();
        blocking(move || {
            folder.remove(&dropped);
            Ok(())
        })
        .await
    }

    fn index(&self) -> MutexGuard<'_, FileIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a change of the disk, which comes to its end also when the client leaves meanwhile: memory and disk say the same.
async fn to_its_end<T: 'static>(change: impl Future<Output = T> + 'static) -> io::Result<T> {
    let (done, ended) = oneshot::channel();
    mailbox::spawn(async move {
        // A client that has left waits for nothing.
        let _ = done.send(change.await);
    });
    ended.await.map_err(io::Error::other)
}

fn warn_of(saved: io::Result<()>) {
    if let Err(why) = saved {
        log::warn!("the record of a file can't be written below the data folder: {why}; a restart forgets its copies");
    }
}

/// Runs what blocks on a thread for that.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    mailbox::blocking(run).await.map_err(io::Error::other)?
}
