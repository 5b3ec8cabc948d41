//! HTTP/1.1: actix-http's codec over guarded connections.
//!
//! The codec has holes: a cut body passes for a complete one, an interim head for the response, a response without a length for
//! an empty one. [`io`] closes the holes below the codec, and [`guard`] decides. [`exchange`] sends one request, and [`idle`] keeps
//! connections for the next ones.

mod error;
mod exchange;
mod fields;
mod framing;
mod guard;
mod head;
mod idle;
mod io;
mod response_body;

pub(crate) use exchange::Http1;
pub use framing::Framing;
pub(crate) use idle::KEEP_ALIVE;
