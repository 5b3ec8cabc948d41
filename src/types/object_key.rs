//! The name of an object that lives on an upstream: a response, an output item, a conversation, or encrypted reasoning.

use std::hash::{Hash, Hasher};

use ring::digest::{Context, SHA256};

/// A hash of an object's name, the same in every process and of one length for every name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey([u8; ObjectKey::LEN]);

impl ObjectKey {
    /// The length in bytes. Of a million keys, two are equal by chance once in 10^26 pools.
    pub const LEN: usize = 16;

    /// Returns the key of an object with this id.
    pub fn of_id(id: &str) -> Self {
        ObjectKey::hashed(b"id", id)
    }

    /// Returns the key of encrypted content: clients may send the content without the id of its item.
    pub fn of_content(content: &str) -> Self {
        ObjectKey::hashed(b"content", content)
    }

    fn hashed(namespace: &[u8], name: &str) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(namespace);
        context.update(b":");
        context.update(name.as_bytes());
        // SHA-256 has 32 bytes.
        let hash = context.finish().as_ref().first_chunk().copied().unwrap_or_default();
        ObjectKey(hash)
    }

    /// Returns the key as it is stored.
    pub fn as_bytes(&self) -> &[u8; ObjectKey::LEN] {
        &self.0
    }

    /// Returns the key with these stored bytes.
    pub fn from_bytes(bytes: [u8; ObjectKey::LEN]) -> Self {
        ObjectKey(bytes)
    }
}

impl Hash for ObjectKey {
    /// The bytes are a hash already: a part of them is as good as all.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let part = self.0.first_chunk().copied().unwrap_or_default();
        state.write_u64(u64::from_le_bytes(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_the_same_from_build_to_build_and_differ_by_kind() {
        let key = ObjectKey::of_id("rs_1");
        assert_eq!(key, ObjectKey::of_id("rs_1"));
        assert_eq!(key.as_bytes()[..4], [6, 66, 98, 41]);
        assert_ne!(key, ObjectKey::of_id("rs_2"));
        assert_ne!(key, ObjectKey::of_content("rs_1"));
        assert_eq!(ObjectKey::from_bytes(*key.as_bytes()), key);
    }
}
