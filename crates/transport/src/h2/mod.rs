//! HTTP/2: the crate h2 over our connector.
//!
//! [`pool`] has the connections of one upstream, [`connection`] is one connection, and [`slot`] a place for one stream.
//! [`exchange`] is one request with the response. [`frames`] looks at the written bytes, and so learns when a request was
//! written.

mod connection;
mod exchange;
mod frames;
mod pool;
mod slot;

pub(crate) use connection::IDLE_TIMEOUT;
pub(crate) use pool::ConnectionPool;
