//! The program under test, what the system knows of it, and its configuration.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::KEY;
use super::http::Connection;
use super::mock::{Kind, Mocks};

/// The running program. Killed when it is dropped.
pub struct Program {
    child: Child,
    /// Where it listens.
    pub port: u16,
    folder: PathBuf,
}

/// What it holds at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Resident memory, in KiB.
    pub rss: u64,
    /// Open files and sockets.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Its data folder, in KiB.
    pub data: u64,
    /// Attempts under way, as `/v1/status` has it.
    pub in_flight: u64,
}

impl Program {
    /// Starts it in a folder of its own, and waits until it answers.
    pub fn start(binary: &Path, mocks: &Mocks) -> io::Result<Program> {
        let folder = std::env::temp_dir().join(format!("api-together-soak-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("apis.json"), config(mocks, 0))?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let child = Command::new(binary)
            .args(["--config", "apis.json", "--data", "data", "--host", "127.0.0.1", "--port", &port.to_string()])
            .current_dir(&folder)
            // A line for each request would be gigabytes.
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("log"))?)
            .spawn()?;
        let program = Program { child, port, folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while program.status().is_err() {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("it did not start:\n{}", program.log())));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(program)
    }

    /// Still there?
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it logged of errors.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Asks it to read its configuration.
    pub fn hang_up(&self) -> io::Result<()> {
        Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status().map(drop)
    }

    /// Asks it to stop, and tells whether it ended well, in time.
    pub fn stops(&mut self) -> bool {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let deadline = Instant::now() + Duration::from_secs(40);
        while self.is_alive() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
        asked.is_ok() && matches!(self.child.try_wait(), Ok(Some(status)) if status.success())
    }

    /// Writes the `nth` configuration; each tenth is cut off, and must change nothing.
    pub fn configure(&self, mocks: &Mocks, nth: u64) -> io::Result<()> {
        let mut text = config(mocks, nth);
        if nth % 10 == 9 {
            text.truncate(text.len() / 2);
        }
        let file = self.folder.join("apis.json");
        // In place, or as editors and Kubernetes do it.
        if nth.is_multiple_of(2) {
            return fs::write(file, text);
        }
        let new = self.folder.join("apis.json.new");
        fs::write(&new, text)?;
        fs::rename(new, file)
    }

    /// Does a new configuration still come into force? (The first has the API `extra`, the second has not.)
    pub fn obeys(&self, mocks: &Mocks) -> bool {
        [1, 2].into_iter().all(|nth| {
            let deadline = Instant::now() + Duration::from_secs(10);
            let has_extra = || self.status().is_ok_and(|status| status.to_string().contains(r#""id":"extra""#));
            let written = self.configure(mocks, nth).is_ok();
            while has_extra() != (nth == 1) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(100));
            }
            written && has_extra() == (nth == 1)
        })
    }

    /// What it holds now.
    pub fn sample(&self) -> io::Result<Sample> {
        let proc = PathBuf::from(format!("/proc/{}", self.child.id()));
        let told = fs::read_to_string(proc.join("status"))?;
        let field = |name: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
        };
        let status = self.status()?;
        let apis = status.get("apis").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(Sample {
            rss: field("VmRSS:"),
            threads: field("Threads:"),
            descriptors: fs::read_dir(proc.join("fd"))?.count() as u64,
            data: size(&self.folder.join("data")) >> 10,
            in_flight: apis.iter().filter_map(|api| api.get("inFlight")?.as_u64()).sum(),
        })
    }

    fn status(&self) -> io::Result<Value> {
        let mut connection = Connection::open(self.port)?;
        connection.send("GET /v1/status", KEY, "")?;
        connection.head()?;
        Ok(serde_json::from_slice(&connection.rest()?)?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.map(of).sum()
}

/// All upstreams; the limits change with each, and some APIs come and go.
fn config(mocks: &Mocks, nth: u64) -> String {
    let api = |id: &str, address: &dyn std::fmt::Display, fields: Value| {
        let mut api = json!({ "id": id, "baseUrl": format!("http://{address}"), "apiKey": format!("sk-upstream-of-{id}"), "models": ["m"],
            "timeouts": { "connectMs": 1_000, "idleMs": 1_500, "totalMs": 20_000 } });
        if let (Some(api), Value::Object(fields)) = (api.as_object_mut(), fields) {
            api.extend(fields);
        }
        api
    };
    let limits = |kind: Kind| match kind {
        Kind::Healthy => json!({ "rpm": if nth.is_multiple_of(2) { 100_000 } else { 3_000 }, "weight": 3 }),
        Kind::Slow => json!({ "maxConcurrent": 2 + nth % 7 }),
        Kind::Stale => json!({ "tpm": 1_000_000 + nth, "rpd": 10_000_000, "quotaGroup": "g" }),
        Kind::Chatty => json!({ "enabled": nth % 4 != 3, "quotaGroup": "g" }),
        Kind::Failing | Kind::Cutting | Kind::Hanging => json!({}),
    };
    // Now and then there is too little for all: then clients wait in line, and are refused.
    let lean = nth % 8 == 6;
    let mut apis: Vec<Value> =
        mocks.addresses.iter().map(|(kind, address)| api(&format!("{kind:?}"), address, limits(*kind))).collect();
    if let (true, Some((_, address))) = (nth % 2 == 1, mocks.addresses.first()) {
        apis.push(api("extra", address, json!({ "rpm": 1_000, "burst": { "requests": 50, "seconds": 1 } })));
        // Each of these is gone with the next configuration: what it held must be given back.
        apis.push(api(&format!("guest-{}", nth % 40), address, json!({ "weight": 5 })));
    }
    for api in apis.iter_mut().filter_map(Value::as_object_mut).filter(|_| lean) {
        api.insert("rpm".to_owned(), json!(60));
    }
    json!({
        "server": { "apiKey": KEY, "streamPingMs": 20 * (nth % 3) },
        "apis": apis,
        "retry": { "maxAttempts": 3 + nth % 4, "firstTokenTimeoutMs": 2_000, "hedgeAfterMs": 300 * (nth % 2) },
        "queue": { "maxWaitMs": 200 * (nth % 3) },
    })
    .to_string()
}
