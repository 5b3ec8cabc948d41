//! Prometheus' own programs, and a page of metrics as a test reads one.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::app::{App, KEY, scratch};
use super::client::Client;
use super::within;

/// A page of `/metrics`: each sample by its name with labels, as written.
pub struct Metrics {
    pub text: String,
    samples: BTreeMap<String, f64>,
}

impl Metrics {
    pub fn parse(text: String) -> Metrics {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        };
        let samples = lines.map(sample).collect();
        Metrics { text, samples }
    }

    /// The value of a sample with just these labels; 0 if there is none.
    pub fn value(&self, sample: &str) -> f64 {
        self.samples.get(sample).copied().unwrap_or(0.0)
    }

    /// The sum over all samples of a name whose labels have all of these.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of_name = self.samples.iter().filter(|(sample, _)| sample.split('{').next() == Some(name));
        of_name.filter(|(sample, _)| labels.iter().all(|label| sample.contains(label))).map(|(_, value)| value).sum()
    }
}

/// Runs `promtool` with this input, and returns what it finds fault with.
pub fn promtool(args: &[&str], input: &str) -> String {
    let mut tool = Command::new("promtool")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there: tests/run installs it");
    tool.stdin.take().expect("piped").write_all(input.as_bytes()).expect("promtool reads");
    let output = tool.wait_with_output().expect("promtool ends");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() && !said.contains("error") { String::new() } else { format!("promtool: {said}") }
}

/// A Prometheus that scrapes a server each second. Killed when it is dropped.
pub struct Prometheus {
    child: Child,
    client: Client,
}

impl Prometheus {
    pub fn scraping(app: &App) -> Prometheus {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let folder = scratch();
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n  - job_name: api-together\n    \
             authorization: {{ credentials: {KEY} }}\n    static_configs: [{{ targets: [\"127.0.0.1:{}\"] }}]\n",
            app.port
        );
        fs::write(folder.join("prometheus.yml"), config).expect("writes");
        let child = Command::new("prometheus")
            .current_dir(&folder)
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error"])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .spawn()
            .expect("prometheus is there: tests/run installs it");
        let prometheus = Prometheus { child, client: Client::new(port) };
        let is_ready = || prometheus.client.try_get("/-/ready").is_some_and(|answer| answer.status == 200);
        within(Duration::from_secs(30), "Prometheus is ready", is_ready);
        prometheus
    }

    /// The value of an expression; `None` if there is no sample yet.
    pub fn query(&self, expression: &str) -> Option<f64> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.client.try_get(&format!("/api/v1/query?query={encoded}"))?.json();
        assert_eq!(answer["status"], "success", "{answer}");
        let value: &Value = answer.pointer("/data/result/0/value/1")?;
        value.as_str()?.parse().ok()
    }

    /// Waits until an expression has this value.
    pub fn says(&self, expression: &str, value: f64) {
        within(Duration::from_secs(30), &format!("{expression} is {value}"), || self.query(expression) == Some(value));
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
