//! The server's own face, thin: extract, call, render. In reading order: `routes`, then a file for each endpoint.
//!
//! Below it, what a hostile client meets: `server` and `socket` (connections and their deadlines), `load` (how much at once),
//! `tls` (the certificate),
//! `served` (an answer's way out), `shield` (a panic costs one request), `ending` (the end of all).

mod auth;
mod cors;
mod ending;
mod explain;
mod front;
mod health;
mod load;
mod models;
#[cfg(test)]
pub(crate) mod mortal;
mod openai;
mod request_id;
mod routes;
mod served;
mod server;
mod shield;
mod socket;
mod status;
mod tls;
mod tokens;
mod worker;

pub use ending::{End, Ending, Phase};
pub use load::Load;
pub use routes::routes;
pub use server::{Listening, serve};
pub use tls::{Certificate, TlsError};
pub use worker::{Core, Worker};
