//! The targets: this program, a proxy started by the bench, a running server, or the mock itself.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use url::Url;

use super::client::{Go, LoadConnection};
use super::mock;
use super::process;
use super::server::Server;

/// How long a server may take to the first answer.
const UP_WITHIN: Duration = Duration::from_secs(10);

/// The key of this program's clients.
const KEY: &str = "sk-bench-of-api-together";

pub(crate) struct BenchTarget {
    pub(crate) address: SocketAddr,
    host: String,
    /// Of the API, without the final slash.
    path: String,
    key: Option<String>,
    /// The listening processes.
    processes: Vec<u32>,
    server: Option<Server>,
}

/// What all targets are started with.
pub(crate) struct Setup<'a> {
    /// Of clients, for running servers.
    pub(crate) key: Option<&'a str>,
    /// How many accounts the mock is entered as.
    pub(crate) accounts: u16,
    /// The mock.
    pub(crate) upstream: SocketAddr,
    /// For files of the started servers.
    pub(crate) folder: &'a Path,
}

/// What to measure.
#[derive(Debug, Clone)]
pub(crate) enum TargetKind {
    /// The mock upstream itself, with nothing between.
    Direct,
    /// This program, with everything switched on.
    ThisProgram(OwnBuild),
    /// nginx, as `proxy_pass`.
    Nginx,
    /// haproxy.
    Haproxy,
    /// A running server.
    At(Url),
}

/// How this program is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnBuild {
    /// With so many worker threads; as many as there are cores, if none are named.
    workers: Option<u16>,
    /// Another build of this program.
    build: Option<PathBuf>,
    /// With one key for all clients, and without budgets and prices: builds before these know no others.
    is_plain: bool,
}

impl TargetKind {
    /// Parses a value of the command line.
    pub(crate) fn parse(text: &str) -> Result<TargetKind, String> {
        match text.split_once('=') {
            Some(("workers", number)) => {
                let workers = number.parse().ok().filter(|workers| *workers > 0);
                let workers = Some(workers.ok_or("workers= takes a number from 1 on")?);
                return Ok(TargetKind::ThisProgram(OwnBuild { workers, ..OwnBuild::default() }));
            }
            Some((kind @ ("build" | "plain"), path)) => {
                let build = Some(PathBuf::from(path));
                return Ok(TargetKind::ThisProgram(OwnBuild { build, is_plain: kind == "plain", workers: None }));
            }
            None if text == "plain" => {
                return Ok(TargetKind::ThisProgram(OwnBuild { is_plain: true, ..OwnBuild::default() }));
            }
            None if text == "nginx" => return Ok(TargetKind::Nginx),
            None if text == "haproxy" => return Ok(TargetKind::Haproxy),
            Some(_) | None => {}
        }
        match Url::parse(text) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() || url.query().is_some() => {
                Err("a URL must not hold a user, a password or a query; the key goes into --key".to_owned())
            }
            Ok(url) if url.scheme() == "http" && url.host_str().is_some() => Ok(TargetKind::At(url)),
            Ok(_) => Err("only http:// can be measured: TLS would be measured with it".to_owned()),
            Err(e) => {
                Err(format!("neither a URL ({e}) nor nginx, haproxy, workers=N, build=PATH, plain or plain=PATH"))
            }
        }
    }

    /// Returns whether the bench can start the target.
    pub(crate) fn can_be_started(&self) -> bool {
        match self {
            TargetKind::ThisProgram(_) | TargetKind::Nginx | TargetKind::Haproxy => true,
            TargetKind::Direct | TargetKind::At(_) => false,
        }
    }

    /// Returns the name in the table.
    pub(crate) fn name(&self) -> String {
        match self {
            TargetKind::Direct => "direct".to_owned(),
            TargetKind::ThisProgram(OwnBuild { workers: Some(workers), .. }) => format!("workers={workers}"),
            TargetKind::ThisProgram(OwnBuild { build: Some(_), .. }) => "other build".to_owned(),
            TargetKind::ThisProgram(OwnBuild { is_plain: true, .. }) => "plain".to_owned(),
            TargetKind::ThisProgram(_) => "api-together".to_owned(),
            TargetKind::Nginx => "nginx".to_owned(),
            TargetKind::Haproxy => "haproxy".to_owned(),
            TargetKind::At(url) => url.to_string(),
        }
    }
}

impl BenchTarget {
    /// Starts the target, if need be, and waits for the first answer. Returns how long the wait was.
    pub(crate) fn start(which: &TargetKind, setup: &Setup<'_>) -> io::Result<(BenchTarget, Duration)> {
        let name = which.name();
        let failed = |why: String| io::Error::other(format!("{name}: {why}"));
        let (url, key) = match which {
            TargetKind::At(url) => (url.clone(), setup.key),
            TargetKind::Direct => (at(setup.upstream)?, None),
            TargetKind::ThisProgram(_) => (at(free_port()?)?, Some(KEY)),
            TargetKind::Nginx | TargetKind::Haproxy => (at(free_port()?)?, None),
        };
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(80);
        let address = (host.trim_matches(['[', ']']), port).to_socket_addrs()?.next();
        let address = address.ok_or_else(|| failed("has no address".to_owned()))?;
        let begun = Instant::now();
        let folder = setup.folder.join(format!("{name}-{port}"));
        let mut command = command(which, setup, address, &folder)?;
        let server = command.as_mut().map(Server::start).transpose();
        let server = server.map_err(|e| failed(format!("can't be started ({e}); is it installed?")))?;
        let path = url.path().trim_end_matches('/').to_owned();
        let mut target = BenchTarget {
            address,
            host: format!("{host}:{port}"),
            path,
            key: key.map(str::to_owned),
            processes: Vec::new(),
            server,
        };
        let up = target.wait_until_up(begun).map_err(|why| failed(format!("{why}\n{}", last_words(&folder))))?;
        target.processes = process::listening_at(address);
        Ok((target, up))
    }

    fn wait_until_up(&mut self, begun: Instant) -> Result<Duration, String> {
        let request = self.request(&super::chat_body(""));
        loop {
            let answered = TcpStream::connect(self.address)
                .and_then(|_| LoadConnection::open(self.address))
                .and_then(|mut connection| connection.ask(&request, |_| Go::On));
            match answered {
                Ok(200) => return Ok(begun.elapsed()),
                _ if self.server.as_mut().is_some_and(Server::has_ended) => return Err("ended at once".to_owned()),
                _ if begun.elapsed() < UP_WITHIN => thread::sleep(Duration::from_millis(1)),
                Ok(status) => {
                    return Err(format!("answers a chat completion for the model \"{}\" with {status}", mock::MODEL));
                }
                Err(e) => return Err(format!("does not answer at {}: {e}", self.address)),
            }
        }
    }

    /// Returns the bytes of a request for a chat completion.
    pub(crate) fn request(&self, body: &str) -> Vec<u8> {
        let key = self.key.as_ref().map(|key| format!("Authorization: Bearer {key}\r\n")).unwrap_or_default();
        let BenchTarget { path, host, .. } = self;
        let length = body.len();
        let head = format!(
            "POST {path}/chat/completions HTTP/1.1\r\nHost: {host}\r\n{key}Content-Type: application/json\r\n\
             Accept: application/json\r\nUser-Agent: api-together-bench\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body.as_bytes()].concat()
    }

    /// Returns the CPU time so far; unknown of the mock, a part of this process, and of other machines.
    pub(crate) fn cpu(&self) -> Option<Duration> {
        self.processes().map(|ids| ids.iter().map(|id| process::cpu(*id)).sum())
    }

    /// Returns the present memory, in bytes.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.processes().map(|ids| ids.iter().map(|id| process::memory(*id)).sum())
    }

    fn processes(&self) -> Option<&[u32]> {
        let own = self.processes.contains(&std::process::id());
        (!own && !self.processes.is_empty()).then_some(&self.processes)
    }
}

fn at(address: impl Into<SocketAddr>) -> io::Result<Url> {
    Url::parse(&format!("http://{}/v1", address.into())).map_err(io::Error::other)
}

/// Returns a port of the loopback interface, free at this moment.
fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// Returns the last lines of a started server.
fn last_words(folder: &Path) -> String {
    let said = fs::read_to_string(folder.join("log")).unwrap_or_default();
    said.get(said.len().saturating_sub(2_000)..).unwrap_or_default().to_owned()
}

/// Returns the command that starts a target, if the bench is to start one.
fn command(which: &TargetKind, setup: &Setup<'_>, address: SocketAddr, folder: &Path) -> io::Result<Option<Command>> {
    let Setup { accounts, upstream, .. } = *setup;
    let written = |name: &str, text: &str| -> io::Result<std::path::PathBuf> {
        // The configuration has a folder of its own: a watched folder must be quiet.
        fs::create_dir_all(folder.join("config"))?;
        let path = folder.join("config").join(name);
        fs::File::create(&path)?.write_all(text.as_bytes())?;
        Ok(path)
    };
    let filled = |template: &str| {
        let values = [
            ("LISTEN", address.to_string()),
            ("UPSTREAM", upstream.to_string()),
            ("FOLDER", folder.display().to_string()),
        ];
        values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
    };
    let mut command = match which {
        TargetKind::Direct | TargetKind::At(_) => return Ok(None),
        TargetKind::ThisProgram(own @ OwnBuild { build, .. }) => {
            let config = written("apis.json", &own_config(upstream, accounts, own))?;
            let mut command = Command::new(build.clone().map_or_else(std::env::current_exe, Ok)?);
            command.arg("serve").arg("--config").arg(config).arg("--data").arg(folder.join("data"));
            command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
            command.env_remove("RUST_LOG").env("LOG_LEVEL", "info");
            command
        }
        TargetKind::Nginx => {
            let mut command = Command::new("nginx");
            command.arg("-p").arg(folder).arg("-c").arg(written("nginx.conf", &filled(include_str!("nginx.conf")))?);
            command
        }
        TargetKind::Haproxy => {
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(written("haproxy.cfg", &filled(include_str!("haproxy.cfg")))?);
            command
        }
    };
    let log = fs::File::create(folder.join("log"))?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    Ok(Some(command))
}

/// This program as people run it: the mock entered as several accounts, limits of every kind (which are not reached), statistics
/// and the log. Unless plain, with prices, and with four keys of clients, each with limits and two budgets.
#[expect(clippy::indexing_slicing, reason = "an object of JSON takes a new name so")]
fn own_config(upstream: SocketAddr, accounts: u16, own: &OwnBuild) -> String {
    const MOST: u32 = u32::MAX;
    let api = |nth: u16| {
        let mut api = json!({
            "id": format!("account-{nth}"), "baseUrl": format!("http://{upstream}"), "apiKey": format!("sk-account-{nth}"),
            "models": [mock::MODEL], "rpm": MOST, "rpd": MOST, "tpm": MOST, "tpd": MOST,
        });
        if !own.is_plain {
            api["prices"] = json!({ mock::MODEL: { "input": 0.15, "output": 0.6 } });
        }
        api
    };
    let key = |nth: u16| {
        let key = if nth == 1 { KEY.to_owned() } else { format!("{KEY}-{nth}") };
        json!({
            "name": format!("team-{nth}"), "key": key, "rpm": MOST, "rpd": MOST, "tpm": MOST, "tpd": MOST,
            "budgets": [{ "usd": 90_000, "per": "day" }, { "usd": 100_000, "per": "month" }],
        })
    };
    let apis: Vec<_> = (1..=accounts).map(api).collect();
    let actors = own.workers.map_or(json!({}), |workers| json!({ "workers": workers }));
    let mut config = json!({ "apis": apis, "actors": actors });
    if own.is_plain {
        config["server"] = json!({ "apiKey": KEY });
    } else {
        config["keys"] = (1..=4).map(key).collect();
    }
    config.to_string()
}
