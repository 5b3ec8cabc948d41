//! What a client's message asks for, as far as the connection must know.

use std::borrow::Cow;

use serde::Deserialize;
use transport::SocketMessage;

/// What a client's message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A response, which begins a turn.
    Response {
        /// `generate: false` warms the upstream's caches up, and makes no answer.
        generates: bool,
    },
    /// Another message with a type, for the upstream to understand.
    Other,
    /// No one knows for sure: bytes, no JSON object, no type or two of them. An upstream could read such a message as one that begins a
    /// turn, which nobody would count. So none is passed on.
    Unclear,
}

#[derive(Deserialize)]
struct MessageFields<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    generate: Option<bool>,
}

/// Looks at a message. `creates`: the type that begins a turn.
pub(super) fn asked(message: &SocketMessage, creates: &str) -> Asked {
    let SocketMessage::Text(text) = message else { return Asked::Unclear };
    match serde_json::from_slice(text) {
        Ok(MessageFields { kind: Some(kind), generate }) if kind == creates => {
            Asked::Response { generates: generate != Some(false) }
        }
        Ok(MessageFields { kind: Some(_), .. }) => Asked::Other,
        Ok(MessageFields { kind: None, .. }) | Err(_) => Asked::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::web::Bytes;

    use super::*;

    #[test]
    fn only_a_create_begins_a_turn() {
        for (message, wanted) in [
            (r#"{"type":"response.create","model":"m"}"#, Asked::Response { generates: true }),
            (r#"{"model":"m","type":"response\u002ecreate","generate":true}"#, Asked::Response { generates: true }),
            (r#"{"type":"response.create","generate":false}"#, Asked::Response { generates: false }),
            (r#"{"type":"response.cancel"}"#, Asked::Other),
            (r#"{"input":{"type":"response.create"}}"#, Asked::Unclear),
            (r#"{"type":"x","type":"response.create"}"#, Asked::Unclear),
            (r#"{"type":"response.create","generate":1}"#, Asked::Unclear),
            ("[]", Asked::Unclear),
            ("response.create", Asked::Unclear),
        ] {
            assert_eq!(asked(&SocketMessage::Text(Bytes::from(message)), "response.create"), wanted, "{message}");
        }
        let bytes = SocketMessage::Binary(Bytes::from(r#"{"type":"response.create"}"#));
        assert_eq!(asked(&bytes, "response.create"), Asked::Unclear);
    }
}
