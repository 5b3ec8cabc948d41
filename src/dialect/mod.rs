//! What the bytes of an API mean. Pure: no I/O, no clock, no actor.
//!
//! - [`routes`]: what kind of answer a route has. [`first_bytes`]: what an answer is, by its first bytes.
//! - [`event_stream`]: one stream, event by event, in any dialect. [`sse`] cuts events. [`usage`] completes reports.
//! - [`openai`]: the fields of OpenAI's API, and nothing of general use.
//! - [`large_answer`]: answers beyond the bound of memory. [`json_value`], [`json_text`], [`json_depth`], [`redact`], [`token_estimate`]: tools.

pub(crate) mod event_stream;
pub(crate) mod first_bytes;
pub(crate) mod json_depth;
mod json_text;
mod json_value;
pub(crate) mod large_answer;
pub(crate) mod openai;
pub(crate) mod rate_limit_headers;
pub(crate) mod redact;
pub(crate) mod routes;
pub(crate) mod sse;
pub(crate) mod token_estimate;
mod usage;

pub use event_stream::EventStream;
pub use routes::{ROUTES, ReplyKind, Route};

use crate::config::ApiKey;

/// The request as an upstream got it. An error may quote the request, and a quotation proves nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentRequest<'a> {
    /// The upstream's name for the model.
    pub(crate) upstream_model: &'a str,
    /// The client's body, as long as it is held.
    pub(crate) body: Option<&'a [u8]>,
    /// The upstream's key, which errors may quote.
    pub(crate) key: Option<&'a ApiKey>,
}
