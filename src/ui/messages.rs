//! The questions to the [`super::DashboardActor`], and the answers. Sent by the dashboard's handlers, and awaited: a lost one costs
//! one page.

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

/// Begin a session by a link of [`MakeLink`], which is spent with that.
#[derive(Debug, Message)]
#[rtype(result = "Option<String>")]
pub(super) struct LogInByLink {
    pub(super) secret: String,
}

/// Make the secret of a link that logs the holder of a key in once. Sent by `demo` at the start; a lost one costs the link.
#[derive(Debug, Message)]
#[rtype(result = "String")]
pub struct MakeLink {
    /// Whose session it will be.
    pub key: ApiKey,
}

/// Why there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogInRefused {
    /// No key of the configuration, or one that is over.
    WrongKey,
    /// Too many wrong keys came from the address; tried again in so many seconds.
    TooManyTries { seconds: u64 },
}

/// Return whose session this is.
#[derive(Debug, Message)]
#[rtype(result = "Option<CurrentSession>")]
pub(super) struct GetSession {
    pub(super) cookie: String,
    /// A request keeps the session going; an open page does not.
    pub(super) by_request: bool,
}

/// A session as a page needs it.
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

/// Let a page of a session say something.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Notify {
    pub(super) cookie: String,
    /// The address of the page.
    pub(super) to: String,
    pub(super) notice: Notice,
}

/// Return what a page is to say, which is said with that.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Notice>")]
pub(super) struct TakeNotices {
    pub(super) cookie: String,
    /// The address of the page.
    pub(super) page: String,
}

/// Write a change down. Returns whether it is on disk.
#[derive(Debug, Message)]
#[rtype(result = "bool")]
pub(super) struct WriteAudit(pub(super) AuditEntry);

/// Return the last changes, the newest first.
#[derive(Debug, Message)]
#[rtype(result = "Vec<AuditEntry>")]
pub(super) struct GetAudit {
    pub(super) most: usize,
}
