//! What the bytes of one API mean. Pure: no I/O, no clock.

pub(crate) mod openai;
pub(crate) mod rate_limit_headers;

/// What was sent to an upstream, to tell the upstream's own words from the client's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentRequest<'a> {
    /// The upstream's own name for the model.
    pub(crate) upstream_model: &'a str,
    /// The client's body, where it is still there.
    pub(crate) body: &'a [u8],
    /// The upstream's key.
    pub(crate) key: &'a crate::config::ApiKey,
}
