//! Whether a file can be replaced, as far as can be known without trying.

use std::fs;
use std::io;
use std::path::{Component, Path};

/// Returns why a file, without links in the path, can't be replaced.
pub(super) fn why_read_only(path: &Path) -> Option<String> {
    let shown = path.display();
    if is_of_config_map(path) {
        return Some(format!("{shown} belongs to a ConfigMap or Secret of Kubernetes; change that one instead"));
    }
    if is_mounted(path) {
        return Some(format!("{shown} is mounted as a single file and can't be replaced; mount its folder instead"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    [(path, "the file"), (folder, "the file's folder")].into_iter().find_map(|(place, what)| {
        let error = refusal(place)?;
        Some(format!("{what} {} can't be written ({error})", place.display()))
    })
}

/// Returns whether an error says that the file can't be replaced next time either.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};

    [CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy].contains(&error.kind())
}

/// Kubernetes mounts folders such as `..2026_11_28_15_00_00.1`, and a link `..data` to the newest one. A change there is lost.
fn is_of_config_map(path: &Path) -> bool {
    path.components().any(|part| match part {
        Component::Normal(name) => name.to_string_lossy().starts_with(".."),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => false,
    })
}

/// Returns whether the file itself is a mount (`docker run -v ./apis.json:/config/apis.json`).
pub(super) fn is_mounted(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let path = path.to_string_lossy();
    mounts.lines().filter_map(|line| line.split(' ').nth(4)).any(|place| unescaped(place) == *path)
}

/// Blanks and backslashes of mounts' places are written in octal digits.
pub(super) fn unescaped(place: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(place.to_owned(), |place, (code, character)| place.replace(code, character))
}

#[cfg(unix)]
fn refusal(place: &Path) -> Option<io::Error> {
    rustix::fs::access(place, rustix::fs::Access::WRITE_OK).err().map(io::Error::from)
}

#[cfg(not(unix))]
fn refusal(place: &Path) -> Option<io::Error> {
    let is_read_only = fs::metadata(place).is_ok_and(|about| about.permissions().readonly());
    is_read_only.then(|| io::ErrorKind::PermissionDenied.into())
}
