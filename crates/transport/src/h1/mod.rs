//! HTTP/1.1: what lies between awc and a connection.
//!
//! awc has holes: a cut body passes for a complete one, an interim head for the response, a response without a length for an
//! empty one. [`io`] closes the holes below awc, and [`guard`] decides.

mod error;
mod fields;
mod framing;
mod guard;
mod head;
mod io;

pub use framing::Framing;
pub(crate) use io::UpstreamIo;
