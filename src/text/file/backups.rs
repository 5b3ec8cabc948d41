//! Copies of a file's old texts beside the file, with the time in the name. The newest [`MOST_BACKUPS`] are kept.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Zoned;

use super::{beside, private};
use crate::types::sorted;

/// So many backups of a file are kept.
const MOST_BACKUPS: usize = 5;

/// The time in the name of a backup, and the number behind the time.
type Age = (String, u32);

/// Writes a file's text beside the file, under a name that nothing has yet. Only the owner can read the copy: there may be a key in
/// it, and nobody else reads a backup.
pub(super) fn back_up(path: &Path, text: &str) -> io::Result<PathBuf> {
    let time = Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
    let of_this_second = backups(path).pop().filter(|((newest, _), _)| *newest == time.replace('-', ""));
    let next = of_this_second.map_or(0, |((_, nth), _)| nth.saturating_add(1));
    let names = (next..100).map(|nth| if nth == 0 { time.clone() } else { format!("{time}-{nth}") });
    for backup in names.map(|name| beside(path, "", &format!(".{name}.bak"))) {
        match private(&backup) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                return Ok(backup);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are a hundred backups of this second"))
}

/// Removes all backups of a file but the newest. One that can't be removed does no harm.
pub(super) fn remove_old(path: &Path) {
    let backups = backups(path);
    let too_many = backups.len().saturating_sub(MOST_BACKUPS);
    for (_, path) in backups.into_iter().take(too_many) {
        let _ = fs::remove_file(path);
    }
}

/// Returns the backups of a file, the oldest first.
fn backups(path: &Path) -> Vec<(Age, PathBuf)> {
    let name = beside(path, "", ".");
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut backups: Vec<_> = files.filter_map(|path| Some((age(&name, &path)?, path))).collect();
    sorted::sort(&mut backups);
    backups
}

/// Returns how old a backup is. `file`: the name of the file, with a dot.
fn age(file: &Path, path: &Path) -> Option<Age> {
    let (file, name) = (file.file_name()?.to_str()?, path.file_name()?.to_str()?);
    let time = name.strip_prefix(file)?.strip_suffix(".bak")?;
    let mut parts = time.split('-');
    let (day, second, nth) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    let is_time = day.len() == 8 && second.len() == 6 && parts.next().is_none();
    let is_number = [day, second].concat().bytes().all(|b| b.is_ascii_digit());
    (is_time && is_number).then_some((format!("{day}{second}"), nth.parse().ok()?))
}
