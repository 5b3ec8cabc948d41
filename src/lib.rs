//! api-together: many OpenAI-format API accounts behind one address and one key.
//!
//! Read in this order:
//!
//! 1. [`types`]: the vocabulary.
//! 2. [`proxy`]: ★ the data path; its documentation tells the story of a request. Begin with `proxy/dispatch.rs`.
//!    [`dialect`]: what the bytes of an answer mean.
//! 3. [`scheduler`]: which upstream is asked. [`upstream`]: one upstream, its quotas and its health.
//! 4. [`config`]: what is configured, and its reload. [`persistence`]: what survives.
//! 5. [`http`]: the endpoints. [`error`]: every error of our own, in one table.
//! 6. [`app`]: how it is put together, and stopped. [`cli`]: the commands.

pub mod app;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod error;
pub mod http;
pub mod persistence;
pub mod proxy;
pub mod records;
pub mod scheduler;
pub mod types;
pub mod upstream;
