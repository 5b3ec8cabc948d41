//! The HTTP server, thin: extract, call, render. In reading order: `routes`, `middleware`, then a file for each endpoint.
//!
//! Below are the defences against clients: `server` and `socket` (connections and their deadlines), `concurrency` (how much
//! at once), `tls` (the certificate), `response_body`, `catch_panic` and `shutdown`.

mod access;
mod anthropic_form;
#[cfg(test)]
mod api_doc;
mod auth;
mod body;
mod catch_panic;
mod concurrency;
mod cors;
#[cfg(test)]
pub(crate) mod crashing_actor;
mod endpoints;
mod explain;
mod forecast;
mod form;
mod forward;
mod gemini_form;
mod health;
mod key;
mod key_limits;
mod key_report;
mod key_spending;
mod metrics;
mod middleware;
mod models;
mod objects;
mod paths;
mod request_id;
mod response_body;
mod root;
mod routes;
mod server;
mod shutdown;
mod socket;
mod status;
mod tls;
mod tokens;
mod unknown_paths;
mod usage;
mod websocket;
mod worker;

pub(crate) use auth::worker;
pub use concurrency::Concurrency;
pub(crate) use concurrency::LoadReport;
pub(crate) use explain::explain;
pub use routes::routes;
pub use server::{ListenerPort, Listening, serve};
pub use shutdown::{ShutdownHandle, ShutdownPhase, ShutdownSignal};
pub use tls::{Certificate, TlsError};
pub(crate) use usage::{csv_response, usage_answer};
pub use worker::{Core, MorePages, Worker};
