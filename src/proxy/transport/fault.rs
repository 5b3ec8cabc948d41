//! What may be wrong with what an upstream sends, as the I/O tells awc.

use std::io;

use awc::error::PayloadError;

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
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
    /// A connection ended that others shared, and one of them has told it.
    #[error("the connection broke, with all that ran on it")]
    SharedEnd,
    /// A request was to be written where an answer is still outstanding: whose would the next bytes be?
    #[error("the connection is not free for another request")]
    Desync,
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::CutHead | Fault::CutBody | Fault::NoAnswer | Fault::SharedEnd => io::ErrorKind::UnexpectedEof,
            Fault::BadHead(_) | Fault::BadBody | Fault::Desync => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, fault)
    }
}

/// Is this the end of a connection that another of its streams is blamed for?
pub(in crate::proxy) fn is_shared_end(error: &PayloadError) -> bool {
    let inner = |error: &io::Error| error.get_ref().and_then(|inner| inner.downcast_ref()) == Some(&Fault::SharedEnd);
    matches!(error, PayloadError::Io(error) if inner(error))
}
