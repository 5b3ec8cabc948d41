//! Keys. No key may appear in a log, a status or an error.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use memchr::memmem::Finder;
use rand::RngCore;
use ring::digest::SHA256;
use subtle::ConstantTimeEq;

/// A shorter key is no secret: where no key is needed people type any text, maybe a part of common words.
const SHORTEST_SECRET: usize = 8;

/// A key of a client or of an upstream. Any print shows a mask.
#[derive(Clone)]
pub struct ApiKey(Arc<Key>);

struct Key {
    text: String,
    /// Finds the key in answers; `None` if the key is no secret.
    finder: Option<Finder<'static>>,
    /// What else goes along with each request of the account, and is as secret.
    beside: Vec<ApiKey>,
}

impl ApiKey {
    /// Takes a key from the configuration.
    pub fn new(key: &str) -> Self {
        let finder = (key.len() >= SHORTEST_SECRET).then(|| Finder::new(key).into_owned());
        ApiKey(Arc::new(Key { text: key.to_owned(), finder, beside: Vec::new() }))
    }

    /// Begins a client's key that was made here.
    pub const GENERATED_PREFIX: &str = "sk-at-";

    /// So many random bytes has a client's key: 256 bits.
    const GENERATED_BYTES: usize = 32;

    /// Makes a key of 256 random bits for a client.
    pub fn generate() -> Self {
        let mut bytes = [0; Self::GENERATED_BYTES];
        rand::rng().fill_bytes(&mut bytes);
        ApiKey::new(&format!("{}{}", Self::GENERATED_PREFIX, URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Returns the same key with other secrets of its account beside it: the values of fixed headers.
    pub fn with_beside(&self, beside: Vec<ApiKey>) -> Self {
        ApiKey(Arc::new(Key { text: self.0.text.clone(), finder: self.0.finder.clone(), beside }))
    }

    /// Returns the other secrets of the account.
    pub fn beside(&self) -> &[ApiKey] {
        &self.0.beside
    }

    /// Returns the key itself: for the `Authorization` header of an upstream, and to redact texts.
    pub fn expose(&self) -> &str {
        &self.0.text
    }

    /// Returns where the key stands in a text, if the key is a secret.
    pub fn find_in(&self, text: &[u8]) -> Option<usize> {
        self.0.finder.as_ref()?.find(text)
    }

    /// Returns whether the key is long enough to be a secret.
    pub fn is_secret(&self) -> bool {
        self.0.finder.is_some()
    }

    /// Is `candidate` this key? Takes as long for a wrong key as for the right one.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.expose().as_bytes().ct_eq(candidate).into()
    }
}

impl PartialEq for ApiKey {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for ApiKey {}

/// Enough to recognise one's own key by, too little to use: `sk-…Zk4Q`; nothing at all of a short one.
impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chars: Vec<char> = self.expose().chars().collect();
        match (chars.get(..3), chars.get(chars.len().saturating_sub(4)..)) {
            (Some(head), Some(tail)) if chars.len() >= 16 => {
                write!(f, "{}…{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
            }
            _ => f.write_str("***"),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({self})")
    }
}

/// What a client must know: a key of the configuration, or a key known to the configuration by digest only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientKey {
    /// The key.
    Plain(ApiKey),
    /// The SHA-256 of the key.
    Digest(KeyDigest),
}

/// The SHA-256 of a key.
pub(super) type KeyDigest = [u8; DIGEST_LEN];

/// Of SHA-256, in bytes.
const DIGEST_LEN: usize = 32;

/// What a digest begins with in the configuration.
const DIGEST_PREFIX: &str = "sha256:";

impl ClientKey {
    /// Takes a key from the configuration; `None` for a broken digest.
    pub(super) fn parse(typed: &str) -> Option<Self> {
        let Some(hex) = typed.strip_prefix(DIGEST_PREFIX) else { return Some(ClientKey::Plain(ApiKey::new(typed))) };
        let mut digest = [0; DIGEST_LEN];
        if hex.len() != 2 * DIGEST_LEN || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        for (i, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(ClientKey::Digest(digest))
    }

    /// Returns the digest, of a key in clear text as well.
    pub(super) fn digest(&self) -> KeyDigest {
        match self {
            ClientKey::Plain(key) => digest_of(key.expose().as_bytes()),
            ClientKey::Digest(digest) => *digest,
        }
    }

    /// Returns the digest of a key as the configuration has it: `sha256:…`.
    pub fn digest_of(key: &ApiKey) -> String {
        ClientKey::Plain(key.clone()).digest_text()
    }

    /// Returns the key's digest as the configuration has it.
    pub fn digest_text(&self) -> String {
        let digest = self.digest();
        digest.iter().fold(DIGEST_PREFIX.to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// Returns the key itself, if known.
    pub fn plain(&self) -> Option<String> {
        match self {
            ClientKey::Plain(key) => Some(key.expose().to_owned()),
            ClientKey::Digest(_) => None,
        }
    }
}

/// Returns the SHA-256 of a key.
pub(super) fn digest_of(key: &[u8]) -> KeyDigest {
    let mut digest = KeyDigest::default();
    digest.iter_mut().zip(ring::digest::digest(&SHA256, key).as_ref()).for_each(|(byte, made)| *byte = *made);
    digest
}

impl fmt::Display for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientKey::Plain(key) => key.fmt(f),
            ClientKey::Digest(digest) => {
                f.write_str(DIGEST_PREFIX)?;
                digest.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str("…")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_has_256_random_bits() {
        let [one, other] = [ApiKey::generate(), ApiKey::generate()];
        assert!(one != other && one.expose().len() == ApiKey::GENERATED_PREFIX.len() + 43, "{one:?}");
    }

    #[test]
    fn a_digest_lets_its_key_in_and_none_else() {
        // printf %s sk-pool | sha256sum
        let typed = "sha256:67af08925208c90be925e3a555fe44e8a1cef149772323b3d15dc43a392fc57d";
        let key = ClientKey::parse(typed).expect("a digest");
        assert_eq!(key.to_string(), "sha256:67af0892…");
        assert!(key.digest() == digest_of(b"sk-pool") && key.plain().is_none());
        assert!(key.digest() != digest_of(b"sk-poo") && key.digest() != digest_of(typed.as_bytes()));
        assert_eq!(ClientKey::parse("sk-pool").expect("a key").digest(), key.digest());
        for wrong in ["sha256:", "sha256:abc", &typed[..70], &format!("{typed}0"), &typed.replace('c', "g")] {
            assert_eq!(ClientKey::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = ApiKey::new("sk-abcdefghijklmnopqrstuvwxyz");
        assert_eq!(format!("{key} {key:?}"), "sk-…wxyz ApiKey(sk-…wxyz)");
        assert_eq!(ApiKey::new("sk-123").to_string(), "***");
    }
}
