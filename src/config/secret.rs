//! Keys, which must not appear in a log, a status or an error.

use std::fmt;
use std::sync::Arc;

use subtle::ConstantTimeEq;

/// A key of a client or of an upstream. Printing it in any way shows a mask.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(Arc<str>);

impl ApiKey {
    /// Takes a key as it stands in the configuration.
    pub fn new(key: &str) -> Self {
        ApiKey(Arc::from(key))
    }

    /// The key itself: for the `Authorization` header of an upstream, and to scrub it out of texts.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Is `candidate` this key? Takes as long for a wrong key as for the right one.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(candidate).into()
    }
}

/// Enough to recognise one's own key by, too little to use: `sk-…Zk4Q`; nothing at all of a short one.
impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chars: Vec<char> = self.0.chars().collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_printed() {
        let key = ApiKey::new("sk-abcdefghijklmnopqrstuvwxyz");
        assert_eq!(format!("{key} {key:?}"), "sk-…wxyz ApiKey(sk-…wxyz)");
        assert_eq!(ApiKey::new("sk-123").to_string(), "***");
    }
}
