//! A text file of somebody's that gets a new text.
//!
//! 1. The new text is written beside the file and takes the file's place in one step. A link stays a link; mode and owner stay.
//! 2. What somebody else has saved since the reading is not overwritten.
//! 3. A process that is killed leaves the old text or the new one. A draft that a killed process left is removed by the next one.

mod backups;
mod draft;
mod read_only;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

use backups::back_up;
use draft::FileDraft;
use read_only::{is_refusal, why_read_only};

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// As given.
    given: PathBuf,
    /// Behind all links.
    path: PathBuf,
    /// Empty if there is no file.
    pub(crate) text: String,
    exists: bool,
}

/// How a file gets a new text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// The old file is copied beside the file first, with the time in the name.
    pub(crate) keeps_old: bool,
    /// Nobody but the owner may read the file from now on.
    pub(crate) makes_private: bool,
}

/// Why a file did not get a new text. The file is as before.
#[derive(Debug, Error)]
pub(crate) enum ReplaceError {
    /// Somebody else has saved since the reading.
    #[error("it was changed meanwhile")]
    Changed,
    /// The file can't be replaced at all.
    #[error("{0}")]
    ReadOnly(String),
    /// It did not work this time.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl TextFile {
    /// Reads a file, or notes that there is none.
    ///
    /// # Errors
    /// When the file can't be read, is larger than `most` bytes, or is no text in UTF-8.
    pub(crate) fn read(given: &Path, most: u64) -> io::Result<TextFile> {
        let path = match fs::canonicalize(given) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(given).is_err() => {
                let (given, path) = (given.to_owned(), given.to_owned());
                return Ok(TextFile { given, path, text: String::new(), exists: false });
            }
            Err(error) => return Err(error),
        };
        if !fs::metadata(&path)?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut bytes = Vec::new();
        File::open(&path)?.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > most {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {} MiB", most >> 20)));
        }
        let no_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not in UTF-8");
        let text = String::from_utf8(bytes).map_err(no_text)?;
        Ok(TextFile { given: given.to_owned(), path, text, exists: true })
    }

    /// Returns why the file can't be replaced, as far as can be known without trying.
    pub(crate) fn why_read_only(&self) -> Option<String> {
        why_read_only(&self.path)
    }

    /// Writes the new text. Returns where the old one is kept.
    ///
    /// # Errors
    /// When the file can't be replaced, or somebody else has changed the file. Then the file is as before.
    pub(crate) fn replace_with(&self, new: &str, manner: Manner) -> Result<Option<PathBuf>, ReplaceError> {
        if let Some(folder) = self.path.parent().filter(|_| !self.exists) {
            fs::create_dir_all(folder)?;
        }
        if let Some(why) = self.why_read_only().filter(|_| self.exists) {
            return Err(ReplaceError::ReadOnly(why));
        }
        let refused = |error: io::Error| match is_refusal(&error) {
            true => ReplaceError::ReadOnly(format!("{}: {error}", self.path.display())),
            false => ReplaceError::Io(error),
        };
        let backup = if self.exists && manner.keeps_old {
            Some(back_up(&self.path, &self.text).map_err(refused)?)
        } else {
            None
        };
        let old = if self.exists { Some(fs::metadata(&self.path)?) } else { None };
        let written = FileDraft::write(&self.path, new, old.as_ref(), manner.makes_private).and_then(|draft| {
            // A program may have saved in the meantime. Nothing but the last step comes after this look.
            if self.is_as_read() { draft.take_place().map(|()| true) } else { Ok(false) }
        });
        match written {
            Ok(true) => {
                backup.iter().for_each(|_| backups::remove_old(&self.path));
                return Ok(backup);
            }
            Ok(false) | Err(_) => backup.iter().for_each(|backup| drop(fs::remove_file(backup))),
        }
        Err(written.err().map_or(ReplaceError::Changed, refused))
    }

    fn is_as_read(&self) -> bool {
        if !self.exists {
            return fs::symlink_metadata(&self.path).is_err();
        }
        let is_same_file = fs::canonicalize(&self.given).is_ok_and(|path| path == self.path);
        is_same_file && fs::read(&self.path).is_ok_and(|now| now == self.text.as_bytes())
    }
}

/// Removes the draft that a killed process has left beside a file.
pub(crate) fn remove_left_draft(given: &Path) {
    if let Ok(path) = fs::canonicalize(given) {
        draft::remove_left(&path);
    }
}

fn beside(path: &Path, before: &str, behind: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{before}{name}{behind}"))
}

/// Makes a file that only its owner can read, where there is none yet.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests;
