//! Who may come in: the keys of clients, with their rights and limits, and the keys of people who operate the pool.
//!
//! 1. `keys` are clients' keys with names. `server.apiKey(s)` are one more, [`DEFAULT_KEY`], without limits.
//! 2. Without any client's key every client is let in, and counts as [`DEFAULT_KEY`].
//! 3. A key of `server.adminKeys` or `server.viewerKeys` calls no models.

use std::sync::Arc;

use super::QuotaConfig;
use crate::config::secret::ClientKey;
use crate::types::{KeyName, Limits, NameList};

/// The name of the keys in `server.apiKey(s)`, and of clients without a key where none is needed.
pub const DEFAULT_KEY: &str = "default";

/// The name of the key of what the dashboard itself sends. An entry of `keys` may have this name: then the entry's limits hold.
pub const DASHBOARD_KEY: &str = "dashboard";

/// A client's key, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyConfig {
    /// Unique.
    pub name: KeyName,
    /// What a client must present: one of these. None where every client is let in.
    pub secrets: Vec<ClientKey>,
    /// The models that may be asked for, by the name in the request; `None` for all.
    pub models: Option<Arc<NameList>>,
    /// The ids of the APIs that may serve; `None` for all.
    pub apis: Option<Arc<NameList>>,
    /// The limits of the key.
    pub quota: QuotaConfig,
    /// How much may be spent.
    pub budgets: Vec<KeyBudget>,
    /// The end, in ms since the Unix epoch.
    pub expires: Option<i64>,
    /// `enabled`, and no limit is 0.
    pub enabled: bool,
}

/// So much money in each period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBudget {
    /// In billionths of a dollar.
    pub nanodollars: u64,
    /// The period, as typed.
    pub per: Arc<str>,
}

impl KeyConfig {
    /// Returns a key without secrets, rights to bound and limits.
    pub fn unlimited(name: &str) -> KeyConfig {
        KeyConfig {
            name: KeyName::from(name),
            secrets: Vec::new(),
            models: None,
            apis: None,
            quota: QuotaConfig {
                limits: Limits::default(),
                models: Default::default(),
                more: Vec::new(),
                reset: quota::Reset::LocalMidnight,
            },
            budgets: Vec::new(),
            expires: None,
            enabled: true,
        }
    }

    /// Returns whether this is the key of `server.apiKey(s)`, which has no entry of its own.
    pub fn is_default(&self) -> bool {
        self.name.as_str() == DEFAULT_KEY
    }

    /// Returns whether the key is over at this wall time (ms).
    pub fn is_expired(&self, wall_ms: i64) -> bool {
        self.expires.is_some_and(|end| end <= wall_ms)
    }

    /// Returns whether a model may be asked for by this name.
    pub fn may_ask_for(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| models.has(model))
    }
}

/// Who operates the pool, and whether the pool may be open to all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// May read and reset.
    pub admins: Vec<OperatorKey>,
    /// May read.
    pub viewers: Vec<OperatorKey>,
    /// `server.open`: the pool may listen to the network without any client's key.
    pub open: bool,
}

impl Access {
    /// Returns whether there is any operator's key: then clients' keys read nothing of the pool's state.
    pub fn has_operators(&self) -> bool {
        !self.admins.is_empty() || !self.viewers.is_empty()
    }
}

/// A key of a person who operates the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorKey {
    /// For logs: as configured, or else `admin` or `viewer`.
    pub name: KeyName,
    /// The key.
    pub secret: ClientKey,
}
