//! Temporary files for uploads that are too large for the memory, so that a failed attempt can be replayed.
//!
//! A file has no name: it is gone with the last reader, and with the process, however the process ends. Where a file
//! system knows no files without a name, a kill can leave one behind: the next process removes that.

use crate::mailbox;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web::Bytes;
use futures_util::stream::unfold;
use futures_util::{Stream, StreamExt};

/// So much is read from a file at once, in bytes.
const READ_AT_ONCE: u64 = 256 << 10;

/// The begin of the name of a temporary file, for as long as the file has one.
const NAMED: &str = ".tmp";

/// The files of all uploads.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    /// The bytes of all files.
    used: AtomicU64,
}

/// Why bytes were not written.
#[derive(Debug)]
pub enum SpoolError {
    /// All files together would be larger than allowed.
    Full,
    /// The disk failed, or is full.
    Disk(io::Error),
}

/// An upload on disk. The space is given back with the value.
#[derive(Debug)]
pub struct SpooledFile {
    /// Locked for a read or a write at a time, on a thread for that.
    file: Arc<Mutex<File>>,
    length: u64,
    spool: Arc<Spool>,
}

impl Spool {
    /// Creates a spool in this folder, and removes what a killed process left there. The folder is made with the
    /// first file.
    pub fn new(folder: PathBuf) -> Spool {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let is_left = entry.file_name().as_encoded_bytes().starts_with(NAMED.as_bytes());
            if is_left && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                log::info!("removing {}, left by an upload", entry.path().display());
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Spool { folder, used: AtomicU64::new(0) }
    }

    /// Returns how many bytes all files have.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Makes an empty file, which only the owner of the process can read.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn file(self: &Arc<Spool>) -> Result<SpooledFile, SpoolError> {
        let folder = self.folder.clone();
        let file = blocking(move || {
            std::fs::create_dir_all(&folder)?;
            tempfile::tempfile_in(folder)
        });
        Ok(SpooledFile { file: Arc::new(Mutex::new(file.await?)), length: 0, spool: self.clone() })
    }

    /// Takes space for so many bytes. Returns whether there was so much.
    fn take(&self, bytes: u64, most: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|after| *after <= most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_ok()
    }
}

impl SpooledFile {
    /// Returns the number of bytes.
    pub(in crate::proxy) fn length(&self) -> u64 {
        self.length
    }

    /// Writes pieces at the end. `most`: how many bytes all files may have together.
    ///
    /// # Errors
    /// When there is no space.
    pub async fn append(&mut self, pieces: Vec<Bytes>, most: u64) -> Result<(), SpoolError> {
        let length = pieces.iter().map(|piece| piece.len() as u64).sum();
        if !self.spool.take(length, most) {
            return Err(SpoolError::Full);
        }
        self.length += length;
        let file = self.file.clone();
        blocking(move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::End(0))?;
            pieces.iter().try_for_each(|piece| file.write_all(piece))
        })
        .await
    }

    /// Returns the bytes from one place to another, read while they are sent.
    pub(in crate::proxy) fn read(
        self: &Arc<SpooledFile>,
        from: u64,
        to: u64,
    ) -> impl Stream<Item = io::Result<Bytes>> + use<> {
        let owner = self.clone();
        pieces_of(self.file.clone(), from, to).map(move |piece| {
            let _is_used = &owner;
            piece
        })
    }

    /// Writes all bytes into another file. Blocks.
    pub(in crate::proxy) fn copy_to(&self, to: &mut File) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut *file, to).map(drop)
    }
}

/// Returns the bytes of a file from one place to another, read while they are sent.
pub(in crate::proxy) fn pieces_of(
    file: Arc<Mutex<File>>,
    from: u64,
    to: u64,
) -> impl Stream<Item = io::Result<Bytes>> + use<> {
    unfold(from, move |at| {
        let reader = file.clone();
        async move {
            let length = usize::try_from(to.saturating_sub(at).min(READ_AT_ONCE)).unwrap_or_default();
            if length == 0 {
                return None;
            }
            let read = blocking(move || {
                let mut buffer = Vec::with_capacity(length);
                let mut file = reader.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(at))?;
                (&*file).take(length as u64).read_to_end(&mut buffer)?;
                // A file that somebody has cut would cut the request.
                if buffer.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(Bytes::from(buffer)) }
            });
            match read.await {
                Ok(bytes) => Some((Ok(bytes), at + length as u64)),
                Err(SpoolError::Disk(error)) => Some((Err(error), to)),
                Err(SpoolError::Full) => None,
            }
        }
    })
}

impl Drop for SpooledFile {
    fn drop(&mut self) {
        self.spool.used.fetch_sub(self.length, Ordering::Relaxed);
    }
}

/// Runs what blocks on a thread for that.
async fn blocking<T: Send + 'static>(run: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, SpoolError> {
    let ended = mailbox::blocking(run).await.map_err(io::Error::other);
    ended.and_then(|result| result).map_err(SpoolError::Disk)
}
