//! Prometheus' own programs, and a page of metrics as a test reads one.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

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
