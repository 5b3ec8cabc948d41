//! The program under test, as a child process on a free port, with a configuration and a data folder of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::clock::clean_up_after;
use super::{Client, Metrics, Response, Upstream, eventually};

/// The pool's own key in every test.
pub const KEY: &str = "sk-the-key-of-the-pool-0123456789";

/// A variable that says how many files the program may open at most.
pub const OPEN_FILES: &str = "TEST_OPEN_FILES";

/// A fresh folder below the build's own temporary folder.
pub fn scratch() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nth = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{nth}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a scratch folder");
    folder
}

/// An entry of `apis` for each upstream: `a`, `b`, …; all serve the model `m`.
pub fn config_of(upstreams: &[&Upstream]) -> Value {
    config_at(&upstreams.iter().map(|upstream| upstream.url()).collect::<Vec<_>>())
}

/// The first serves so many requests a day, and then the second does.
pub fn first_then_second(first: &Upstream, second: &Upstream, rpd: u64) -> Value {
    let mut config = config_of(&[first, second]);
    config["apis"][0]["rpd"] = json!(rpd);
    config["apis"][1]["priority"] = json!(1);
    config
}

/// An entry of `apis` for each upstream at these addresses.
pub fn config_at(urls: &[String]) -> Value {
    let apis: Vec<Value> = urls
        .iter()
        .zip('a'..)
        .map(|(url, id)| {
            json!({
                "id": id.to_string(), "name": format!("API {id}"), "baseUrl": url,
                "apiKey": format!("sk-upstream-{id}-0123456789"), "models": ["m"],
            })
        })
        .collect();
    json!({ "server": { "apiKey": KEY }, "apis": apis })
}

/// The same of one upstream, with these fields besides.
pub fn config_with(upstream: &Upstream, fields: &Value) -> Value {
    let mut config = config_of(&[upstream]);
    config["apis"][0].as_object_mut().expect("an API").extend(fields.as_object().expect("fields").clone());
    config
}

/// How the program is to be started.
pub struct Launch {
    pub folder: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
}

impl Launch {
    pub fn new(config: &Value) -> Launch {
        let folder = scratch();
        let file = folder.join("apis.json");
        fs::write(&file, format!("{config:#}")).expect("writes the configuration");
        // It holds keys.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
        Launch { folder, args: Vec::new(), env: Vec::new() }
    }

    pub fn env(mut self, name: &str, value: &str) -> Launch {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_api-together");
        let mut command = match self.env.iter().find(|(name, _)| name == OPEN_FILES) {
            None => Command::new(program),
            Some((_, files)) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {files} && exec \"$0\" \"$@\""), program]);
                shell
            }
        };
        command.current_dir(&self.folder);
        for name in ["RUST_LOG", "LOG_LEVEL", "PORT", "HOST", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            command.env_remove(name);
        }
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_ascii_lowercase());
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn start(self) -> App {
        let app = self.listen();
        eventually("it answers /health", || app.client().try_get("/health").is_some_and(|r| r.status == 200));
        app
    }

    /// Starts it, and waits until it listens only: it may speak what this helper's client does not.
    pub fn listen(self) -> App {
        let mut command = self.command();
        command.args(["--config", "apis.json", "--data", "data", "--port", "0"]).args(&self.args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let log = Arc::new(Mutex::new(String::new()));
        gather(child.stderr.take().expect("piped"), log.clone());
        let (tell, told) = mpsc::channel();
        let banner = Arc::new(Mutex::new(String::new()));
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let kept = banner.clone();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let first = line.split_once("listening on ").and_then(|(_, rest)| rest.split([',', ')']).next());
                let port = first.and_then(|address| address.rsplit_once(':')).map(|(_, port)| port.to_owned());
                kept.lock().expect("whole").push_str(&format!("{line}\n"));
                if let Some(rest) = port {
                    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                    let _ = tell.send(digits.parse::<u16>().expect("a port"));
                }
            }
        });
        let port = told.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("it did not start:\n{}", log.lock().expect("whole"))
        });
        App { child: Some(child), port, folder: self.folder, log, banner, env: self.env }
    }
}

fn gather(mut from: impl Read + Send + 'static, into: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            into.lock().expect("whole").push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    });
}

/// The running program. Killed when it is dropped.
pub struct App {
    child: Option<Child>,
    pub port: u16,
    pub folder: PathBuf,
    log: Arc<Mutex<String>>,
    banner: Arc<Mutex<String>>,
    env: Vec<(String, String)>,
}

impl App {
    /// Starts it on this configuration.
    pub fn start(config: &Value) -> App {
        Launch::new(config).start()
    }

    /// Starts it on upstreams `a`, `b`, … that all serve the model `m`.
    pub fn on(upstreams: &[&Upstream]) -> App {
        App::start(&config_of(upstreams))
    }

    /// A client with the pool's key.
    pub fn client(&self) -> Client {
        Client::new(self.port).key(KEY)
    }

    /// Asks for a chat completion of the model `m`.
    pub fn chat(&self) -> Response {
        self.client().post("/v1/chat/completions", &json!({ "model": "m", "messages": [] }))
    }

    /// What `/metrics` says.
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(self.client().get("/metrics").text())
    }

    /// What `/v1/status` says of one upstream.
    pub fn status_of(&self, id: &str) -> Value {
        let status = self.client().get("/v1/status").json();
        let apis = status["apis"].as_array().expect("a list").clone();
        apis.into_iter().find(|api| api["id"] == id).unwrap_or_else(|| panic!("no {id} in {status:#}"))
    }

    /// Requests of an upstream in the last minute and today.
    pub fn usage_of(&self, id: &str) -> (u64, u64) {
        let usage = self.status_of(id)["usage"].clone();
        let of = |window: &str| usage[window].as_u64().expect("a count");
        (of("rpm"), of("rpd"))
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("whole").clone()
    }

    /// Waits until the log says this: lines that follow each other closely are written together.
    pub fn logged(&self, wanted: &str) {
        super::eventually(&format!("{wanted:?} is in the log"), || self.log().contains(wanted));
    }

    /// What it printed so far.
    pub fn banner(&self) -> String {
        self.banner.lock().expect("whole").clone()
    }

    pub fn config_file(&self) -> PathBuf {
        self.folder.join("apis.json")
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("running").id()
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.expect("kill is there").success());
    }

    /// `kill -9`. Returns how to start the same program on the same folder.
    pub fn kill(mut self) -> Launch {
        end(self.child.take().expect("running"));
        self.again()
    }

    /// SIGTERM. Returns how to start the same program on the same folder.
    pub fn stop(mut self) -> Launch {
        self.signal("TERM");
        let status = self.wait();
        assert!(status.success(), "{status}:\n{}", self.log());
        self.again()
    }

    /// `kill -9`, then the same program on the same folder.
    pub fn kill_and_restart(self) -> App {
        self.kill().start()
    }

    /// SIGTERM, then the same program on the same folder.
    pub fn stop_and_restart(self) -> App {
        self.stop().start()
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("running");
        let mut status = None;
        eventually("it ends", || {
            status = child.try_wait().expect("asked");
            status.is_some()
        });
        clean_up_after(child.id());
        status.expect("ended")
    }

    fn again(&self) -> Launch {
        Launch { folder: self.folder.clone(), args: Vec::new(), env: self.env.clone() }
    }
}

/// `kill -9`.
fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
    clean_up_after(child.id());
}

impl Drop for App {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            end(child);
        }
        if std::thread::panicking() {
            eprintln!("--- the log of the program under test ---\n{}", self.log());
        }
    }
}
