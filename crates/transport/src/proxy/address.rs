//! Where a proxy is, and what it speaks. Pure.

use std::fmt;
use std::net::Ipv6Addr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// SOCKS5 sends the length of a user and of a password in one byte.
const LONGEST_IN_SOCKS: usize = 255;

/// A proxy. No print shows the user or the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) protocol: ProxyProtocol,
    /// A name or an address, an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) login: Option<ProxyLogin>,
}

/// What is spoken to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyProtocol {
    /// HTTP's `CONNECT`.
    Http,
    /// The same over TLS.
    Https,
    /// SOCKS5 with the upstream's address.
    Socks5,
    /// SOCKS5 with the upstream's name, which the proxy resolves.
    Socks5h,
}

/// The user and the password for a proxy.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ProxyLogin {
    pub(super) user: String,
    pub(super) password: String,
}

/// Why a text is not the URL of a proxy. The message never holds the text: it may have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    /// Another scheme, or none.
    #[error(
        "must begin with http://, https://, socks5:// or socks5h://, as in http://user:password@proxy.example:3128"
    )]
    Scheme,
    /// No host, or a malformed one.
    #[error("must name a host behind the scheme, as in http://proxy.example:3128 (an IPv6 address in brackets)")]
    Host,
    /// A malformed port.
    #[error("must have a port from 1 to 65535, or none (http 80, https 443, socks5 1080)")]
    Port,
    /// Something behind the port.
    #[error("must end behind the port: a proxy has no path")]
    Path,
    /// A character of the user or the password that ends this part of a URL.
    #[error("must have a / ? or # of the user or the password written as %2F %3F %23")]
    Unescaped,
    /// The user or the password is no text.
    #[error("must have a user and a password of UTF-8 characters (a % is written as %25)")]
    Encoding,
    /// HTTP separates the user and the password by a colon.
    #[error("must not have a colon in the user's name: HTTP knows no such users")]
    Colon,
    /// SOCKS5 can't send these.
    #[error("must have both a user and a password, of 255 bytes at most: SOCKS5 sends no others")]
    SocksLogin,
}

impl Proxy {
    /// Reads a URL: `http://user:password@host:port`, or with another scheme.
    ///
    /// # Errors
    /// With the mistake and the mend.
    pub fn parse(typed: &str) -> Result<Proxy, ProxyUrlError> {
        let (scheme, rest) = typed.trim().split_once("://").ok_or(ProxyUrlError::Scheme)?;
        let protocol = ProxyProtocol::named(&scheme.to_ascii_lowercase()).ok_or(ProxyUrlError::Scheme)?;
        let (login, place) = match rest.rsplit_once('@') {
            Some((login, place)) => (ProxyLogin::parse(login)?, place),
            None => (None, rest),
        };
        let place = place.strip_suffix('/').unwrap_or(place);
        if place.contains(['/', '?', '#']) {
            return Err(ProxyUrlError::Path);
        }
        let (host, port) = split_port(place)?;
        let proxy = Proxy { protocol, host: host.to_ascii_lowercase(), port: port.unwrap_or(protocol.port()), login };
        proxy.check_login()?;
        Ok(proxy)
    }

    fn check_login(&self) -> Result<(), ProxyUrlError> {
        let Some(login) = &self.login else { return Ok(()) };
        let fits_socks = |text: &str| (1..=LONGEST_IN_SOCKS).contains(&text.len());
        match self.protocol {
            ProxyProtocol::Http | ProxyProtocol::Https if login.user.contains(':') => Err(ProxyUrlError::Colon),
            ProxyProtocol::Socks5 | ProxyProtocol::Socks5h
                if !fits_socks(&login.user) || !fits_socks(&login.password) =>
            {
                Err(ProxyUrlError::SocksLogin)
            }
            ProxyProtocol::Http | ProxyProtocol::Https | ProxyProtocol::Socks5 | ProxyProtocol::Socks5h => Ok(()),
        }
    }

    /// Returns the texts that must not be in any output: the password, and how HTTP sends the user and the password.
    pub fn secrets(&self) -> Vec<String> {
        let login = self.login.iter().filter(|login| !login.password.is_empty());
        login.flat_map(|login| [login.password.clone(), login.basic()]).collect()
    }
}

impl ProxyProtocol {
    fn named(scheme: &str) -> Option<ProxyProtocol> {
        let all = [ProxyProtocol::Http, ProxyProtocol::Https, ProxyProtocol::Socks5, ProxyProtocol::Socks5h];
        all.into_iter().find(|protocol| protocol.scheme() == scheme)
    }

    fn scheme(self) -> &'static str {
        match self {
            ProxyProtocol::Http => "http",
            ProxyProtocol::Https => "https",
            ProxyProtocol::Socks5 => "socks5",
            ProxyProtocol::Socks5h => "socks5h",
        }
    }

    /// Returns the port of a URL without one.
    fn port(self) -> u16 {
        match self {
            ProxyProtocol::Http => 80,
            ProxyProtocol::Https => 443,
            ProxyProtocol::Socks5 | ProxyProtocol::Socks5h => 1080,
        }
    }
}

impl ProxyLogin {
    fn parse(typed: &str) -> Result<Option<ProxyLogin>, ProxyUrlError> {
        if typed.contains(['/', '?', '#']) {
            return Err(ProxyUrlError::Unescaped);
        }
        let decoded = |text| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded.map(|text| text.into_owned()).map_err(|_| ProxyUrlError::Encoding)
        };
        let (user, password) = typed.split_once(':').unwrap_or((typed, ""));
        let login = ProxyLogin { user: decoded(user)?, password: decoded(password)? };
        Ok((!typed.is_empty()).then_some(login))
    }

    /// Returns the user and the password as HTTP sends them.
    pub(super) fn basic(&self) -> String {
        STANDARD.encode(format!("{}:{}", self.user, self.password))
    }
}

/// Splits a host, with brackets around an IPv6 address, from a port.
fn split_port(place: &str) -> Result<(&str, Option<u16>), ProxyUrlError> {
    let end = match place.strip_prefix('[') {
        Some(inner) => {
            let (address, _) = inner.split_once(']').ok_or(ProxyUrlError::Host)?;
            address.parse::<Ipv6Addr>().map_err(|_| ProxyUrlError::Host)?;
            address.len() + 2
        }
        None => place.find(':').unwrap_or(place.len()),
    };
    let (host, port) = place.split_at_checked(end).ok_or(ProxyUrlError::Host)?;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if host.is_empty() || !host.starts_with('[') && !host.bytes().all(is_name) {
        return Err(ProxyUrlError::Host);
    }
    match port {
        "" => Ok((host, None)),
        port => {
            let digits = port.strip_prefix(':').ok_or(ProxyUrlError::Host)?;
            let number = digits.parse().ok().filter(|port| *port > 0 && !digits.starts_with('+'));
            Ok((host, Some(number.ok_or(ProxyUrlError::Port)?)))
        }
    }
}

/// The whole URL, with `***` for the user and the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = if self.login.is_some() { "***@" } else { "" };
        write!(f, "{}://{login}{}:{}", self.protocol.scheme(), self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_url_is_read() {
        let (http, https) = (ProxyProtocol::Http, ProxyProtocol::Https);
        let (socks5, socks5h) = (ProxyProtocol::Socks5, ProxyProtocol::Socks5h);
        for (typed, protocol, host, port, login) in [
            ("http://p.example:3128", http, "p.example", 3128, None),
            (" HTTP://P.Example:3128/ ", http, "p.example", 3128, None),
            ("http://p", http, "p", 80, None),
            ("https://p", https, "p", 443, None),
            ("socks5://127.0.0.1", socks5, "127.0.0.1", 1080, None),
            ("socks5h://[::1]:9050", socks5h, "[::1]", 9050, None),
            ("socks5h://[::1]", socks5h, "[::1]", 1080, None),
            ("http://u:p@h:1", http, "h", 1, Some(("u", "p"))),
            ("http://u@h:1", http, "h", 1, Some(("u", ""))),
            ("http://:p@h:1", http, "h", 1, Some(("", "p"))),
            ("http://@h:1", http, "h", 1, None),
            ("http://u:p:q@h:1", http, "h", 1, Some(("u", "p:q"))),
            ("http://u:p@q@h:1", http, "h", 1, Some(("u", "p@q"))),
            ("http://u%40x:%2F%3a%25@h:1", http, "h", 1, Some(("u@x", "/:%"))),
            ("http://u:100%@h:1", http, "h", 1, Some(("u", "100%"))),
            ("socks5://%C3%A4:%E4%B8%AD@h", socks5, "h", 1080, Some(("ä", "中"))),
        ] {
            let login = login.map(|(user, password)| ProxyLogin { user: user.into(), password: password.into() });
            assert_eq!(Proxy::parse(typed), Ok(Proxy { protocol, host: host.into(), port, login }), "{typed}");
        }
    }

    #[test]
    fn each_mistake_has_its_message_without_the_text() {
        let long = format!("socks5://u:{}@h", "p".repeat(256));
        for (typed, why) in [
            ("", ProxyUrlError::Scheme),
            ("secret-host:3128", ProxyUrlError::Scheme),
            ("socks4://h", ProxyUrlError::Scheme),
            ("socks://h", ProxyUrlError::Scheme),
            ("ftp://h", ProxyUrlError::Scheme),
            ("http//h", ProxyUrlError::Scheme),
            ("http://", ProxyUrlError::Host),
            ("http://:3128", ProxyUrlError::Host),
            ("http://u:secret@", ProxyUrlError::Host),
            ("http://::1:3128", ProxyUrlError::Host),
            ("http://[::1", ProxyUrlError::Host),
            ("http://[x]:1", ProxyUrlError::Host),
            ("http://[::1]1", ProxyUrlError::Host),
            ("http://a b:1", ProxyUrlError::Host),
            ("http://ä:1", ProxyUrlError::Host),
            ("http://h:", ProxyUrlError::Port),
            ("http://h:0", ProxyUrlError::Port),
            ("http://h:65536", ProxyUrlError::Port),
            ("http://h:+1", ProxyUrlError::Port),
            ("http://h:x", ProxyUrlError::Port),
            ("http://h:1:2", ProxyUrlError::Port),
            ("http://h:1/path", ProxyUrlError::Path),
            ("http://h:1//", ProxyUrlError::Path),
            ("http://h:1?q", ProxyUrlError::Path),
            ("http://h:1#f", ProxyUrlError::Path),
            ("http://u:sec/ret@h:1", ProxyUrlError::Unescaped),
            ("http://u:sec#ret@h:1", ProxyUrlError::Unescaped),
            ("http://u:%ff@h:1", ProxyUrlError::Encoding),
            ("http://u%3a:secret@h:1", ProxyUrlError::Colon),
            ("socks5://u@h", ProxyUrlError::SocksLogin),
            ("socks5h://:secret@h", ProxyUrlError::SocksLogin),
            (&long, ProxyUrlError::SocksLogin),
        ] {
            assert_eq!(Proxy::parse(typed), Err(why), "{typed}");
            assert!(why.to_string().starts_with("must ") && !why.to_string().contains("secret"));
        }
    }

    #[test]
    fn no_print_shows_user_or_password() {
        let proxy = Proxy::parse("http://anna:geheim@[::1]:3128").expect("a proxy");
        assert_eq!(format!("{proxy} {proxy:?}"), "http://***@[::1]:3128 Proxy(http://***@[::1]:3128)");
        assert_eq!(proxy.secrets(), ["geheim", "YW5uYTpnZWhlaW0="]);
        let open = Proxy::parse("socks5h://h").expect("a proxy");
        assert_eq!(open.to_string(), "socks5h://h:1080");
        assert!(open.secrets().is_empty());
    }
}
