//! The ledger of usage and the page of metrics at their bounds: `cargo bench --bench usage_metrics`.
//!
//! 1. A year of days is written by the ledger itself: 1,000 keys × 200 models × 50 APIs, with as many cells a day as a day has room
//!    for. Printed are the sizes on disk and in memory.
//! 2. The program is started on that folder, with as many keys, models and APIs in the configuration, each key and each API with
//!    limits and budgets. A scripted upstream answers until every table of metrics is full.
//! 3. Questions about the year, and pages of metrics, are asked over HTTP. Printed are the times and the sizes.
//!
//! `-- --bin PATH` measures another build of the program.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and ends by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use api_together::persistence::{Change, SledStore, Store};
use api_together::types::{Cost, Moment, TokenKinds};
use api_together::usage::{CellNames, OperationKind, UsageCounts, UsageLedger};
use serde_json::{Value, json};

const KEYS: usize = 1_000;
const MODELS: usize = 200;
const APIS: usize = 50;
const DAYS: usize = 365;
/// As many cells a day: the bound.
const CELLS: usize = 10_000;
const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;
/// Each day has usage in so many hours.
const HOURS: i64 = 3;
/// The operator's key.
const ADMIN: &str = "sk-operator-0123456789abcdef0123";
/// Clients at the same time.
const CLIENTS: usize = 4;

fn main() {
    let folder = std::env::temp_dir().join(format!("api-together-usage-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let today = today();
    year(&folder.join("data"), today);
    let upstream = upstream();
    let program = Program::start(&folder, upstream);
    println!("the program with the year on disk: {} MB resident", program.resident() >> 20);
    let from = iso(today - (DAYS as i64 - 1) * DAY_MS);
    for (what, query) in [
        ("the sum of each day", "by=day"),
        ("the sum of each month", "by=month"),
        ("each key by month", "by=month&group=key"),
        ("each model by month", "by=month&group=model"),
        ("each API by day", "by=day&group=api"),
        ("one key by day and model", "by=day&group=model&key=key-77"),
        ("each key by day as CSV", "by=day&group=key&key=key-1"),
    ] {
        program.time(what, &format!("/v1/usage?from={from}&{query}"));
    }
    program.time("each key by month as CSV", &format!("/v1/usage.csv?from={from}&by=month&group=key"));
    program.fill();
    println!("the program with full tables: {} MB resident", program.resident() >> 20);
    program.time("the page of metrics", "/metrics");
    drop(program);
    fs::remove_dir_all(&folder).expect("ours to remove");
}

/// The begin of today, in ms since the Unix epoch.
fn today() -> i64 {
    let wall = SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_millis();
    i64::try_from(wall).expect("our time") / DAY_MS * DAY_MS
}

fn iso(wall: i64) -> String {
    jiff::Timestamp::from_millisecond(wall).expect("our time").to_string()
}

/// The names of the `nth` cell of a day: each key has ten pairs of a model and an API, other ones each day.
fn cell(nth: usize, day: usize) -> [String; 4] {
    let (key, pair) = (nth % KEYS, nth / KEYS);
    let model = (key * 7 + pair * 31 + day * 3) % MODELS;
    let api = (key + pair * 11 + day) % APIS;
    [format!("key-{key}"), format!("api-{api}"), format!("model-{model}"), format!("app-{}", key % 20)]
}

/// Writes a year of usage.
fn year(folder: &Path, today: i64) {
    let store = SledStore::open(folder, false).expect("opens");
    let first = today - DAYS as i64 * DAY_MS;
    let moment = |wall: i64| Moment { wall, hour: wall, day: wall / DAY_MS * DAY_MS };
    let before = resident("self");
    let mut ledger = UsageLedger::open(moment(first), 1, false);
    let (mut counted, mut saved) = (Duration::ZERO, Duration::ZERO);
    for day in 0..DAYS {
        for hour in 0..HOURS {
            let at = moment(first + day as i64 * DAY_MS + hour * 7 * HOUR_MS);
            let names: Vec<[String; 4]> = (0..CELLS).map(|nth| cell(nth, day)).collect();
            let began = Instant::now();
            for (nth, names) in names.iter().enumerate() {
                let names = CellNames {
                    names: names.each_ref().map(String::as_str),
                    kind: OperationKind::Completions,
                    proven: true,
                };
                ledger.add(&names, &counts(nth as u64, day as u64), at);
            }
            counted += began.elapsed();
            let began = Instant::now();
            save(&store, &mut ledger);
            saved += began.elapsed();
        }
        if day == 0 {
            let grown = (resident("self") - before) as f64 / 1024.0 / 1024.0;
            println!("{CELLS} cells of a day in memory, with the store's first pages: {grown:.1} MB");
        }
    }
    ledger.begin(moment(today));
    save(&store, &mut ledger);
    let adds = (DAYS * CELLS) as f64 * HOURS as f64;
    println!(
        "{DAYS} days of {CELLS} cells: to count {:.2} µs, to save an hour {:.1} ms",
        counted.as_secs_f64() * 1e6 / adds,
        saved.as_secs_f64() * 1e3 / (DAYS as f64 * HOURS as f64)
    );
    drop(store);
    let (all, files) = (on_disk(folder), on_disk(&folder.join("usage")));
    println!("  on disk: {} MB, of these {} MB in files of days and hours", all >> 20, files >> 20);
}

fn save(store: &SledStore, ledger: &mut UsageLedger) {
    let changes: Vec<Change> = ledger.take_changes().into_iter().map(Change::Usage).collect();
    store.commit(&changes).expect("commits");
}

/// Sums as of some dozen requests.
fn counts(nth: u64, day: u64) -> UsageCounts {
    let input = 20_000 + nth * 37 % 50_000 + day * 11;
    let tokens =
        TokenKinds { input, cached: input / 3, output: input / 5, reasoning: nth % 3 * 700, ..TokenKinds::default() };
    UsageCounts {
        requests: 24 + nth % 9,
        failed: nth % 2,
        tokens,
        estimated: 0,
        cost: Cost::from_picodollars(input * 2_500_000),
        billed: None,
    }
}

/// The running program. Killed when it is dropped.
struct Program {
    child: Child,
    port: u16,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }
}

impl Program {
    fn start(folder: &Path, upstream: u16) -> Program {
        let own = env!("CARGO_BIN_EXE_api-together");
        let other = std::env::args().skip_while(|arg| arg != "--bin").nth(1);
        let binary = std::path::absolute(other.as_deref().unwrap_or(own)).expect("a path");
        fs::write(folder.join("apis.json"), config(upstream).to_string()).expect("writes");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let child = Command::new(binary)
            .args(["--config", "apis.json", "--data", "data", "--host", "127.0.0.1", "--port", &port.to_string()])
            .current_dir(folder)
            .envs([("RUST_LOG", "error"), ("TZ", "UTC")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not start");
            thread::sleep(Duration::from_millis(20));
        }
        println!("the program starts in {:.1?}", began.elapsed());
        Program { child, port }
    }

    fn resident(&self) -> usize {
        resident(&self.child.id().to_string())
    }

    /// Asks seven times, and prints the times of the answers.
    fn time(&self, what: &str, path: &str) {
        let mut client = Client::to(self.port);
        let mut size = 0;
        let mut times: Vec<Duration> = (0..7)
            .map(|_| {
                let began = Instant::now();
                let (status, length) = client.ask(&format!("GET {path}"), ADMIN, "");
                assert_eq!(status, 200, "{path}");
                size = length;
                began.elapsed()
            })
            .collect();
        let first = times.first().copied().unwrap_or_default();
        times.sort();
        let [median, longest] = [3, 6].map(|at| times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3));
        println!(
            "  {what:30} median {median:6.1} ms, longest {longest:6.1} ms, first {:6.1} ms, {:8.1} KB",
            first.as_secs_f64() * 1e3,
            size as f64 / 1024.0
        );
    }

    /// Asks until every table is full: each key for some models, on all upstreams.
    fn fill(&self) {
        let began = Instant::now();
        thread::scope(|scope| {
            for part in 0..CLIENTS {
                scope.spawn(move || {
                    let mut client = Client::to(self.port);
                    for nth in (part..CELLS * 6 / 5).step_by(CLIENTS) {
                        let (key, model) = (nth % KEYS, (nth % KEYS * 7 + nth / KEYS * 31) % MODELS);
                        let body = format!(r#"{{"model":"model-{model}","messages":[],"max_tokens":9}}"#);
                        let (status, _) = client.ask("POST /v1/chat/completions", &secret(key), &body);
                        assert_eq!(status, 200);
                    }
                });
            }
        });
        println!("{} chats in {:.1?}", CELLS * 6 / 5, began.elapsed());
    }
}

fn secret(key: usize) -> String {
    format!("sk-of-key-{key:04}-0123456789abcdef")
}

fn config(upstream: u16) -> Value {
    let models: Vec<String> = (0..MODELS).map(|nth| format!("model-{nth}")).collect();
    let api = |nth: usize| {
        json!({
            "id": format!("api-{nth}"), "baseUrl": format!("http://127.0.0.1:{upstream}/v1"), "apiKey": format!("k{nth}"),
            "models": models, "rpm": 1_000_000, "tpd": 1_000_000_000, "limits": [{ "usd": 1_000, "per": "month" }],
            "prices": { "*": { "input": 1, "output": 4 } },
        })
    };
    let key = |nth: usize| {
        json!({
            "name": format!("key-{nth}"), "key": secret(nth), "rpm": 100_000, "tpd": 1_000_000_000,
            "limits": [{ "requests": 100_000, "per": "5h" }], "budgets": [{ "usd": 10, "per": "day" }, { "usd": 100, "per": "month" }],
        })
    };
    json!({
        "server": { "adminKeys": [ADMIN] },
        "apis": (0..APIS).map(api).collect::<Vec<_>>(),
        "keys": (0..KEYS).map(key).collect::<Vec<_>>(),
    })
}

/// HTTP by hand, on one connection.
struct Client(BufReader<TcpStream>);

impl Client {
    fn to(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        stream.set_nodelay(true).expect("set");
        Client(BufReader::new(stream))
    }

    /// Sends a request with this method and path. Returns the status, and the length of the body.
    fn ask(&mut self, line: &str, key: &str, body: &str) -> (u16, usize) {
        let request = format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes()).expect("sent");
        let (first, length) = read_head(&mut self.0).expect("an answer");
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).expect("all of the answer");
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, length)
    }
}

/// Reads a head. Returns the first line, and the length of the body. `None` at the end of the connection.
fn read_head(reader: &mut BufReader<TcpStream>) -> Option<(String, usize)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            return Some((first, length));
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
}

/// A scripted upstream, until the process ends. Returns the port.
fn upstream() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "hi" }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11,
                   "prompt_tokens_details": { "cached_tokens": 3 }, "completion_tokens_details": { "reasoning_tokens": 1 } },
    })
    .to_string();
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = answer.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                while let Some((_, length)) = read_head(&mut reader) {
                    let mut asked = vec![0; length];
                    if reader.read_exact(&mut asked).is_err() || reader.get_mut().write_all(answer.as_bytes()).is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// The memory of a process, in bytes.
fn resident(process: &str) -> usize {
    let pages = fs::read_to_string(format!("/proc/{process}/statm")).expect("Linux");
    let pages: usize = pages.split(' ').nth(1).expect("a second number").parse().expect("a number");
    pages * 4_096
}

fn on_disk(folder: &Path) -> u64 {
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => on_disk(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    fs::read_dir(folder).expect("a folder").map_while(Result::ok).map(size).sum()
}
