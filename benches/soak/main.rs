//! A soak: the program under a mix of good and bad clients, on upstreams that fail in every way, while its configuration changes.
//!
//! `cargo bench --bench soak -- --minutes 20 [--clients 24] [--bin PATH]`. Every answer is accounted for; one that is not allowed is
//! printed. At the end: a table, a verdict, and 1 as exit code if anything was wrong. It stops by itself.

#![expect(unreachable_pub, reason = "a bench exports nothing")]
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and ends by panicking")]

mod clients;
mod http;
mod mock;
mod program;
mod report;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clients::Tally;
use mock::Mocks;
use program::{Program, Sample};
use report::Report;

/// The pool's key.
const KEY: &str = "sk-soak-of-the-pool-0123456789";

/// Between two samples.
const SAMPLED_EVERY: Duration = Duration::from_secs(10);

/// Between two configurations, and between two SIGHUPs.
const CONFIGURED_EVERY: Duration = Duration::from_secs(3);
const HUNG_UP_EVERY: Duration = Duration::from_secs(7);

/// A first load, before the base is measured: threads, pools and caches are there then.
const WARM_UP: Duration = Duration::from_secs(20);

/// How long it may take until nothing is under way, once the clients have left: a hanging upstream is given up after 2 s.
const AT_REST_WITHIN: Duration = Duration::from_secs(30);

struct Options {
    load: Duration,
    clients: usize,
    binary: PathBuf,
}

impl Options {
    fn read() -> Result<Options, String> {
        let mut options = Options {
            load: Duration::from_secs(120),
            clients: 24,
            binary: PathBuf::from(env!("CARGO_BIN_EXE_api-together")),
        };
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            let mut value = || args.next().expect("each option has a value");
            match name.as_str() {
                "--minutes" => options.load = Duration::from_secs_f64(60.0 * value().parse::<f64>().expect("minutes")),
                "--clients" => options.clients = value().parse().expect("a number of clients"),
                // The program has a folder of its own.
                "--bin" => options.binary = std::path::absolute(value()).expect("a path"),
                // Cargo's own.
                "--bench" => {}
                _ => return Err(format!("{name} is not known; there are --minutes N, --clients N and --bin FILE")),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let mocks = Mocks::start().expect("upstreams");
    let mut program = Program::start(&options.binary, &mocks).expect("the program");
    let tally = Tally::default();
    let mut complaints = Vec::new();

    println!("warming up for {} s, then {} s of load", WARM_UP.as_secs(), options.load.as_secs());
    load(&mut program, &mocks, &tally, (options.clients, WARM_UP));
    let base = at_rest(&program, &mocks, &mut complaints);
    let under_load = load(&mut program, &mocks, &tally, (options.clients, options.load));
    let after = at_rest(&program, &mocks, &mut complaints);

    let report = Report { base, under_load, after };
    for (outcome, count) in tally.counts() {
        println!("{count:>9} {outcome}");
    }
    report.print();
    complaints.extend(report.complaints());
    if !program.obeys(&mocks) {
        complaints.push("a new configuration does not come into force any more".to_owned());
    }
    if !program.is_alive() || !program.stops() {
        complaints.push("it did not end well".to_owned());
    }
    if program.log().contains("panicked") {
        complaints.push(format!("it panicked:\n{}", program.log()));
    }
    if tally.broken() > 0 {
        complaints.push(format!("{} answers that are not allowed", tally.broken()));
    }
    for complaint in &complaints {
        println!("WRONG: {complaint}");
    }
    println!("{}", if complaints.is_empty() { "all well" } else { "not well" });
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// So many clients for so long, while the configuration changes. Returns the samples.
fn load(program: &mut Program, mocks: &Mocks, tally: &Tally, (clients, span): (usize, Duration)) -> Vec<Sample> {
    let stop = AtomicBool::new(false);
    let port = program.port;
    let mut samples = Vec::new();
    thread::scope(|scope| {
        for name in 0..clients {
            let stop = &stop;
            scope.spawn(move || clients::run(port, name, stop, tally));
        }
        let start = Instant::now();
        let (mut configured, mut hung_up, mut sampled) = (0_u32, 0_u32, 0_u32);
        let due = |every: Duration, done: u32| start.elapsed() >= every * (done + 1);
        while start.elapsed() < span && program.is_alive() {
            thread::sleep(Duration::from_millis(100));
            if due(CONFIGURED_EVERY, configured) {
                configured += 1;
                program.configure(mocks, u64::from(configured)).expect("writes the configuration");
            }
            if due(HUNG_UP_EVERY, hung_up) {
                hung_up += 1;
                program.hang_up().expect("kill is there");
            }
            if due(SAMPLED_EVERY, sampled) {
                sampled += 1;
                if let Ok(sample) = program.sample() {
                    println!("{:>6.0} s {sample:?}, upstreams at {}", start.elapsed().as_secs_f64(), mocks.open());
                    samples.push(sample);
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    samples
}

/// Waits until nothing is under way any more, and idle connections of clients are closed.
fn at_rest(program: &Program, mocks: &Mocks, complaints: &mut Vec<String>) -> Sample {
    let deadline = Instant::now() + AT_REST_WITHIN;
    let mut last = Sample::default();
    while Instant::now() < deadline {
        let Ok(sample) = program.sample() else { break };
        let quiet = sample.in_flight == 0 && mocks.open() == 0 && sample.descriptors >= last.descriptors;
        last = sample;
        if quiet {
            break;
        }
        thread::sleep(Duration::from_secs(6));
    }
    if mocks.open() > 0 {
        complaints.push(format!("upstreams are still at {} requests, and no client is left", mocks.open()));
    }
    last
}
