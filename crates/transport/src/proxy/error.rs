//! What a proxy did instead of connecting.

use std::io;

use actix_tls::connect::ConnectError;

use crate::error::is_no_socket;

/// Why a proxy made no connection, in words, with the mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ProxyError(String);

impl ProxyError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        ProxyError(text.into())
    }

    /// Returns the error of a connection to the proxy itself. A lack of this machine stays one.
    pub(super) fn unreachable(error: ConnectError) -> io::Error {
        match error {
            ConnectError::Io(error) if is_no_socket(&error) => error,
            ConnectError::Io(error) => ProxyError::new(format!("it can't be reached ({error})")).into(),
            ConnectError::NoRecords => ProxyError::new("the proxy's host name has no address").into(),
            ConnectError::Resolver(_) | ConnectError::InvalidInput | ConnectError::Unresolved => {
                ProxyError::new(format!("the proxy's host name can't be resolved ({error})")).into()
            }
        }
    }

    /// Returns the error of a connection to the proxy that broke.
    pub(super) fn broken(error: &io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return ProxyError::new("it closed the connection before an answer").into();
        }
        ProxyError::new(format!("the connection to it broke ({error})")).into()
    }
}

impl From<ProxyError> for io::Error {
    fn from(error: ProxyError) -> Self {
        io::Error::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SendError, SendErrorKind};

    #[test]
    fn a_lack_of_sockets_here_is_not_held_against_a_proxy() {
        for (code, kind) in [(24, SendErrorKind::NoLocalSocket), (111, SendErrorKind::Connect)] {
            let error = ProxyError::unreachable(ConnectError::Io(io::Error::from_raw_os_error(code)));
            assert_eq!(SendError::from(error).kind, kind, "{code}");
        }
    }
}
