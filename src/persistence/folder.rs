//! The data folder: opened, checked for damage, and moved aside if damaged.
//!
//! sled takes a damaged end of the log for a torn write and goes on with the state before: counts would go back in silence. So each
//! commit is numbered, in the store and in a file beside, the *commit marker* (`witness`). The marker is written after the store is
//! flushed. A marker ahead of the store proves a loss.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::folder_error::{MARKER, is_refusal, unusable};
use super::record::{decode, encode};
use crate::types::Now;

/// The key of the last commit's number.
const COMMITS: &[u8] = b"m/commits";

pub(super) struct Folder {
    pub(super) db: sled::Db,
    marker: File,
    commits: u64,
    /// Whether the folder was damaged, and the data lost.
    pub(super) lost: bool,
}

impl Folder {
    /// Opens the folder, or creates one. A damaged one is moved aside, and a new one created.
    ///
    /// # Errors
    /// When another process uses the folder, or nothing can be read or written.
    pub(super) fn open(path: &Path) -> Result<Folder, StoreError> {
        let cannot = |error: io::Error| unusable(path, &error);
        fs::create_dir_all(path).map_err(cannot)?;
        let is_new = !path.join("sled").exists() && !path.join(MARKER).exists();
        let why = match open_sound(path) {
            Ok((db, commits)) => return Folder::begin(db, path, commits, false),
            Err(Unusable::Refused(error)) => return Err(error),
            Err(Unusable::Damaged(_)) if is_new => "it can't be begun".to_owned(),
            Err(Unusable::Damaged(why)) => why,
        };
        let aside = move_aside(path).map_err(cannot)?;
        log::error!(
            "persistence: the data in {} is damaged ({why}); it was moved to {}",
            path.display(),
            aside.display()
        );
        match open_sound(path) {
            Ok((db, commits)) => Folder::begin(db, path, commits, true),
            Err(Unusable::Refused(error)) => Err(error),
            Err(Unusable::Damaged(why)) => Err(StoreError::new("the data folder can't be used", why)),
        }
    }

    fn begin(db: sled::Db, path: &Path, commits: u64, lost: bool) -> Result<Folder, StoreError> {
        let marker = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(MARKER));
        let mut folder = Folder { db, marker: marker.map_err(|error| unusable(path, &error))?, commits, lost };
        // Tells a new store from one without any memory left.
        folder.commit(sled::Batch::default())?;
        Ok(folder)
    }

    /// Writes a batch, whole or not at all. The batch is durable when the call returns.
    pub(super) fn commit(&mut self, mut batch: sled::Batch) -> Result<(), StoreError> {
        let number = self.commits + 1;
        batch.insert(COMMITS, encode(&number)?);
        let failed = |e| StoreError::new("the store can't be written", e);
        self.db.apply_batch(batch).map_err(failed)?;
        self.db.flush().map_err(failed)?;
        self.commits = number;
        write_marker(&mut self.marker, number).map_err(|e| StoreError::new("the commit marker can't be written", e))
    }
}

enum Unusable {
    /// Another process has the folder, or the system refuses access.
    Refused(StoreError),
    /// The contents are damaged.
    Damaged(String),
}

fn open_sound(path: &Path) -> Result<(sled::Db, u64), Unusable> {
    let config = sled::Config::new()
        .path(path.join("sled"))
        // sled's default cache is 1 GiB. The data is some hundred kilobytes.
        .cache_capacity(16 << 20)
        .mode(sled::Mode::LowSpace)
        // `commit` flushes by itself.
        .flush_every_ms(None);
    // sled panics over some kinds of damage.
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let db = config.open()?;
        let commits = db.get(COMMITS)?;
        Ok((db, commits))
    }));
    let (db, commits) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return Err(judge(error, path)),
        Err(_) => return Err(Unusable::Damaged("it can't be read".to_owned())),
    };
    let commits = match commits.map(|bytes| decode::<u64>(&bytes)) {
        None => 0,
        Some(Ok(commits)) => commits,
        Some(Err(why)) => return Err(Unusable::Damaged(why.to_string())),
    };
    let marker = read_marker(&path.join(MARKER)).map_err(|error| Unusable::Refused(unusable(path, &error)))?;
    match (marker, commits) {
        (None, 0) => Ok((db, 0)),
        (Some(marked), _) if marked <= commits => Ok((db, commits)),
        (Some(_), _) => Err(Unusable::Damaged("the last commits are missing".to_owned())),
        (None, _) => Err(Unusable::Damaged("the marker of its last commit is missing".to_owned())),
    }
}

fn judge(error: sled::Error, path: &Path) -> Unusable {
    if error.to_string().contains("could not acquire lock") {
        let mend = "another api-together is using it; stop that one, or give this one its own --data";
        return Unusable::Refused(StoreError::new("the data folder can't be opened", mend));
    }
    match &error {
        sled::Error::Io(e) if is_refusal(e) => Unusable::Refused(unusable(path, e)),
        sled::Error::Io(_)
        | sled::Error::Corruption { .. }
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::CollectionNotFound(_) => Unusable::Damaged(error.to_string()),
    }
}

/// Moves the contents of the folder into a new one inside, named after the time.
fn move_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = path.join(format!("damaged-{}", Now::read().wall));
    fs::create_dir_all(&aside)?;
    for name in ["sled", MARKER] {
        match fs::rename(path.join(name), aside.join(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(aside)
}

/// Returns the number in the commit marker; `None` if the file is missing or damaged.
///
/// # Errors
/// When the system refuses to read the file, which says nothing of the contents.
fn read_marker(path: &Path) -> io::Result<Option<u64>> {
    match fs::read(path) {
        Ok(bytes) => Ok(decode::<String>(&bytes).ok().and_then(|number| number.parse().ok())),
        Err(error) if is_refusal(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Writes the commit marker: a few bytes, of one length for every number. One write survives the end of the process without a flush.
/// After a crash of the system the marker may be behind. A marker behind proves nothing.
fn write_marker(marker: &mut File, number: u64) -> io::Result<()> {
    let bytes = encode(&format!("{number:020}")).map_err(io::Error::other)?;
    marker.seek(SeekFrom::Start(0))?;
    marker.write_all(&bytes)
}
