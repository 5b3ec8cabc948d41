//! Identifiers that must not be confused with each other or with plain text.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The `id` of an entry of `apis`: what its quotas and statistics belong to, across reloads and restarts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiId(Arc<str>);

impl ApiId {
    /// The id as it stands in the configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ApiId {
    fn from(id: &str) -> Self {
        ApiId(Arc::from(id))
    }
}

impl fmt::Display for ApiId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Our own name for a request, sent as `x-request-id` unless the upstream gave one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A fresh id: 96 random bits, so that ids of many replicas don't meet.
    pub fn generate() -> Self {
        RequestId(Arc::from(format!("req_{:016x}{:08x}", rand::random::<u64>(), rand::random::<u32>())))
    }

    /// The id as it is sent and logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
