//! Asks a SOCKS5 proxy for a connection (RFC 1928, RFC 1929).

use std::io;

use tokio_socks::tcp::Socks5Stream;
use tokio_socks::{Error, IntoTargetAddr, TargetAddr};

use super::address::Proxy;
use super::dialer::Destination;
use super::error::ProxyError;
use crate::dial::without_brackets;
use crate::stream::Stream;

/// Has the proxy connect.
///
/// # Errors
/// With what the proxy did instead, in words.
pub(super) async fn open(stream: Stream, proxy: &Proxy, to: Destination<'_>) -> io::Result<Stream> {
    let target = target(to).map_err(|error| refusal(error, proxy, to))?;
    let opened = match &proxy.login {
        Some(login) => {
            Socks5Stream::connect_with_password_and_socket(stream, target, &login.user, &login.password).await
        }
        None => Socks5Stream::connect_with_socket(stream, target).await,
    };
    opened.map(Socks5Stream::into_inner).map_err(|error| refusal(error, proxy, to))
}

fn target(to: Destination<'_>) -> Result<TargetAddr<'_>, Error> {
    match to {
        Destination::Address(address) => address.into_target_addr(),
        Destination::Host(host, port) => (without_brackets(host), port).into_target_addr(),
    }
}

fn refusal(error: Error, proxy: &Proxy, to: Destination<'_>) -> io::Error {
    let text = match error {
        Error::Io(error) => return ProxyError::broken(&error),
        Error::AuthorizationRequired | Error::NoAcceptableAuthMethods if proxy.login.is_none() => {
            "it wants a user and a password: `proxy` takes socks5://user:password@host:port".to_owned()
        }
        Error::AuthorizationRequired | Error::NoAcceptableAuthMethods => {
            "it takes no password: leave the user and the password out of `proxy`".to_owned()
        }
        Error::PasswordAuthFailure(_) | Error::IdentdAuthFailure | Error::InvalidUserIdAuthFailure => {
            "it does not take the user and the password of `proxy`".to_owned()
        }
        Error::ConnectionNotAllowedByRuleset => format!("its rules don't allow a connection to {to}"),
        Error::NetworkUnreachable | Error::HostUnreachable | Error::ConnectionRefused | Error::TtlExpired => {
            format!("it can't reach {to} ({error})")
        }
        Error::GeneralSocksServerFailure => format!("it failed to connect to {to}"),
        Error::AddressTypeNotSupported => {
            format!("it knows no addresses such as {to}: try socks5h:// in the place of socks5://, or the reverse")
        }
        Error::InvalidResponseVersion => "it speaks no SOCKS5: see the scheme and the port of `proxy`".to_owned(),
        Error::ParseError(_)
        | Error::InvalidTargetAddress(_)
        | Error::ProxyServerUnreachable
        | Error::UnknownAuthMethod
        | Error::CommandNotSupported
        | Error::UnknownError
        | Error::InvalidReservedByte
        | Error::UnknownAddressType
        | Error::InvalidAuthValues(_) => format!("its answer is none of SOCKS5's to a client ({error})"),
    };
    ProxyError::new(text).into()
}
