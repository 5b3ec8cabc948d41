//! Secrets of realtime sessions (`ek_…`): made by an account for a client's key, and good for realtime alone, until they expire.
//!
//! 1. A secret is known by its digest. The secret itself is nowhere.
//! 2. A request with a secret counts for the client's key behind the secret, and goes to the account of the secret.
//! 3. All workers share the secrets. A secret outlives a reload, and ends with the process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use crate::types::{ApiId, KeyName, ObjectKey};

/// The most secrets. Beyond, the one that expires first goes.
const MOST_SECRETS: usize = 10_000;

/// A secret counts for a day at most, whatever the account says (ms).
const LONGEST_LIFE: i64 = 86_400_000;

/// Whose a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSecret {
    /// The account that made the secret.
    pub api: ApiId,
    /// The client's key that asked for the secret.
    pub key: KeyName,
    /// When the secret ends (ms since the Unix epoch).
    pub expires: i64,
}

/// The secrets of all workers.
#[derive(Debug, Default)]
pub struct ClientSecrets {
    known: Mutex<HashMap<ObjectKey, ClientSecret>>,
    /// How many are known: most pools have none.
    count: AtomicUsize,
}

impl ClientSecrets {
    /// Remembers whose a secret is, as of now (ms since the Unix epoch).
    pub fn remember(&self, secret: &str, whose: ClientSecret, now: i64) {
        let whose = ClientSecret { expires: whose.expires.min(now.saturating_add(LONGEST_LIFE)), ..whose };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_SECRETS {
            known.retain(|_, whose| whose.expires > now);
        }
        if known.len() >= MOST_SECRETS
            && let Some(first) = known.iter().min_by_key(|(_, whose)| whose.expires).map(|(key, _)| *key)
        {
            known.remove(&first);
        }
        known.insert(ObjectKey::of_id(secret), whose);
        self.count.store(known.len(), Ordering::Relaxed);
    }

    /// Returns whose a secret is, unless it has expired by now (ms since the Unix epoch).
    pub fn find(&self, secret: &str, now: i64) -> Option<ClientSecret> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&ObjectKey::of_id(secret)).filter(|whose| whose.expires > now).cloned()
    }
}

/// A secret in an answer.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct MadeSecret {
    pub(super) value: String,
    /// Seconds since the Unix epoch.
    pub(super) expires_at: i64,
}

impl MadeSecret {
    /// Reads the secret of an answer: the answer itself, or its member `client_secret`.
    pub(super) fn read(answer: &[u8]) -> Option<MadeSecret> {
        #[derive(Deserialize)]
        struct Session {
            client_secret: MadeSecret,
        }
        let in_session = || serde_json::from_slice(answer).ok().map(|session: Session| session.client_secret);
        let secret = serde_json::from_slice(answer).ok().or_else(in_session)?;
        Some(secret).filter(|secret: &MadeSecret| !secret.value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(expires: i64) -> ClientSecret {
        ClientSecret { api: ApiId::from("a"), key: KeyName::from("team"), expires }
    }

    #[test]
    fn a_secret_is_known_until_it_expires() {
        let secrets = ClientSecrets::default();
        assert_eq!(secrets.find("ek_1", 0), None);
        secrets.remember("ek_1", whose(1_000), 0);
        assert_eq!((secrets.find("ek_1", 999), secrets.find("ek_1", 1_000)), (Some(whose(1_000)), None));
        assert_eq!(secrets.find("ek_2", 0), None);
        secrets.remember("ek_3", whose(i64::MAX), 7);
        assert_eq!(secrets.find("ek_3", LONGEST_LIFE + 7), None);
    }

    #[test]
    fn beyond_the_bound_the_first_to_expire_goes() {
        let secrets = ClientSecrets::default();
        for n in 0..=MOST_SECRETS {
            secrets.remember(&format!("ek_{n}"), whose(1_000 + n as i64), 0);
        }
        assert_eq!((secrets.find("ek_0", 1), secrets.find("ek_1", 1)), (None, Some(whose(1_001))));
        // What has expired goes as a whole.
        secrets.remember("ek_new", whose(9_000_000), 500_000);
        assert_eq!(secrets.count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_secret_stands_at_the_top_or_in_the_session() {
        let made = |value: &str, expires_at| Some(MadeSecret { value: value.to_owned(), expires_at });
        for (answer, secret) in [
            (r#"{"value":"ek_1","expires_at":9,"session":{"id":"sess_1"}}"#, made("ek_1", 9)),
            (r#"{"id":"sess_1","client_secret":{"value":"ek_2","expires_at":8}}"#, made("ek_2", 8)),
            (r#"{"id":"sess_1","client_secret":null}"#, None),
            (r#"{"value":"","expires_at":9}"#, None),
            (r#"{"value":"ek_1"}"#, None),
            ("[]", None),
        ] {
            assert_eq!(MadeSecret::read(answer.as_bytes()), secret, "{answer}");
        }
    }
}
