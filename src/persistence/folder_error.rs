//! Why the data folder can't be used, and what to do.

use std::io;
use std::path::Path;

use super::StoreError;

/// The name of the commit marker's file.
pub(super) const MARKER: &str = "witness";

/// Of Linux and macOS: too many files are open, in the process or on the machine; no memory is left. Nothing of these is damage.
const SHORT_OF: [i32; 3] = [24, 23, 12];

/// Returns whether the system refuses, for a reason that says nothing of the contents.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    let kinds = [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::StorageFull,
        io::ErrorKind::ReadOnlyFilesystem,
        io::ErrorKind::QuotaExceeded,
        io::ErrorKind::OutOfMemory,
    ];
    kinds.contains(&error.kind()) || number(error).is_some_and(|number| SHORT_OF.contains(&number))
}

/// Returns the system's number of an error. sled copies errors, and keeps the number in the text alone.
fn number(error: &io::Error) -> Option<i32> {
    let in_text = || {
        let text = error.to_string();
        let (_, behind) = text.split_once("os error ").or_else(|| text.split_once("code: "))?;
        behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    error.raw_os_error().or_else(in_text)
}

/// Returns the error for people.
pub(super) fn unusable(folder: &Path, error: &io::Error) -> StoreError {
    StoreError::new("the data folder can't be used", format!("{error}; {}", mend(folder, error)))
}

fn mend(folder: &Path, error: &io::Error) -> String {
    let elsewhere = "name another folder with --data";
    match (error.kind(), number(error)) {
        (_, Some(23 | 24)) => "let the process open more files (ulimit -n, LimitNOFILE in systemd)".to_owned(),
        (io::ErrorKind::PermissionDenied, _) => format!("{}, or {elsewhere}", owner(folder)),
        (io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory, _) => {
            format!("there is a file in the folder's place: {elsewhere}")
        }
        (io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, _) => format!("free some space, or {elsewhere}"),
        (io::ErrorKind::ReadOnlyFilesystem, _) => format!("mount the disk for writing, or {elsewhere}"),
        (_, _) => elsewhere.to_owned(),
    }
}

/// Returns who may write there, and a command where one does no harm: the folder may be `/etc`, typed by mistake.
#[cfg(unix)]
fn owner(folder: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let found = folder.ancestors().find_map(|above| Some((above, std::fs::metadata(above).ok()?.uid())));
    // The owner of its own entry is the user of a process.
    let own = std::fs::metadata("/proc/self").ok().map(|own| own.uid());
    let (Some((above, owner)), Some(own)) = (found, own) else {
        return "let this program's user write there".to_owned();
    };
    let kind = match (folder.exists(), is_for_data(&folder)) {
        (false, _) => FolderKind::Missing,
        (true, true) => FolderKind::ForData,
        (true, false) => FolderKind::Other,
    };
    who_may_write((&folder, kind), (above, owner), own)
}

/// What is in the folder's place.
#[derive(Debug, Clone, Copy)]
enum FolderKind {
    Missing,
    /// Empty, or with data of this program.
    ForData,
    Other,
}

/// Says who may write to a folder. `above`: the folder, or the nearest one above that exists, with the owner. `own`: this user.
fn who_may_write((folder, kind): (&Path, FolderKind), (above, owner): (&Path, u32), own: u32) -> String {
    let (at, above) = (folder.display(), above.display());
    let whose = format!("{at} is owned by user {owner}, and this program runs as user {own}");
    if owner == own {
        return format!("let the owner write there: chmod u+rwx {above}");
    }
    match kind {
        FolderKind::Missing => {
            format!("user {own} of this program may not make a folder in {above}: as root, install -d -o {own} {at}")
        }
        FolderKind::ForData => format!("{whose}: as root, chown -R {own} {at}"),
        FolderKind::Other => whose,
    }
}

/// Returns whether a folder is empty, or has the data of this program.
#[cfg(unix)]
fn is_for_data(folder: &Path) -> bool {
    let has_data = ["sled", MARKER].iter().any(|name| folder.join(name).exists());
    has_data || std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(not(unix))]
fn owner(_: &Path) -> String {
    "let this program's user write there".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_gives_away_a_folder_of_others() {
        let told = |folder: &str, kind, above: &str, owner| {
            who_may_write((Path::new(folder), kind), (Path::new(above), owner), 1000)
        };
        let missing = told("/nonexistent/d", FolderKind::Missing, "/", 0);
        assert!(missing.ends_with("as root, install -d -o 1000 /nonexistent/d") && !missing.contains("chown"));
        let foreign = told("/etc", FolderKind::Other, "/etc", 0);
        assert_eq!(foreign, "/etc is owned by user 0, and this program runs as user 1000");
        assert!(told("/data", FolderKind::ForData, "/data", 0).ends_with("as root, chown -R 1000 /data"));
        assert!(told("/home/me/d", FolderKind::Missing, "/home/me", 1000).ends_with("chmod u+rwx /home/me"));
        let file = mend(Path::new("c.json"), &io::ErrorKind::NotADirectory.into());
        assert_eq!(file, "there is a file in the folder's place: name another folder with --data");
    }
}
