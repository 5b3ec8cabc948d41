//! api-together: many OpenAI-format API accounts behind one address and one key.
//!
//! Read in this order:
//!
//! 1. [`types`]: the vocabulary.
//! 2. [`proxy`]: ★ the data path, with the story of a request. Begin with `proxy/dispatch.rs`.
//!    [`dialect`]: what the bytes of an API mean. [`records`]: one record for each request. [`metrics`]: what
//!    Prometheus reads.
//! 3. [`scheduler`]: which upstream is asked. [`upstream`]: one upstream with its health. [`quotas`]: the limits of
//!    upstreams and clients.
//!    [`usage`]: who used what, summed over the records.
//!    [`alerts`]: what people are told of.
//! 4. [`config`]: the configuration, and the reload. [`persistence`]: what survives.
//! 5. [`keys`]: what a client may spend. [`http`]: the endpoints. [`error`]: every error of our own, in one table.
//! 6. [`mailbox`]: what actors run in. [`app`]: starts all of it, and stops. [`cli`]: the commands.

mod agents;
pub mod alerts;
pub mod app;
pub mod cli;
pub mod config;
pub mod dialect;
pub mod error;
pub mod homes;
pub mod http;
pub mod keys;
pub mod mailbox;
pub mod metrics;
pub mod persistence;
pub mod proxy;
pub mod quotas;
pub mod records;
pub mod scheduler;
#[cfg(test)]
mod testing;
mod text;
pub mod types;
pub mod ui;
pub mod upstream;
pub mod usage;
