//! The audit log of the dashboard: a line of JSON in `audit.jsonl` of the data folder for each change by a person.
//!
//! A line has the time, the name of the key, the address, and the change, and never a secret. A file beyond [`LARGEST`] is renamed to
//! `audit.old.jsonl`, and replaces the file of that name.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The largest file, in bytes: some 40,000 changes.
const LARGEST: u64 = 8 << 20;

/// How much of the file's end is read for a page, in bytes.
const READ: u64 = 64 << 10;

/// A change, or a refused change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AuditEntry {
    /// ISO 8601, in UTC.
    pub(super) at: String,
    /// The name of the admin's key.
    pub(super) by: String,
    /// The address of the browser.
    pub(super) from: String,
    /// What was asked for, in English, for who reads the file.
    pub(super) what: String,
    /// The path of the form below `/ui/`. None in lines of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<String>,
    /// The account or the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<String>,
    /// How long, or which fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
    /// Whether the change was done.
    pub(super) done: bool,
}

/// The audit log on disk.
#[derive(Debug, Clone)]
pub(super) struct AuditFile(PathBuf);

impl AuditFile {
    /// Returns the log of a data folder.
    pub(super) fn of(folder: &Path) -> AuditFile {
        AuditFile(folder.join("audit.jsonl"))
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn append(&self, entry: &AuditEntry) -> io::Result<()> {
        if fs::metadata(&self.0).is_ok_and(|file| file.len() > LARGEST) {
            fs::rename(&self.0, self.0.with_extension("old.jsonl"))?;
        }
        let mut line = serde_json::to_string(entry)?;
        line.push('\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }

    /// Returns the last entries, the newest first. A line cut by a crash is left out.
    pub(super) fn last(&self, most: usize) -> Vec<AuditEntry> {
        let Ok(text) = self.end() else { return Vec::new() };
        text.lines().rev().filter_map(|line| serde_json::from_str(line).ok()).take(most).collect()
    }

    fn end(&self) -> io::Result<String> {
        let mut file = fs::File::open(&self.0)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(READ)))?;
        let mut bytes = Vec::new();
        file.take(READ).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_the_newest_first_and_a_cut_line_is_left_out() {
        let folder = std::env::temp_dir().join(format!("api-together-audit-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let file = AuditFile::of(&folder);
        assert_eq!(file.last(5), []);
        // As an older version writes a line.
        let old = r#"{"at": "2026-11-28T15:00:00.000Z", "by": "ops", "from": "::1", "what": "rest", "done": false}"#;
        fs::write(folder.join("audit.jsonl"), format!("{old}\n")).expect("writes");
        assert_eq!(file.last(5).len(), 1);
        let entry = |what: &str| AuditEntry {
            at: "2026-11-28T16:00:00.000Z".to_owned(),
            by: "ops".to_owned(),
            from: "127.0.0.1".to_owned(),
            what: what.to_owned(),
            action: None,
            of: None,
            detail: None,
            done: true,
        };
        for what in ["one", "two\nlines \"quoted\"", "three"] {
            file.append(&entry(what)).expect("writes");
        }
        let mut cut = OpenOptions::new().append(true).open(folder.join("audit.jsonl")).expect("opens");
        cut.write_all(b"{\"at\": \"2026").expect("writes");
        assert_eq!(file.last(2), [entry("three"), entry("two\nlines \"quoted\"")]);
        fs::remove_dir_all(folder).expect("is ours to remove");
    }
}
