//! Blocks of usage as files, in a folder beside sled: an hour or a day that is written whole, once, and then only read.
//!
//! 1. A name tells the span, the begin of the period in ms since the Unix epoch, and the number of the block: `day-1764284400000-42`.
//!    The contents are a record: version, checksum, block.
//! 2. A file is written under a name with [`PART`], flushed, and then renamed: a block is there whole, or not at all.
//! 3. A file whose contents the disk has changed gets a name with [`DAMAGED`] and a line in the log, and is read no more.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::persistence::StoreError;
use crate::persistence::record::{seal, unseal};
use crate::types::{UsagePeriod, UsageSpan, iso, sorted};

/// Ends the name of a file that is being written.
const PART: &str = "part";

/// Ends the name of a file that can't be read any more.
const DAMAGED: &str = "damaged";

/// The file with the server's name.
const SERVER: &str = "server";

/// The most bytes of a file that are read. A full day has 0.25 MB; names as long as any make some MB of that.
const MOST_BYTES: u64 = 32 << 20;

/// The place of a block among all of a span: the begin of the period, and the number.
pub(super) type FilePlace = (i64, u64);

/// The folder.
pub(super) struct UsageFiles(PathBuf);

impl UsageFiles {
    /// Opens or creates the folder, and removes what a process left half written when it ended.
    ///
    /// # Errors
    /// When the folder can't be read or written.
    pub(super) fn open(folder: PathBuf) -> Result<UsageFiles, StoreError> {
        let failed = |error| cannot_write(&folder, &error);
        fs::create_dir_all(&folder).map_err(failed)?;
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|end| end == PART) {
                fs::remove_file(&path).map_err(failed)?;
                log::warn!("persistence: {} was half written when the process ended; removed", path.display());
            }
        }
        Ok(UsageFiles(folder))
    }

    /// Writes a block. The file is durable when the call returns.
    ///
    /// # Errors
    /// When the file can't be written. Then none is there.
    pub(super) fn put(&self, period: UsagePeriod, number: u64, block: &[u8]) -> Result<(), StoreError> {
        // The clock of a machine that has lost the time begins in 1970, where a day may begin before.
        self.write(&format!("{}-{}-{number}", span_name(period.span), period.start.max(0)), block)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.0.join(name);
        let part = path.with_extension(PART);
        let written = (|| {
            let mut file = File::create(&part)?;
            file.write_all(&seal(bytes))?;
            file.sync_all()?;
            fs::rename(&part, &path)?;
            sync_folder(&self.0)
        })();
        written.map_err(|error| {
            // The reason is the first error's.
            let _ = fs::remove_file(&part);
            cannot_write(&path, &error)
        })
    }

    /// Returns the blocks in a range, in order.
    pub(super) fn list(&self, span: UsageSpan, places: Range<FilePlace>) -> Vec<(FilePlace, PathBuf)> {
        let mut found: Vec<(FilePlace, PathBuf)> =
            self.all().filter(|(of, _, _)| *of == span).map(|(_, at, path)| (at, path)).collect();
        found.retain(|(place, _)| places.contains(place));
        sorted::sort(&mut found);
        found
    }

    /// Returns the highest number of all.
    pub(super) fn number(&self) -> u64 {
        self.all().map(|(_, (_, number), _)| number).max().unwrap_or(0)
    }

    fn all(&self) -> impl Iterator<Item = (UsageSpan, FilePlace, PathBuf)> {
        let entries = fs::read_dir(&self.0).inspect_err(|error| {
            log::error!("persistence: {} can't be read, and its usage is missing in sums: {error}", self.0.display());
        });
        let known = |entry: io::Result<fs::DirEntry>| {
            let path = entry.ok()?.path();
            let (span, place) = parse(path.file_name()?.to_str()?)?;
            Some((span, place, path))
        };
        entries.into_iter().flatten().filter_map(known)
    }

    /// Returns the block in a file. A damaged file is set aside. `None` also where the file has been removed since it was listed.
    pub(super) fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                log::error!("persistence: {} can't be read, and is missing in sums: {error}", path.display());
                return None;
            }
        }
        match unseal(&bytes) {
            Ok(block) => Some(block.to_vec()),
            Err(why) => {
                set_aside(path, &why);
                None
            }
        }
    }

    /// Removes the blocks in a range.
    pub(super) fn remove(&self, span: UsageSpan, places: Range<FilePlace>) {
        for (_, path) in self.list(span, places) {
            if let Err(error) = fs::remove_file(&path) {
                log::warn!("persistence: {} can't be removed: {error}", path.display());
            }
        }
    }

    /// Returns the server's name, if one is kept.
    pub(super) fn server(&self) -> Option<String> {
        let bytes = fs::read(self.0.join(SERVER)).ok()?;
        let name = unseal(&bytes).inspect_err(|why| set_aside(&self.0.join(SERVER), why)).ok()?;
        String::from_utf8(name.to_vec()).ok()
    }

    /// Keeps the server's name.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(super) fn keep_server(&self, name: &str) -> Result<(), StoreError> {
        self.write(SERVER, name.as_bytes())
    }
}

/// Names of files flushed: only then a new name survives a loss of power. Elsewhere than on Unix, folders can't be flushed.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn set_aside(path: &Path, why: &StoreError) {
    let aside = path.with_extension(DAMAGED);
    let of = path.file_name().and_then(|name| parse(name.to_str()?));
    let what =
        of.map_or_else(String::new, |(span, (start, _))| format!(" of the {} from {}", span_name(span), iso(start)));
    let moved = fs::rename(path, &aside)
        .map_or_else(|error| format!("not moved: {error}"), |()| format!("moved to {}", aside.display()));
    log::error!("persistence: the usage{what} in {} is damaged and missing in sums ({why}); {moved}", path.display());
}

fn span_name(span: UsageSpan) -> &'static str {
    match span {
        UsageSpan::Hour => "hour",
        UsageSpan::Day => "day",
    }
}

fn parse(name: &str) -> Option<(UsageSpan, FilePlace)> {
    let (span, place) = name.split_once('-')?;
    let (start, number) = place.split_once('-')?;
    let span = [UsageSpan::Hour, UsageSpan::Day].into_iter().find(|known| span_name(*known) == span)?;
    Some((span, (start.parse().ok()?, number.parse().ok()?)))
}

fn cannot_write(path: &Path, error: &io::Error) -> StoreError {
    StoreError::new("usage can't be written", format!("{}: {error}", path.display()))
}
