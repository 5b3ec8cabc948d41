//! Why there is no response, or no whole one.

use std::io;

use actix_http::error::PayloadError;
use awc::error::{ConnectError, SendRequestError};

use super::trace::Wire;

/// Why a request got no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SendError {
    /// What went wrong.
    pub kind: SendErrorKind,
    /// The loss of a connection that other requests were on, too.
    pub connection_lost: Option<ConnectionLost>,
    /// What went wrong, in words.
    pub detail: String,
}

/// What went wrong with a request that got no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorKind {
    /// A kept connection was closed by the upstream, which has most likely seen nothing of the request.
    StaleConnection,
    /// This machine gave no socket: the upstream was not asked.
    NoLocalSocket,
    /// No connection could be made: nothing was sent.
    Connect,
    /// The upstream turned the request away before it began with it (HTTP/2), as those do who are too busy.
    TurnedAway,
    /// The connection broke, or what came is no response.
    Broken,
}

/// A connection ended that other requests were on, too (HTTP/2). All of them fail with it, and all but one must not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection broke, with all that ran on it")]
pub enum ConnectionLost {
    /// This request is the first that tells of it.
    First,
    /// Another request has told of it.
    AlreadyCounted,
}

impl From<ConnectionLost> for io::Error {
    fn from(lost: ConnectionLost) -> Self {
        io::Error::new(io::ErrorKind::UnexpectedEof, lost)
    }
}

/// Returns what a body's end says of a connection that other requests were on, too.
pub fn connection_lost(error: &PayloadError) -> Option<ConnectionLost> {
    let PayloadError::Io(error) = error else { return None };
    error.get_ref()?.downcast_ref().copied()
}

/// Why a request is not written whose time to begin is over.
pub(crate) fn begun_too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it took too long to connect")
}

impl SendError {
    fn new(kind: SendErrorKind, detail: impl Into<String>) -> Self {
        SendError { kind, connection_lost: None, detail: detail.into() }
    }

    /// Returns why an exchange failed, by awc's error and by what was seen of the connection.
    pub(crate) fn of_exchange(error: &SendRequestError, wire: &Wire) -> Self {
        let error = match wire.was_stale() {
            true => {
                SendError::new(SendErrorKind::StaleConnection, "a kept-alive connection was closed by the upstream")
            }
            false => SendError::of_awc(error),
        };
        SendError { connection_lost: wire.connection_lost(), ..error }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "awc's errors are open-ended; the rest tell no more than their text"
    )]
    fn of_awc(error: &SendRequestError) -> Self {
        match error {
            SendRequestError::Connect(ConnectError::Disconnected) => {
                SendError::new(SendErrorKind::Broken, "the connection was closed before an answer")
            }
            SendRequestError::Connect(error) => SendError::of_connect(error),
            SendRequestError::H2(error) if error.reason() == Some(::h2::Reason::REFUSED_STREAM) => {
                SendError::new(SendErrorKind::TurnedAway, "it turns requests away (REFUSED_STREAM)")
            }
            SendRequestError::Send(error) => {
                SendError::new(SendErrorKind::Broken, format!("the connection broke ({error})"))
            }
            other => SendError::new(SendErrorKind::Broken, format!("no valid answer ({other})")),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "awc's errors are open-ended; the rest tell no more than their text"
    )]
    pub(crate) fn of_connect(error: &ConnectError) -> Self {
        let kind = if is_local(error) { SendErrorKind::NoLocalSocket } else { SendErrorKind::Connect };
        let detail = match error {
            ConnectError::Timeout => "no connection in time".to_owned(),
            ConnectError::Resolver(why) => format!("its host name can't be resolved ({why})"),
            ConnectError::NoRecords => "its host name has no address".to_owned(),
            other => format!("no connection ({other})"),
        };
        SendError::new(kind, detail)
    }
}

/// Did this machine give no socket, so that nobody was asked?
fn is_local(error: &ConnectError) -> bool {
    /// `ENFILE` and `EMFILE`: too many open files, in the system or in the process.
    const NO_FILE: [i32; 2] = [23, 24];
    matches!(error, ConnectError::Io(error) if error.raw_os_error().is_some_and(|code| NO_FILE.contains(&code)))
}
