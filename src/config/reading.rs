//! Reads the files of a configuration: a text of bounded size in UTF-8, and JSON in the text. Says why a file can't be read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use super::json::Unambiguous;
use super::problem::Problem;
use super::syntax;

/// The largest file, in bytes. Ten thousand accounts have three megabytes.
pub(crate) const LARGEST: u64 = 16 << 20;

/// Why there is no configuration. The text never holds a value of the file, so never a key.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// A file can't be read.
    #[error("{}: can't be read: {why}; {mend}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
        /// What to do.
        mend: String,
    },
    /// A file is not JSON, or says a thing twice.
    #[error("{}:{line}:{column}: {why}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// The mistake, and the line without its values.
        why: String,
    },
    /// A file has mistakes.
    #[error("{}: {}", path.display(), Problem::listed(problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Vec<Problem>,
    },
}

/// A kind of file, for messages.
#[derive(Debug)]
pub(super) struct FileKind {
    /// The option that names such a file.
    option: &'static str,
    /// What else there is to do without one.
    instead: &'static str,
    /// What to do about an empty one.
    begin: &'static str,
}

/// The configuration.
pub(super) const CONFIGURATION: FileKind = FileKind {
    option: "--config",
    instead: "write one with `api-together init`, name another with --config, or try `api-together demo`",
    begin: "begin with `api-together init`, or with config/apis.example.json",
};

/// The presets beside.
pub(super) const PRESETS: FileKind = FileKind {
    option: "--presets",
    instead: "name another with --presets",
    begin: "remove the file, or begin with what `api-together presets NAME` prints",
};

/// Reads a text.
///
/// # Errors
/// As of the system; and if the file is too large or not in UTF-8.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let length = File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if length as u64 > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("is larger than {} MiB", LARGEST >> 20)));
    }
    // JSON and keys have no NUL. UTF-16 has one in each Latin letter.
    if matches!(&*bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) || bytes.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "is no text in UTF-8, but perhaps in UTF-16"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "is no text in UTF-8"))
}

/// Returns a text without its byte-order mark, which an editor on Windows may have put in front.
pub(super) fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

/// Returns what a text says.
///
/// # Errors
/// With the place of the mistake, the line and the mend.
pub(super) fn document(path: &Path, text: &str, kind: &FileKind) -> Result<Value, ConfigError> {
    let text = without_mark(text);
    serde_json::from_str(text).map(|Unambiguous(document)| document).map_err(|e| {
        // serde_json's texts name an expected token, and ours the name of a field, never a value.
        let why = e.to_string();
        let (line, column) = syntax::place(text, &e);
        let why = if text.trim().is_empty() {
            format!("is empty; {}", kind.begin)
        } else {
            syntax::mistake(text, line, column, why.split(" at line ").next().unwrap_or_default())
        };
        ConfigError::Syntax { path: path.to_owned(), line, column, why }
    })
}

impl ConfigError {
    /// Returns the error for a file that can't be read.
    pub(super) fn unreadable(path: &Path, why: io::Error, kind: &FileKind) -> ConfigError {
        let (option, reason) = (kind.option, why.kind());
        let mend = if reason == io::ErrorKind::NotFound {
            kind.instead.to_owned()
        } else if reason == io::ErrorKind::PermissionDenied {
            "let the server's user read it (chown, chmod 600)".to_owned()
        } else if reason == io::ErrorKind::IsADirectory {
            format!("{option} takes the file, not its folder")
        } else if reason == io::ErrorKind::InvalidData {
            "save it as UTF-8".to_owned()
        } else {
            format!("name another with {option}")
        };
        ConfigError::Unreadable { path: path.to_owned(), why, mend }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::config::{ConfigSource, Overrides, load};

    /// What is said of a configuration with this content.
    fn told(content: &[u8]) -> String {
        let path = std::env::temp_dir().join(format!("api-together-reading-{}.json", std::process::id()));
        fs::write(&path, content).expect("writes");
        let loaded = load(&ConfigSource { path: path.clone(), overrides: Overrides::default() });
        fs::remove_file(path).expect("is ours to remove");
        loaded.expect_err("no configuration").to_string()
    }

    #[test]
    fn a_file_that_is_no_text_has_the_mend() {
        let utf16: Vec<u8> = "{\"apis\": []}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for content in [[&[0xff, 0xfe], &*utf16].concat(), utf16] {
            let told = told(&content);
            assert!(told.ends_with("perhaps in UTF-16; save it as UTF-8"), "{told}");
        }
        assert!(told(b"{\"apis\": \"\xff\"}").ends_with("is no text in UTF-8; save it as UTF-8"));
        assert!(told(b" \n").contains("is empty; begin with `api-together init`"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_without_end_ends_at_the_bound() {
        let source = ConfigSource { path: "/dev/zero".into(), overrides: Overrides::default() };
        let told = load(&source).expect_err("no configuration").to_string();
        assert_eq!(told, "/dev/zero: can't be read: is larger than 16 MiB; name another with --config");
    }
}
