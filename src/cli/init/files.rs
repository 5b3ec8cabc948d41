//! The files of `init`: a configuration that was not there before, and lines behind those of `.env`. Both are their owner's alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::config::ApiKey;

/// Writes a file that must not be there yet, and the folders above.
pub(in crate::cli) fn write_new(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file would stand in the way of the next try.
        let _ = fs::remove_file(path);
    }
    written
}

/// Returns what lets this user write a file, if that is what is missing.
pub(in crate::cli) fn writable_mend(path: &Path, why: io::ErrorKind) -> Option<String> {
    matches!(why, io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem).then_some(())?;
    let path = std::path::absolute(path).ok()?;
    let folder = path.ancestors().skip(1).find(|folder| folder.exists())?;
    Some(format!("let this user write in {} (chmod u+rwx, or another owner)", folder.display()))
}

/// Appends variables to a file of lines `NAME=value`, which is made if it is not there.
pub(super) fn append_variables(path: &Path, variables: &[(String, ApiKey)]) -> io::Result<()> {
    if variables.is_empty() {
        return Ok(());
    }
    let before = match fs::read(path) {
        Ok(before) => before,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(e),
    };
    let mut text = String::new();
    if !before.is_empty() && !before.ends_with(b"\n") {
        text.push('\n');
    }
    for (name, value) in variables {
        text.push_str(&format!("{name}={}\n", quoted(value.expose())));
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Returns a value as readers of such files, and shells, take it for itself.
fn quoted(value: &str) -> String {
    let is_plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./+=:,@%".contains(&b));
    if is_plain { value.to_owned() } else { format!("'{}'", value.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_named_in_which_nobody_may_write() {
        let folder = std::env::temp_dir();
        let told = |path: &str, why| writable_mend(&folder.join(path), why);
        let wanted = format!("let this user write in {} (chmod u+rwx, or another owner)", folder.display());
        assert_eq!(told("not-there/nor-this/apis.json", io::ErrorKind::PermissionDenied), Some(wanted));
        assert_eq!(told("x", io::ErrorKind::NotFound), None);
    }

    #[test]
    fn a_value_stands_in_quotes_where_it_must() {
        for (value, written) in [("gsk_a-1.2=", "gsk_a-1.2="), ("a$b", "'a$b'"), ("#a", "'#a'"), ("a\"b", "'a\"b'")] {
            assert_eq!(quoted(value), written);
        }
    }
}
