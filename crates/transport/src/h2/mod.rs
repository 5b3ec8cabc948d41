//! HTTP/2: the crate h2 over our connector.

mod connection;
mod exchange;
mod frames;
mod pool;
mod slot;

pub(crate) use connection::IDLE;
pub(crate) use pool::Sessions;
