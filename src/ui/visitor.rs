//! Visitors of the dashboard, and the rights of each.

use crate::config::{Config, DEFAULT_KEY, Identity};
use crate::types::{KeyName, Now};

/// What a visitor may see and do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rights {
    /// Sees everything, changes everything.
    Admin,
    /// Sees everything.
    Viewer,
    /// Sees the use of the visitor's own key.
    Client,
}

/// Somebody with a right key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Visitor {
    /// The name of the key.
    pub(super) name: KeyName,
    pub(super) rights: Rights,
}

impl Visitor {
    /// Returns what the holder of a key may. Keys of `server.apiKey(s)` are an admin's where there is no operator's key: the pages
    /// are then on loopback only.
    pub(super) fn of(holder: &Identity, config: &Config) -> Option<Visitor> {
        let name = holder.name().clone();
        let rights = match holder {
            Identity::Admin(_) => Rights::Admin,
            Identity::Viewer(_) => Rights::Viewer,
            Identity::Client(key) if key.is_default() && !config.access.has_operators() => Rights::Admin,
            Identity::Client(key) if key.enabled && !key.is_expired(Now::read().wall) => Rights::Client,
            Identity::Client(_) => return None,
        };
        Some(Visitor { name, rights })
    }

    /// Returns who comes in without a key: where clients need none, whoever reaches the loopback sees everything, and changes
    /// nothing.
    pub(super) fn without_key(config: &Config) -> Option<Visitor> {
        let is_open = !config.wants_key() && !config.access.has_operators();
        let name = config.keys.iter().find(|key| key.name.as_str() == DEFAULT_KEY)?.name.clone();
        is_open.then_some(Visitor { name, rights: Rights::Viewer })
    }

    pub(super) fn is_admin(&self) -> bool {
        self.rights == Rights::Admin
    }

    pub(super) fn is_operator(&self) -> bool {
        self.rights != Rights::Client
    }
}
