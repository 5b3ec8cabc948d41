//! HTTP/1.1: what lies between awc and a connection.
//!
//! awc has holes. It takes a body that breaks off for a whole one, an interim head for the response, and a response whose
//! body ends with the connection for an empty one. [`io`] closes them below awc, by what [`guard`] decides.

mod error;
mod fields;
mod framing;
mod guard;
mod head;
mod io;

pub use framing::Framing;
pub(crate) use io::UpstreamIo;
