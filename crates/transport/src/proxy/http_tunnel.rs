//! Asks an HTTP proxy for a tunnel (`CONNECT`, RFC 9110 9.3.6).
//!
//! By ourselves: the crates for this step bring hyper, or lose bytes behind the proxy's answer, or set no bound to the answer.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::address::Proxy;
use super::dialer::Destination;
use super::error::ProxyError;
use crate::stream::Stream;

/// The largest head of an answer, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// How much of a proxy's own words is repeated, in characters.
const LONGEST_WORDS: usize = 80;

/// Every answer begins with these bytes.
const BEGINNING: &[u8] = b"HTTP/1.";

/// Opens a tunnel.
///
/// # Errors
/// With what the proxy did instead, in words.
pub(super) async fn open(mut stream: Stream, proxy: &Proxy, to: Destination<'_>) -> io::Result<Stream> {
    let request = request(proxy, to);
    stream.write_all(request.as_bytes()).await.map_err(|error| ProxyError::broken(&error))?;
    stream.flush().await.map_err(|error| ProxyError::broken(&error))?;
    let head = read_head(&mut stream).await?;
    judge(&head, proxy, to)?;
    Ok(stream)
}

fn request(proxy: &Proxy, to: Destination<'_>) -> String {
    let login = match &proxy.login {
        Some(login) => format!("Proxy-Authorization: Basic {}\r\n", login.basic()),
        None => String::new(),
    };
    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{login}\r\n")
}

/// Reads a head byte by byte: what comes behind belongs to the upstream. (A connection serves many requests, and a head is short.)
async fn read_head(stream: &mut Stream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        head.push(stream.read_u8().await.map_err(|error| ProxyError::broken(&error))?);
        let begun = head.get(..BEGINNING.len()).unwrap_or(&head);
        if !BEGINNING.starts_with(begun) {
            return Err(ProxyError::new("it speaks no HTTP: see the scheme and the port of `proxy`").into());
        }
        if head.len() >= MAX_HEAD {
            return Err(ProxyError::new("the head of its answer has no end").into());
        }
    }
    Ok(head)
}

/// Returns whether a tunnel is open, by the first line of the answer.
fn judge(head: &[u8], proxy: &Proxy, to: Destination<'_>) -> Result<(), ProxyError> {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let line = String::from_utf8_lossy(line);
    let mut words = line.splitn(3, ' ').skip(1);
    let is_status = |word: &&str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit());
    let status = words.next().filter(is_status).and_then(|digits| digits.parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(()),
        Some(status) => {
            let said = quoted(words.next().unwrap_or_default(), proxy);
            Err(ProxyError::new(format!("it answered {status}{said} to CONNECT: {}", mend(status, proxy, to))))
        }
        None => Err(ProxyError::new("its answer has no status: see the scheme and the port of `proxy`")),
    }
}

/// Returns the proxy's own words for a log: short, and on one line. A proxy with a login is not quoted: the words may repeat the
/// login in any spelling.
fn quoted(words: &str, proxy: &Proxy) -> String {
    if proxy.login.is_some() {
        return String::new();
    }
    let shown: String = words.chars().filter(|c| *c == ' ' || c.is_ascii_graphic()).take(LONGEST_WORDS).collect();
    let shown = shown.trim();
    if shown.is_empty() { String::new() } else { format!(" {shown:?}") }
}

/// Returns what a status means, and what an operator can do.
fn mend(status: u16, proxy: &Proxy, to: Destination<'_>) -> String {
    match status {
        401 | 407 if proxy.login.is_some() => "it does not take the user and the password of `proxy`".to_owned(),
        401 | 407 => "it wants a user and a password: `proxy` takes http://user:password@host:port".to_owned(),
        403 | 405 => format!(
            "it opens no tunnel to {to}: allow CONNECT to the host and the port there (tinyproxy: ConnectPort, squid: SSL_ports)"
        ),
        500..=599 => format!("it can't reach {to}"),
        _ => "is it a proxy? See the host and the port of `proxy`".to_owned(),
    }
}
