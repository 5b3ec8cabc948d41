//! Which text of the configuration somebody saw.

use std::fmt;
use std::str::FromStr;

use ring::digest::{Digest, SHA256, digest};

/// The SHA-256 of a text of the configuration, in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextHash(String);

impl TextHash {
    /// Returns the hash of a text.
    pub(in crate::config) fn of(text: &str) -> TextHash {
        let digest: Digest = digest(&SHA256, text.as_bytes());
        TextHash(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Display for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TextHash {
    type Err = &'static str;

    /// Reads what `Display` writes.
    fn from_str(typed: &str) -> Result<Self, &'static str> {
        let is_hash = typed.len() == 64 && typed.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash { Ok(TextHash(typed.to_owned())) } else { Err("is no hash of a text") }
    }
}
