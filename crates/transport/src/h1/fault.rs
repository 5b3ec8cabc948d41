//! What may be wrong with what an upstream sends, as the I/O tells awc.

use std::io;

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// What came is no head of HTTP/1, or one that can be read in two ways.
    #[error("{0}")]
    BadHead(&'static str),
    /// It ended within a head.
    #[error("the head broke off")]
    CutHead,
    /// The chunks of a body are not formed as they must be.
    #[error("the body is not well chunked")]
    BadBody,
    /// It ended within a body.
    #[error("the body broke off")]
    CutBody,
    /// It ended before an answer, while the request was being written.
    #[error("the connection was closed before an answer")]
    NoAnswer,
    /// A request was to be written where an answer is still outstanding: whose would the next bytes be?
    #[error("the connection is not free for another request")]
    Desync,
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::CutHead | Fault::CutBody | Fault::NoAnswer => io::ErrorKind::UnexpectedEof,
            Fault::BadHead(_) | Fault::BadBody | Fault::Desync => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, fault)
    }
}
