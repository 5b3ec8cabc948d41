//! A text file of somebody's that gets a new text.
//!
//! 1. The old file is copied beside it first, with the time in the name.
//! 2. The new text is written beside the file and takes the file's place in one step. A link stays a link.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Zoned;

/// The largest file that is edited, in bytes: people write settings.
const MOST_BYTES: u64 = 1 << 20;

/// A file as it is.
pub(super) struct OldFile {
    /// Behind all links.
    path: PathBuf,
    /// Empty if there is no file.
    pub(super) text: String,
    exists: bool,
}

impl OldFile {
    /// Reads a file, or notes that there is none.
    ///
    /// # Errors
    /// When the file can't be read, or is no text of a usual size.
    pub(super) fn read(path: &Path) -> io::Result<OldFile> {
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
                return Ok(OldFile { path: path.to_owned(), text: String::new(), exists: false });
            }
            Err(error) => return Err(error),
        };
        let about = fs::metadata(&path)?;
        if !about.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        if about.len() > MOST_BYTES {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        let text = String::from_utf8(fs::read(&path)?).map_err(|_| io::Error::other("it is not in UTF-8"))?;
        Ok(OldFile { path, text, exists: true })
    }

    /// Writes the new text. Returns where the old one is kept. A file that holds a key can be read by its owner alone.
    ///
    /// # Errors
    /// When the file can't be written, or somebody else has changed it. Then the file is as before.
    pub(super) fn replace_with(&self, new: &str, holds_key: bool) -> io::Result<Option<PathBuf>> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let backup = if self.exists { Some(self.back_up()?) } else { None };
        let draft = self.beside(&format!("new-{}", std::process::id()));
        let written = self.write_draft(&draft, new, holds_key).and_then(|()| {
            // A program may have saved in the meantime.
            let is_old = fs::read(&self.path).map_or(!self.exists, |now| now == self.text.as_bytes());
            if is_old { fs::rename(&draft, &self.path) } else { Err(io::Error::other("it was changed meanwhile")) }
        });
        if written.is_err() {
            // Ours, and of no use.
            let _ = fs::remove_file(&draft);
            let _ = backup.as_ref().map(fs::remove_file);
        }
        written.map(|()| backup)
    }

    fn write_draft(&self, draft: &Path, new: &str, holds_key: bool) -> io::Result<()> {
        let mut file = private(draft)?;
        file.write_all(new.as_bytes())?;
        if self.exists {
            file.set_permissions(permissions(&self.path, holds_key)?)?;
        }
        file.sync_all()
    }

    /// Copies the file beside itself, under a name that nothing has yet. Only the owner can read the copy: there may be a key in it,
    /// and nobody else reads a backup.
    fn back_up(&self) -> io::Result<PathBuf> {
        let time = Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        let names = (0..100).map(|nth| if nth == 0 { time.clone() } else { format!("{time}-{nth}") });
        for backup in names.map(|name| self.beside(&format!("{name}.bak"))) {
            match private(&backup) {
                Ok(mut file) => {
                    file.write_all(self.text.as_bytes())?;
                    file.sync_all()?;
                    return Ok(backup);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("there are a hundred backups of this second"))
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!("{name}.{ending}"))
    }
}

/// Makes a file that only its owner can read, where there is none yet.
fn private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Returns the permissions for the new text: the old file's, without others' if there is a key in it.
fn permissions(old: &Path, holds_key: bool) -> io::Result<fs::Permissions> {
    let mut permissions = fs::metadata(old)?.permissions();
    #[cfg(unix)]
    if holds_key {
        use std::os::unix::fs::PermissionsExt;

        permissions.set_mode(permissions.mode() & 0o700);
    }
    Ok(permissions)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cli::temporary_folder::TemporaryFolder;

    #[test]
    fn a_backup_is_for_the_owner_alone() {
        let folder = TemporaryFolder::create("agent-backup").expect("a folder");
        let path = folder.0.join("settings.json");
        fs::write(&path, "{}").expect("writes");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("sets");
        let old = OldFile::read(&path).expect("reads");
        let backup = old.replace_with("{\"key\": 1}", true).expect("written").expect("a backup");
        for file in [&backup, &path] {
            let mode = fs::metadata(file).expect("there").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", file.display());
        }
        assert_eq!(fs::read_to_string(&backup).expect("reads"), "{}");
    }
}
