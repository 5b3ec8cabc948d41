//! `api-together health`: asks the running server's `/health`, for container health checks. Exit code 0 means healthy.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap::Args;

use crate::cli::{CliError, ConfigArgs, describe};
use crate::config::ServerAccess;

/// How long each step may take: the server answers from memory.
const WITHIN: Duration = Duration::from_secs(3);

/// The longest response that is read. Head and body of `/health` take some 300 bytes.
const MOST_BYTES: u64 = 4_096;

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(crate) fn health(args: HealthArgs) -> Result<(), CliError> {
    let source = args.config.source()?;
    // A file that is being edited must not make a running server look dead: one that can't be read means the defaults.
    let access = ServerAccess::read(&source).unwrap_or_else(|_| ServerAccess::without_file(&source.overrides));
    let address = format!("{}:{}", describe::url_host(&access.host), access.port);
    let told = ask(&address, access.certificate.is_some());
    told.map_err(|why| CliError::Server(format!("{address}: {why}")))
}

/// Asks, over plain HTTP. Of a server that speaks TLS only a connection is wanted: the certificate's name is not this machine's.
fn ask(address: &str, is_tls: bool) -> Result<(), String> {
    let addresses = address.to_socket_addrs().map_err(|e| e.to_string())?;
    let connect = |to| TcpStream::connect_timeout(&to, WITHIN);
    let found = addresses.map(connect).reduce(|first, second| first.or(second));
    let mut stream = found.ok_or("no such address")?.map_err(|e| format!("no server answers: {e}"))?;
    if is_tls {
        return Ok(());
    }
    let mut answer = String::new();
    stream
        .set_read_timeout(Some(WITHIN))
        .and_then(|()| stream.set_write_timeout(Some(WITHIN)))
        .and_then(|()| write!(stream, "GET /health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"))
        .and_then(|()| stream.take(MOST_BYTES).read_to_string(&mut answer))
        .map_err(|e| format!("/health was not answered: {e}"))?;
    match answer.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        status => Err(format!("/health answered {}", status.unwrap_or("nothing"))),
    }
}
