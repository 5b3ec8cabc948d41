//! The kept files on disk, private to the owner of the process.
//!
//! 1. Of each file there is a record (`NAME.json`), and as long as the bytes are kept the form of the upload (`NAME.form`). The name is a
//!    hash of the file's id.
//! 2. A file on disk comes by a rename, whole. The form comes before the record, so a form without a record is a rest.
//! 3. What a killed process left is removed at the next start: rests, damaged records, temporary files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::index::{Dropped, IndexedFile};
use super::record::FileRecord;
use crate::proxy::client_request::FormSource;
use crate::types::ObjectKey;

/// The begin of the name of a file that is being written.
const UNFINISHED: &str = ".tmp";

/// The longest record, in bytes: headers, a query, and the ids of a thousand copies.
const LONGEST_RECORD: u64 = 1 << 20;

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct FileFolder(PathBuf);

impl FileFolder {
    pub(super) fn new(path: PathBuf) -> FileFolder {
        FileFolder(path)
    }

    /// Reads all records, and removes the rests of a killed process.
    pub(super) fn sweep(&self) -> Vec<IndexedFile> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let (mut files, mut others) = (Vec::new(), Vec::new());
        for path in entries.map(|entry| entry.path()) {
            let is_record = path.extension().is_some_and(|kind| kind == "json");
            match is_record.then(|| self.restore(&path)).flatten() {
                Some(file) => files.push(file),
                None => others.push(path),
            }
        }
        let mut wanted: Vec<PathBuf> = Vec::with_capacity(files.len());
        wanted.extend(files.iter().filter(|file| file.has_bytes).map(|file| self.form_path(&file.record.key())));
        wanted.sort_unstable();
        for path in others.iter().filter(|path| wanted.binary_search(path).is_err() && path.is_file()) {
            log::info!("removing {}, which is no whole file", path.display());
            let _ = fs::remove_file(path);
        }
        files
    }

    fn restore(&self, path: &Path) -> Option<IndexedFile> {
        let is_short = fs::metadata(path).is_ok_and(|found| found.len() <= LONGEST_RECORD);
        let record = FileRecord::read(&is_short.then(|| fs::read(path)).transpose().ok()??)?;
        let form = fs::metadata(self.form_path(&record.key()));
        let has_bytes = form.is_ok_and(|form| form.is_file() && form.len() == record.length);
        let is_of_use = has_bytes || !record.copies.is_empty();
        let is_own = self.record_path(&record.key()) == *path;
        (is_of_use && is_own).then(|| IndexedFile { record: Arc::new(record), has_bytes })
    }

    /// Writes a form and its record.
    pub(super) fn keep(&self, record: &FileRecord, form: &FormSource) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        self.replace(&self.form_path(&record.key()), |file| match form {
            FormSource::Memory(bytes) => file.write_all(bytes),
            FormSource::Disk(spooled) => spooled.copy_to(file),
        })?;
        self.write_record(record)
    }

    /// Writes a record in the place of the former one.
    pub(super) fn write_record(&self, record: &FileRecord) -> io::Result<()> {
        let text = serde_json::to_vec(record)?;
        self.replace(&self.record_path(&record.key()), |file| file.write_all(&text))
    }

    /// Opens a form.
    pub(super) fn open(&self, file: &ObjectKey) -> io::Result<File> {
        File::open(self.form_path(file))
    }

    /// Removes what is not to be kept any more.
    pub(super) fn remove(&self, dropped: &[Dropped]) {
        for Dropped { file, bytes_only } in dropped {
            // The record first: a form alone is a rest. What is not there need not be removed.
            if !bytes_only {
                let _ = fs::remove_file(self.record_path(file));
            }
            let _ = fs::remove_file(self.form_path(file));
        }
    }

    fn replace(&self, path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        // Only the owner of the process can read such a file.
        let mut unfinished = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.0)?;
        write(unfinished.as_file_mut())?;
        unfinished.as_file().sync_data()?;
        unfinished.persist(path).map_err(io::Error::from)?;
        Ok(())
    }

    fn form_path(&self, file: &ObjectKey) -> PathBuf {
        self.0.join(format!("{}.form", name_of(file)))
    }

    fn record_path(&self, file: &ObjectKey) -> PathBuf {
        self.0.join(format!("{}.json", name_of(file)))
    }
}

fn name_of(file: &ObjectKey) -> String {
    file.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use actix_web::web::Bytes;

    use super::*;
    use crate::proxy::file_copies::record::VERSION;
    use crate::types::{ApiId, WireFormat};

    fn record(id: &str, length: u64) -> FileRecord {
        let (headers, query) = (Vec::new(), String::new());
        let (copies, losses) = (BTreeMap::new(), BTreeMap::new());
        FileRecord {
            version: VERSION,
            id: id.into(),
            format: WireFormat::OpenAi,
            headers,
            query,
            length,
            at: 1,
            copies,
            losses,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("reads").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_whole_files_stay() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = FileFolder::new(home.path().join("files"));
        assert!(folder.sweep().is_empty(), "no folder is no file");
        let form = FormSource::Memory(Bytes::from_static(b"form"));
        for id in ["whole", "cut", "copied"] {
            folder.keep(&record(id, 4), &form).expect("writes");
        }
        let copied = FileRecord { copies: BTreeMap::from([(ApiId::from("b"), "x".into())]), ..record("copied", 4) };
        folder.write_record(&copied).expect("writes");
        fs::remove_file(folder.form_path(&copied.key())).expect("removes");
        fs::write(folder.form_path(&ObjectKey::of_id("cut")), b"for").expect("writes");
        fs::write(folder.form_path(&ObjectKey::of_id("alone")), b"form").expect("writes");
        fs::write(folder.0.join(".tmpAbC"), b"fo").expect("writes");
        fs::write(folder.0.join("0.json"), b"{").expect("writes");
        let mut kept: Vec<(String, bool)> =
            folder.sweep().into_iter().map(|file| (file.record.id.clone(), file.has_bytes)).collect();
        kept.sort_unstable();
        assert_eq!(kept, [("copied".to_owned(), false), ("whole".to_owned(), true)]);
        let whole = name_of(&ObjectKey::of_id("whole"));
        let mut wanted =
            vec![format!("{}.json", name_of(&copied.key())), format!("{whole}.form"), format!("{whole}.json")];
        wanted.sort_unstable();
        assert_eq!(names(&folder.0), wanted);
        folder.remove(&[Dropped { file: ObjectKey::of_id("whole"), bytes_only: false }]);
        assert_eq!(names(&folder.0).len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_of_the_process_can_read_a_kept_file() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().expect("a folder");
        let folder = FileFolder::new(home.path().to_owned());
        folder.keep(&record("one", 4), &FormSource::Memory(Bytes::from_static(b"form"))).expect("writes");
        for name in names(&folder.0) {
            let mode = fs::metadata(folder.0.join(&name)).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
