//! HTTP/1.1: what lies between awc and a connection.

mod fault;
mod framing;
mod guard;
mod head;
mod io;

pub use framing::Framing;
pub(crate) use io::UpstreamIo;
