//! Whose key a presented key is.
//!
//! 1. Keys are found by their SHA-256. Whoever measures the time of the search learns something of digests, and nothing of keys.
//! 2. A thousand keys take no longer than one.

use std::fmt;
use std::sync::Arc;

use super::keys::{Access, KeyConfig};
use crate::config::secret::{KeyDigest, digest_of};
use crate::types::{KeyName, QuickMap};

/// Who sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A key of `server.adminKeys`: reads and resets.
    Admin(KeyName),
    /// A key of `server.viewerKeys`: reads.
    Viewer(KeyName),
    /// A client, with its key.
    Client(Arc<KeyConfig>),
}

/// All keys that let somebody in, by digest.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyOwners {
    owners: QuickMap<KeyDigest, Identity>,
    /// Whoever presents no key.
    everybody: Option<Arc<KeyConfig>>,
}

impl KeyOwners {
    /// Creates the index of these keys. No key belongs to two.
    pub(in crate::config) fn new(clients: &[Arc<KeyConfig>], access: &Access) -> KeyOwners {
        let of_client = |key: &Arc<KeyConfig>| {
            let identity = Identity::Client(key.clone());
            key.secrets.iter().map(move |secret| (secret.digest(), identity.clone())).collect::<Vec<_>>()
        };
        let admins = access.admins.iter().map(|key| (key.secret.digest(), Identity::Admin(key.name.clone())));
        let viewers = access.viewers.iter().map(|key| (key.secret.digest(), Identity::Viewer(key.name.clone())));
        KeyOwners {
            owners: clients.iter().flat_map(of_client).chain(admins).chain(viewers).collect(),
            everybody: clients.iter().find(|key| key.secrets.is_empty()).cloned(),
        }
    }

    /// Returns whose key this is.
    pub fn of(&self, presented: &[u8]) -> Option<&Identity> {
        self.owners.get(&digest_of(presented))
    }

    /// Returns the key of clients that need none, if there is such a key.
    pub fn everybody(&self) -> Option<&Arc<KeyConfig>> {
        self.everybody.as_ref()
    }
}

/// Digests are not shown.
impl fmt::Debug for KeyOwners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyOwners({})", self.owners.len())
    }
}
