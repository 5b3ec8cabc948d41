//! Why a connection of HTTP/1.1 is given up, as an error of the I/O.

use std::io;

/// What is wrong with the bytes of an upstream, or with their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FramingError {
    /// No head of HTTP/1, or an ambiguous one.
    #[error("{0}")]
    BadHead(&'static str),
    /// The connection ended within a head.
    #[error("the head broke off")]
    CutHead,
    /// The chunks of a body are malformed.
    #[error("the body is not well chunked")]
    BadBody,
    /// The connection ended within a body.
    #[error("the body broke off")]
    CutBody,
    /// The connection ended before a response, while the request was being written.
    #[error("the connection was closed before an answer")]
    NoAnswer,
    /// A request was to be written while a response is outstanding: whose would the next bytes be?
    #[error("the connection is not free for another request")]
    NotIdle,
}

impl From<FramingError> for io::Error {
    fn from(error: FramingError) -> Self {
        let kind = match error {
            FramingError::CutHead | FramingError::CutBody | FramingError::NoAnswer => io::ErrorKind::UnexpectedEof,
            FramingError::BadHead(_) | FramingError::BadBody | FramingError::NotIdle => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}
