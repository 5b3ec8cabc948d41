//! `api-together bench`: what this program costs, measured on this machine beside other servers.
//!
//! Every target gets the same load, in turns, for several rounds: a busy machine is then unfair to all targets alike. CPU
//! time and memory are the operating system's figures for the processes listening at a target.

mod client;
mod load;
mod mock;
mod process;
mod report;
mod scenario;
mod server;
mod target;

use std::io;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use thiserror::Error;

use self::report::Report;
use self::scenario::Scenario;
use self::target::{OwnBuild, TargetKind};

/// What to measure, and how.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure: the URL of a running API, as clients have it (http://127.0.0.1:3001/v1). Default: this program, started with
    /// everything switched on.
    #[arg(long, value_name = "URL", value_parser = TargetKind::parse)]
    target: Option<TargetKind>,
    /// Another server to measure in turns with the target: the URL of an API; `nginx` or `haproxy`, which are started if they are
    /// installed; `workers=N`, this program with so many worker threads; `build=PATH`, another build of it; `plain`, this
    /// program with one key and without budgets and prices; or `plain=PATH`, another build so. May be given several times.
    #[arg(long, value_name = "URL|nginx|haproxy|workers=N|build=PATH|plain|plain=PATH", value_parser = TargetKind::parse)]
    against: Vec<TargetKind>,
    /// The key to send to the URLs.
    #[arg(long)]
    key: Option<String>,
    /// Where the mock upstream listens, on 127.0.0.1; 0 takes any free port. Let the servers behind the URLs forward the model
    /// "bench" to it.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    upstream_port: u16,
    /// How many accounts the mock is entered as where this program is measured.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    accounts: u16,
    /// The measurements, separated by commas.
    #[arg(long, value_delimiter = ',', default_values = Scenario::NAMES, value_parser = clap::builder::PossibleValuesParser::new(Scenario::NAMES))]
    only: Vec<String>,
    /// How often each target is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: u16,
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    seconds: f64,
    /// Connections that send as fast as they are answered.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Requests a second when the added latency is measured.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Streams at the same time.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    streams: u16,
    /// Streams at the same time, when there are very many.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    many_streams: u16,
    /// Print the figures as JSON.
    #[arg(long)]
    json: bool,
}

impl BenchArgs {
    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// Returns all targets: the mock itself, the target, and the rivals.
    fn all(&self) -> Vec<TargetKind> {
        let target = self.target.clone().unwrap_or(TargetKind::ThisProgram(OwnBuild::default()));
        [TargetKind::Direct, target].into_iter().chain(self.against.iter().cloned()).collect()
    }
}

fn seconds(typed: &str) -> Result<f64, String> {
    let seconds = typed.parse().ok().filter(|seconds: &f64| (0.1..=3_600.0).contains(seconds));
    seconds.ok_or_else(|| "must be a number from 0.1 to 3600".to_owned())
}

/// What the surrounding program gives the bench.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// A folder of the bench's own. A signal that ends the bench removes the folder, too.
    pub folder: &'a Path,
    /// How many files the process may open, if there is a limit.
    pub open_files: Option<u64>,
    /// The version of the program.
    pub version: &'a str,
}

/// Why nothing more was measured.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A server does not start, or does not answer as expected.
    #[error("{0}")]
    Measure(io::Error),
    /// The figures can't be written.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// Measures what is asked for, and prints the figures.
///
/// # Errors
/// When a target can't be measured, or the output can't be written.
pub fn run(args: &BenchArgs, surroundings: Surroundings<'_>) -> Result<(), BenchError> {
    let Surroundings { folder, open_files, version } = surroundings;
    server::stop_on_signals(folder).map_err(BenchError::Measure)?;
    // Streams are connections, of the load and of the mock, all in this process.
    if open_files.is_some_and(|files| files < 5 * u64::from(args.many_streams.max(args.streams))) {
        log::warn!("few files may be open at once (ulimit -n): streams may fail for that");
    }
    let upstream = mock::start(args.upstream_port).map_err(BenchError::Measure)?;
    let mut report = Report::new(args.rounds, args.time());
    for scenario in Scenario::ALL.iter().filter(|scenario| args.only.iter().any(|name| name == scenario.name)) {
        let measured = scenario.measure(args, upstream, folder).map_err(BenchError::Measure)?;
        if !args.json {
            report::table(&mut io::stdout().lock(), &measured)?;
        }
        report.scenarios.push(measured);
    }
    if args.json {
        report::json(&mut io::stdout().lock(), &report, version)?;
    }
    Ok(())
}

/// A chat of some 300 bytes, or of so many more as are `attached`.
fn chat_body(attached: &str) -> String {
    let talk = "You answer briefly. The user writes in English and wants to know what the weather is like today.";
    format!(
        r#"{{"model":"{}","messages":[{{"role":"system","content":"{talk}"}},{{"role":"user","content":"What is it like outside, and do I need a coat?{attached}"}}],"temperature":0.7,"max_tokens":200}}"#,
        mock::MODEL
    )
}

/// A chat whose answer is a stream of so many events.
fn stream_body(events: u32, gap: Duration) -> String {
    format!(
        r#"{{"model":"{}","messages":[{{"role":"user","content":"Tell me a story."}}],"stream":true,"stream_options":{{"include_usage":true}},"max_tokens":{events},"user":"gap-ms-{}"}}"#,
        mock::MODEL,
        gap.as_millis()
    )
}
