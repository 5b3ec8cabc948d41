//! The questions to the [`super::DashboardActor`], and the answers. The dashboard's handlers ask and wait: a lost message costs one
//! page.

use std::fmt;
use std::net::IpAddr;

use actix::prelude::*;

use super::audit::AuditEntry;
use super::notices::Notice;
use super::visitor::Visitor;
use crate::config::ApiKey;

/// Begin a session for the holder of a key.
#[derive(Debug, Message)]
#[rtype(result = "Result<String, LogInRefused>")]
pub(super) struct LogIn {
    pub(super) key: ApiKey,
    pub(super) from: KeyOrigin,
}

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum KeyOrigin {
    /// A visitor at this address.
    Direct(IpAddr),
    /// A proxy at this address: all visitors of the proxy have the address.
    Proxy(IpAddr),
}

impl fmt::Display for KeyOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyOrigin::Direct(address) => write!(f, "{address}"),
            KeyOrigin::Proxy(address) => write!(f, "the proxy at {address}"),
        }
    }
}

/// Begin a session by a link of [`MakeLink`]. The link is good for one session.
#[derive(Debug, Message)]
#[rtype(result = "Option<String>")]
pub(super) struct LogInByLink {
    pub(super) secret: String,
}

/// Make the secret of a link for one log-in with a key. Sent by `demo` at the start; a lost message costs the link.
#[derive(Debug, Message)]
#[rtype(result = "String")]
pub struct MakeLink {
    /// The key of the session.
    pub key: ApiKey,
}

/// Why there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogInRefused {
    /// The key is not in the configuration, or has expired.
    WrongKey,
    /// The address sent too many wrong keys, and has to wait so many seconds.
    TooManyTries { seconds: u64 },
}

/// Return the session of a cookie.
#[derive(Debug, Message)]
#[rtype(result = "Option<CurrentSession>")]
pub(super) struct GetSession {
    pub(super) cookie: String,
    /// A request of a person postpones the session's end; the updates of an open page do not.
    pub(super) by_request: bool,
}

/// The part of a session that pages need.
#[derive(Debug, Clone)]
pub(super) struct CurrentSession {
    pub(super) visitor: Visitor,
    pub(super) form_token: String,
}

/// End a session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct LogOut {
    pub(super) cookie: String,
}

/// Keep a notice for a page of a session.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Notify {
    pub(super) cookie: String,
    /// The address of the page.
    pub(super) to: String,
    pub(super) notice: Notice,
}

/// Remove and return the notices for a page.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Notice>")]
pub(super) struct TakeNotices {
    pub(super) cookie: String,
    /// The address of the page.
    pub(super) page: String,
}

/// Write a change into the audit log. Returns whether the change is on disk.
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub(super) struct WriteAudit(pub(super) AuditEntry);

/// Return the last changes, the newest first.
#[derive(Debug, Message)]
#[rtype(result = "Vec<AuditEntry>")]
pub(super) struct GetAudit {
    pub(super) most: usize,
}
