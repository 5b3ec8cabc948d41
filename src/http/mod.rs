//! The server's own face, thin: extract, call, render. In reading order: `routes`, then a file for each endpoint.
//!
//! Below it, what a hostile client meets: `server` and `socket` (connections and their deadlines), `load` (how much at once),
//! `tls` (the certificate),
//! `served` (an answer's way out), `shield` (a panic costs one request), `ending` (the end of all).

mod auth;
mod catch_panic;
mod concurrency;
mod cors;
#[cfg(test)]
pub(crate) mod crashing_actor;
mod explain;
mod forward;
mod health;
mod middleware;
mod models;
mod request_id;
mod response_body;
mod routes;
mod server;
mod shutdown;
mod socket;
mod status;
mod tls;
mod tokens;
mod worker;

pub use concurrency::Concurrency;
pub use routes::routes;
pub use server::{Listening, serve};
pub use shutdown::{ShutdownHandle, ShutdownPhase, ShutdownSignal};
pub use tls::{Certificate, TlsError};
pub use worker::{Core, Worker};
