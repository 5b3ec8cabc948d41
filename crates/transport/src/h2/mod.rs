//! HTTP/2: the crate h2 over our connector.
//!
//! [`pool`] has the connections of one upstream, [`connection`] is one of them, and [`slot`] is a stream's place on it.
//! [`exchange`] is one request and its response. [`frames`] looks at what is written, so that the exchange learns when its
//! request was.

mod connection;
mod exchange;
mod frames;
mod pool;
mod slot;

pub(crate) use connection::IDLE_TIMEOUT;
pub(crate) use pool::Pool;
