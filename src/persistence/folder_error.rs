//! Why the data folder can't be used, and what to do.

use std::io;
use std::path::Path;

use super::StoreError;

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
            format!("there is a file in the folder's place: remove the file, or {elsewhere}")
        }
        (io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, _) => format!("free some space, or {elsewhere}"),
        (io::ErrorKind::ReadOnlyFilesystem, _) => format!("mount the disk for writing, or {elsewhere}"),
        (_, _) => elsewhere.to_owned(),
    }
}

/// Returns whose the folder is, or the nearest one above that exists.
#[cfg(unix)]
fn owner(folder: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let found = folder.ancestors().find_map(|above| Some((above, std::fs::metadata(above).ok()?.uid())));
    let Some((above, owner)) = found else { return "let this program's user write there".to_owned() };
    // The owner of its own entry is the user of a process.
    let own = std::fs::metadata("/proc/self").ok().map(|own| own.uid());
    match own {
        Some(own) if own == owner => format!("let the owner write there: chmod u+rwx {}", above.display()),
        Some(own) => format!(
            "{} is owned by user {owner}, and this program runs as user {own}: chown {own} {}",
            above.display(),
            above.display()
        ),
        None => format!("{} is owned by user {owner}: let this program's user write there", above.display()),
    }
}

#[cfg(not(unix))]
fn owner(_: &Path) -> String {
    "let this program's user write there".to_owned()
}
