//! A real `redis-server` on a free port, with a folder of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::app::scratch;
use super::eventually;

/// A running server. Killed when it is dropped.
pub struct Redis {
    child: Option<Child>,
    port: u16,
    folder: PathBuf,
    appends: bool,
}

impl Redis {
    /// One that forgets everything when it ends.
    pub fn start() -> Redis {
        Redis::run(free_port(), scratch(), false)
    }

    /// One that appends every change to a file.
    pub fn that_keeps() -> Redis {
        Redis::run(free_port(), scratch(), true)
    }

    fn run(port: u16, folder: PathBuf, appends: bool) -> Redis {
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(&folder)
            .args(["--appendonly", if appends { "yes" } else { "no" }, "--appendfsync", "always"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is there: tests/run installs it");
        let redis = Redis { child: Some(child), port, folder, appends };
        eventually("redis-server answers", || redis.try_ask("PING").is_some_and(|pong| pong == "+PONG"));
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Sends a command, and reads the answer: a line of it, or the text that it announces.
    pub fn ask(&self, command: &str) -> String {
        self.try_ask(command).expect("redis-server answers")
    }

    fn try_ask(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        let mut line = String::new();
        let mut reader = BufReader::new(stream);
        reader.read_line(&mut line).ok()?;
        if line.starts_with('$') && !line.starts_with("$-1") {
            line.clear();
            reader.read_line(&mut line).ok()?;
        }
        Some(line.trim_end().to_owned())
    }

    /// Sends it a signal, by name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("running").id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill is there").success());
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("running");
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }

    /// The same server again, after [`Redis::kill`].
    pub fn start_again(self) -> Redis {
        assert!(self.child.is_none(), "it was killed");
        Redis::run(self.port, self.folder.clone(), self.appends)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}
