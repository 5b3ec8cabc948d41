//! What may be wrong with what an upstream sends, as the I/O tells awc.

use std::io;

use awc::error::PayloadError;

/// How the end of a connection is to be counted that several requests were on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionLost {
    /// The first request that reports it.
    First,
    /// Another one has reported it.
    AlreadyCounted,
}

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
    /// A connection ended that others were on, too.
    #[error("the connection broke, with all that ran on it")]
    SharedEnd(ConnectionLost),
    /// A request was to be written where an answer is still outstanding: whose would the next bytes be?
    #[error("the connection is not free for another request")]
    Desync,
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::CutHead | Fault::CutBody | Fault::NoAnswer | Fault::SharedEnd(_) => io::ErrorKind::UnexpectedEof,
            Fault::BadHead(_) | Fault::BadBody | Fault::Desync => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, fault)
    }
}

/// Returns how the end of a body counts, if that was the end of a connection that others were on, too.
pub(in crate::proxy) fn connection_lost(error: &PayloadError) -> Option<ConnectionLost> {
    let PayloadError::Io(error) = error else { return None };
    match error.get_ref()?.downcast_ref()? {
        Fault::SharedEnd(lost) => Some(*lost),
        Fault::BadHead(_) | Fault::CutHead | Fault::BadBody | Fault::CutBody | Fault::NoAnswer | Fault::Desync => None,
    }
}
