//! The server's own face, thin: extract, call, render. In reading order: `routes`, then a file for each endpoint.

mod auth;
mod cors;
mod explain;
mod front;
mod health;
mod models;
mod openai;
mod request_id;
mod routes;
mod status;
mod tokens;
mod worker;

pub use routes::routes;
pub use worker::{Core, Worker};
