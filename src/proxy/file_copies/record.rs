//! What is remembered of one file: how the file was uploaded, and the ids of its copies.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::types::{ApiId, ObjectKey, WireFormat};

/// The present form of the record.
pub(in crate::proxy) const VERSION: u32 = 1;

/// A file that a client uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::proxy) struct FileRecord {
    pub(in crate::proxy) version: u32,
    /// By the word of the account that took the upload.
    pub(in crate::proxy) id: String,
    pub(in crate::proxy) format: WireFormat,
    /// The headers of the upload that the form needs.
    pub(in crate::proxy) headers: Vec<(String, String)>,
    /// The query of the upload.
    pub(in crate::proxy) query: String,
    /// The length of the form, in bytes.
    pub(in crate::proxy) length: u64,
    /// When the file was uploaded (ms since the Unix epoch).
    pub(in crate::proxy) at: i64,
    /// The ids of the copies, by account.
    pub(in crate::proxy) copies: BTreeMap<ApiId, String>,
    /// When an account last did not know its copy (ms since the Unix epoch).
    #[serde(default)]
    pub(in crate::proxy) losses: BTreeMap<ApiId, i64>,
}

impl FileRecord {
    /// Returns the name of the file among objects.
    pub(in crate::proxy) fn key(&self) -> ObjectKey {
        ObjectKey::of_id(&self.id)
    }

    /// Forgets a copy that the account does not know. Returns whether the copy may be made again: not soon after a loss, as the answer
    /// may have been about something else.
    pub(super) fn lose_copy(&mut self, api: &ApiId, now: i64) -> bool {
        if self.losses.get(api).is_some_and(|last| last.saturating_add(LOST_ONCE_IN_MS) > now) {
            return false;
        }
        let is_known = self.copies.remove(api).is_some();
        if is_known {
            self.losses.insert(api.clone(), now);
        }
        is_known
    }

    /// Reads a record; `None` if the bytes are none of the present form.
    pub(super) fn read(bytes: &[u8]) -> Option<FileRecord> {
        serde_json::from_slice(bytes).ok().filter(|record: &FileRecord| record.version == VERSION)
    }
}

/// Returns the id in an account's answer to an upload, if the id can stand in JSON and in a path as it is.
pub(in crate::proxy) fn uploaded_id(answer: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Uploaded {
        id: String,
    }
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'@' | b'=' | b'~');
    let Uploaded { id } = serde_json::from_slice(answer).ok()?;
    let is_name = !id.is_empty() && id.len() <= LONGEST_ID && !id.starts_with('.');
    Some(id).filter(|id| is_name && id.bytes().all(is_plain))
}

/// A copy is taken for lost once in this time (ms).
const LOST_ONCE_IN_MS: i64 = 600_000;

/// The longest id, in bytes.
const LONGEST_ID: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_lost_once_in_a_while() {
        let api = ApiId::from("b");
        let copies = BTreeMap::from([(api.clone(), "file-b".to_owned())]);
        let (headers, query, losses) = (Vec::new(), String::new(), BTreeMap::new());
        let (id, format) = ("file-a".to_owned(), WireFormat::OpenAi);
        let mut record = FileRecord { version: VERSION, id, format, headers, query, length: 1, at: 0, copies, losses };
        assert!(record.lose_copy(&api, 5) && record.copies.is_empty());
        record.copies.insert(api.clone(), "file-b1".to_owned());
        assert!(!record.lose_copy(&api, LOST_ONCE_IN_MS + 4) && record.copies.len() == 1);
        assert!(record.lose_copy(&api, LOST_ONCE_IN_MS + 5));
        assert!(!record.lose_copy(&ApiId::from("c"), 5), "there is none");
        assert_eq!(FileRecord::read(&serde_json::to_vec(&record).expect("JSON")), Some(record));
    }

    #[test]
    fn an_id_that_could_leave_its_place_is_none() {
        let id = |answer: &str| uploaded_id(answer.as_bytes());
        assert_eq!(id(r#"{"id":"file-1","object":"file"}"#).as_deref(), Some("file-1"));
        for answer in [
            r#"{"id":""}"#,
            r#"{"id":"a/b"}"#,
            r#"{"id":"a\"b"}"#,
            r#"{"id":".."}"#,
            r#"{"id":7}"#,
            "[]",
            "",
            r#"{"x":"y"}"#,
        ] {
            assert_eq!(id(answer), None, "{answer}");
        }
    }
}
