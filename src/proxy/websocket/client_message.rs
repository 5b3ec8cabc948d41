//! What a client's message asks for, as far as the connection must know.

use std::borrow::Cow;

use actix_web::web::Bytes;
use serde::Deserialize;

/// What a client's message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A response, which begins a turn.
    Response {
        /// `generate: false` warms the upstream's caches up, and makes no answer.
        generates: bool,
    },
    /// Anything else, for the upstream to understand.
    Other,
}

#[derive(Deserialize)]
struct MessageFields<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    generate: Option<bool>,
}

/// Looks at a message. `creates`: the type that begins a turn.
pub(super) fn asked(message: &Bytes, creates: &str) -> Asked {
    match serde_json::from_slice(message) {
        Ok(MessageFields { kind: Some(kind), generate }) if kind == creates => {
            Asked::Response { generates: generate != Some(false) }
        }
        Ok(_) | Err(_) => Asked::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_create_begins_a_turn() {
        for (message, wanted) in [
            (r#"{"type":"response.create","model":"m"}"#, Asked::Response { generates: true }),
            (r#"{"model":"m","type":"response\u002ecreate","generate":true}"#, Asked::Response { generates: true }),
            (r#"{"type":"response.create","generate":false}"#, Asked::Response { generates: false }),
            (r#"{"type":"response.cancel"}"#, Asked::Other),
            (r#"{"input":{"type":"response.create"}}"#, Asked::Other),
            ("[]", Asked::Other),
            ("response.create", Asked::Other),
        ] {
            assert_eq!(asked(&Bytes::from(message), "response.create"), wanted, "{message}");
        }
    }
}
