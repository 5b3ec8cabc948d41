//! The new text of a file, beside the file until the text takes the file's place.
//!
//! The draft is a file without a name where the system has such files, and gets a name for the last step alone. Elsewhere it has the
//! name all the time. There is one name for all processes, so that each can remove what a killed one has left; a lock tells a draft
//! in use from a left one.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{beside, private};

/// A written draft. Gone when dropped, unless it has taken the file's place.
pub(super) struct FileDraft {
    file: File,
    /// The file that the draft is for.
    target: PathBuf,
    /// Where the draft is, if it has a name.
    name: Option<PathBuf>,
}

impl FileDraft {
    /// Writes a text, with mode and owner of the old file.
    pub(super) fn write(target: &Path, text: &str, old: Option<&Metadata>, is_private: bool) -> io::Result<FileDraft> {
        let mut draft = FileDraft::create(target)?;
        draft.file.write_all(text.as_bytes())?;
        if let Some(old) = old {
            keep_owner(&draft.file, old)?;
            draft.file.set_permissions(permissions(old, is_private))?;
        }
        draft.file.sync_all()?;
        draft.give_name()?;
        Ok(draft)
    }

    fn create(target: &Path) -> io::Result<FileDraft> {
        remove_left(target);
        if let Some(file) = without_name(target) {
            return Ok(FileDraft { file, target: target.to_owned(), name: None });
        }
        let name = name_of(target);
        let file = private(&name)?;
        let draft = FileDraft { file, target: target.to_owned(), name: Some(name) };
        draft.file.lock()?;
        Ok(draft)
    }

    fn give_name(&mut self) -> io::Result<()> {
        if self.name.is_none() {
            let name = name_of(&self.target);
            give_name(&self.file, &name)?;
            self.name = Some(name);
        }
        Ok(())
    }

    /// Puts the draft into the file's place, in one step.
    pub(super) fn take_place(mut self) -> io::Result<()> {
        let Some(name) = self.name.take() else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = fs::rename(&name, &self.target) {
            self.name = Some(name);
            return Err(error);
        }
        // The folder's entry is on disk, too. A folder that can't be synced is no reason to call the file unwritten.
        if let Some(folder) = self.target.parent() {
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

impl Drop for FileDraft {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // Ours, and of no use.
            let _ = fs::remove_file(name);
        }
    }
}

/// Removes the draft of a process that was killed. A draft in use is locked.
pub(super) fn remove_left(target: &Path) {
    let name = name_of(target);
    let is_left = File::open(&name).is_ok_and(|file| file.try_lock().is_ok());
    if is_left {
        let _ = fs::remove_file(name);
    }
}

fn name_of(target: &Path) -> PathBuf {
    beside(target, ".", ".new")
}

/// Makes a file without a name in the folder of the target, where the system can.
#[cfg(target_os = "linux")]
fn without_name(target: &Path) -> Option<File> {
    use rustix::fs::{Mode, OFlags, open};

    let folder = target.parent()?;
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    open(folder, flags, Mode::RUSR | Mode::WUSR).ok().map(File::from)
}

#[cfg(not(target_os = "linux"))]
fn without_name(_: &Path) -> Option<File> {
    None
}

/// Gives a name to a file without one.
#[cfg(target_os = "linux")]
fn give_name(file: &File, name: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};

    let unnamed = format!("/proc/self/fd/{}", file.as_raw_fd());
    file.lock()?;
    linkat(CWD, unnamed, CWD, name, AtFlags::SYMLINK_FOLLOW).map_err(io::Error::from)
}

#[cfg(not(target_os = "linux"))]
fn give_name(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns the old file's permissions, without others' if nobody but the owner is to read the file.
fn permissions(old: &Metadata, is_private: bool) -> fs::Permissions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut permissions = old.permissions();
    #[cfg(unix)]
    if is_private {
        use std::os::unix::fs::PermissionsExt;

        permissions.set_mode(permissions.mode() & 0o700);
    }
    permissions
}

/// Gives a new file the owner and the group of the old one.
#[cfg(unix)]
fn keep_owner(new: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};

    let now = new.metadata()?;
    let changed = |now: u32, old: u32| (now != old).then_some(old);
    let (user, group) = (changed(now.uid(), old.uid()), changed(now.gid(), old.gid()));
    if user.is_none() && group.is_none() {
        return Ok(());
    }
    fchown(new, user, group)
        .map_err(|error| io::Error::new(error.kind(), format!("the file's owner can't be kept ({error})")))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}
