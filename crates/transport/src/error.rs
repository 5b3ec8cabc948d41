//! Why there is no response, or no complete one.

use std::io;

use actix_http::error::PayloadError;
use actix_tls::connect::ConnectError as TcpError;
use awc::error::{ConnectError, SendRequestError};

use super::proxy::{Proxy, ProxyError};
use super::trace::ExchangeTrace;

/// Why a request got no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct SendError {
    /// What went wrong.
    pub kind: SendErrorKind,
    /// The loss of a connection with other requests on it.
    pub connection_lost: Option<ConnectionLost>,
    /// What went wrong, in words.
    pub detail: String,
}

/// What went wrong with a request without a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendErrorKind {
    /// The upstream had closed a kept connection, and has most likely seen nothing of the request. Over HTTP/2: the upstream
    /// refused the request again and again before any work.
    StaleConnection,
    /// This machine gave no socket: the upstream was not asked.
    NoLocalSocket,
    /// No connection could be made: nothing was sent.
    Connect,
    /// The upstream turned the request away before any work (HTTP/2), as busy upstreams do.
    TurnedAway,
    /// The connection broke, or what came is no response.
    Broken,
}

/// The end of a connection with other requests on it (HTTP/2): all of them fail, and the end must count once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection broke, with all that ran on it")]
pub enum ConnectionLost {
    /// This request is the first to report the end.
    First,
    /// Another request has reported the end.
    AlreadyCounted,
}

impl From<ConnectionLost> for io::Error {
    fn from(lost: ConnectionLost) -> Self {
        io::Error::new(io::ErrorKind::UnexpectedEof, lost)
    }
}

/// Returns whether a body ended with a connection, and other requests were on the connection.
pub fn connection_lost(error: &PayloadError) -> Option<ConnectionLost> {
    let PayloadError::Io(error) = error else { return None };
    error.get_ref()?.downcast_ref().copied()
}

/// Returns the reason not to write a request whose time to begin is over.
pub(crate) fn begun_too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "it took too long to connect")
}

impl SendError {
    fn new(kind: SendErrorKind, detail: impl Into<String>) -> Self {
        SendError { kind, connection_lost: None, detail: detail.into() }
    }

    /// Returns the error of a connection not made in time.
    pub(crate) fn timeout() -> Self {
        SendError::of_connect(&ConnectError::Timeout)
    }

    /// Returns the error of an upstream whose connections of HTTP/2 take no requests.
    pub(crate) fn takes_nothing() -> Self {
        io::Error::other("its connections take no requests").into()
    }

    /// Returns the error of a connection that broke before an answer.
    pub(crate) fn broken(why: &impl std::fmt::Display) -> Self {
        SendError::new(SendErrorKind::Broken, format!("no valid answer ({why})"))
    }

    /// Names the proxy through which no connection could be made.
    pub(crate) fn name_proxy(&mut self, proxy: Option<&Proxy>) {
        if let (SendErrorKind::Connect, Some(proxy)) = (self.kind, proxy) {
            self.detail = format!("by its proxy {proxy}: {}", self.detail);
        }
    }

    /// Returns why an exchange failed, by awc's error and by what was seen of the connection.
    pub(crate) fn of_exchange(error: &SendRequestError, trace: &ExchangeTrace) -> Self {
        let error = if trace.was_stale() {
            SendError::new(SendErrorKind::StaleConnection, "a kept-alive connection was closed by the upstream")
        } else {
            SendError::of_awc(error)
        };
        SendError { connection_lost: trace.connection_lost(), ..error }
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
            SendRequestError::H2(error) if error.reason() == Some(h2::Reason::REFUSED_STREAM) => {
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
    fn of_connect(error: &ConnectError) -> Self {
        let kind = if is_local(error) { SendErrorKind::NoLocalSocket } else { SendErrorKind::Connect };
        let detail = match error {
            ConnectError::Timeout => "no connection in time".to_owned(),
            ConnectError::Resolver(why) => format!("its host name can't be resolved ({why})"),
            ConnectError::NoRecords => "its host name has no address".to_owned(),
            ConnectError::Io(error) if is_of_proxy(error) => error.to_string(),
            other => format!("no connection ({other})"),
        };
        SendError::new(kind, detail)
    }
}

impl From<TcpError> for SendError {
    fn from(error: TcpError) -> Self {
        SendError::of_connect(&connect_error(error))
    }
}

/// Returns awc's error for why no connection could be made. (awc's own conversion panics on a variant.)
pub(crate) fn connect_error(error: TcpError) -> ConnectError {
    match error {
        TcpError::Resolver(why) => ConnectError::Resolver(why),
        TcpError::NoRecords => ConnectError::NoRecords,
        TcpError::InvalidInput | TcpError::Unresolved => ConnectError::Unresolved,
        TcpError::Io(error) => ConnectError::Io(error),
    }
}

impl From<io::Error> for SendError {
    /// Returns the error of a connection attempt.
    fn from(error: io::Error) -> Self {
        SendError::of_connect(&ConnectError::Io(error))
    }
}

/// Returns whether this machine gave no socket, so nobody was asked.
fn is_local(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Io(error) if is_no_socket(error))
}

/// Returns whether this machine gave no socket.
pub(crate) fn is_no_socket(error: &io::Error) -> bool {
    /// `ENFILE` and `EMFILE`: too many open files, in the system or in the process.
    const NO_FILE: [i32; 2] = [23, 24];
    error.raw_os_error().is_some_and(|code| NO_FILE.contains(&code))
}

/// Returns whether the error says in words what a proxy did.
fn is_of_proxy(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<ProxyError>())
}
