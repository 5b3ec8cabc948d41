//! What a client asks, and what the client gets.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// What a client asks.
pub(super) struct Asked {
    pub(super) path: &'static str,
    pub(super) body: &'static str,
    pub(super) headers: HeaderMap,
}

/// Asks for a chat.
pub(super) fn chat() -> Asked {
    Asked { path: "chat/completions", body: r#"{"model":"m","messages":[]}"#, headers: HeaderMap::new() }
}

/// Asks for sound.
pub(super) fn speech() -> Asked {
    Asked { path: "audio/speech", body: r#"{"model":"m","input":"hi"}"#, ..chat() }
}

/// Asks for a chat as a stream.
pub(super) fn stream() -> Asked {
    Asked { body: r#"{"model":"m","messages":[],"stream":true}"#, ..chat() }
}

impl Asked {
    pub(super) fn with_header(mut self, name: &'static str, value: &'static str) -> Asked {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }
}

/// What the client got.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) text: String,
    pub(super) took: Duration,
}

/// Returns the id of the upstream whose answer the client got.
pub(super) fn served_by(answer: &Answer) -> String {
    let body: serde_json::Value = serde_json::from_str(&answer.text).expect("JSON");
    body["id"].as_str().expect("an id").to_owned()
}
