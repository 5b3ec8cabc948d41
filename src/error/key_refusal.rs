//! What a key may not: the refusals of keys that are known. All come before any upstream is called.

use thiserror::Error;

use super::table::{self, ErrorRow};
use crate::types::{KeyName, iso};

/// Why a known key is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyRefusal {
    /// `expires` is over.
    #[error("the key {key} ended at {}; ask whoever runs this pool for another", iso(*.end))]
    Expired {
        /// The key.
        key: KeyName,
        /// The end, in ms since the Unix epoch.
        end: i64,
    },
    /// `enabled` is false, or a limit is 0.
    #[error("the key {0} is disabled; ask whoever runs this pool")]
    Disabled(KeyName),
    /// The model is not among the key's.
    #[error("the key {key} may not use the model {model:?}; it may use {allowed}")]
    ModelNotAllowed {
        /// The key.
        key: KeyName,
        /// As asked for.
        model: String,
        /// The key's models, as typed.
        allowed: String,
    },
    /// The request runs a model whose name stands elsewhere, in a file or with another object.
    #[error(
        "the key {key} may use {allowed} only, and what this path runs can't be seen here; ask for a key without models"
    )]
    ModelUnseen {
        /// The key.
        key: KeyName,
        /// The key's models, as typed.
        allowed: String,
    },
    /// Every API that serves the model is closed to the key.
    #[error("no API that is open to this key (its apis) {}holds the object that the request names", or_serves(.0))]
    NoApiAllowed(String),
    /// An operator's key came to where clients ask for models.
    #[error("{0} is a key of an operator, which reads the pool's state and calls no models; send a client's key")]
    OperatorKey(KeyName),
    /// A client's key came to the pool's state.
    #[error("this path wants a key of server.adminKeys or server.viewerKeys; the key {0} is a client's")]
    OperatorsOnly(KeyName),
    /// Another key than an admin's came to a change of the pool's state.
    #[error("this path wants a key of server.adminKeys; the key {0} is none")]
    AdminsOnly(KeyName),
}

impl KeyRefusal {
    /// Returns the row of the table.
    pub(super) fn row(&self) -> &'static ErrorRow {
        match self {
            KeyRefusal::Expired { .. } => &table::KEY_EXPIRED,
            KeyRefusal::Disabled(_) => &table::KEY_DISABLED,
            KeyRefusal::ModelNotAllowed { .. } | KeyRefusal::ModelUnseen { .. } | KeyRefusal::NoApiAllowed(_) => {
                &table::MODEL_NOT_ALLOWED
            }
            KeyRefusal::OperatorKey(_) | KeyRefusal::OperatorsOnly(_) | KeyRefusal::AdminsOnly(_) => {
                &table::NOT_PERMITTED
            }
        }
    }

    /// Returns the field that is wrong, if one is.
    pub(super) fn param(&self) -> Option<&'static str> {
        matches!(self, KeyRefusal::ModelNotAllowed { .. } | KeyRefusal::NoApiAllowed(_)).then_some("model")
    }
}

/// Says which model would have to be served, if the request has one.
fn or_serves(model: &str) -> String {
    if model.is_empty() { "serves the path, or ".to_owned() } else { format!("serves the model {model:?}, or ") }
}
