//! A running demo.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;

use super::{Launch, scratch};

/// A running `api-together demo`. Killed when it is dropped.
pub struct Demo {
    child: Child,
    pub port: u16,
    /// The port of the upstream that can be killed.
    pub moody: u16,
    /// Kept open: the program stops when it can't print.
    _stdout: BufReader<ChildStdout>,
}

impl Demo {
    pub fn start() -> Demo {
        let folder = scratch();
        let log = File::create(folder.join("demo.log")).expect("a log");
        // What a killed demo leaves in its temporary folder is to be found there.
        let mut command = Launch::new(&Value::Null).env("TMPDIR", &folder.to_string_lossy()).command();
        command.args(["demo", "--port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut lines = (&mut stdout).lines().map_while(Result::ok);
        let mut port_behind = |text: &str| -> Option<u16> {
            let found = lines.find_map(|line| line.split_once(text).map(|(_, rest)| rest.to_owned()))?;
            found.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        let (Some(port), Some(moody)) = (port_behind("listening on 127.0.0.1:"), port_behind("POST http://localhost:"))
        else {
            let _ = child.kill();
            panic!("the demo did not start, see {}", folder.join("demo.log").display())
        };
        Demo { child, port, moody, _stdout: stdout }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
