//! The command line, the banner, and the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::helpers::{App, Client, KEY, Launch, Reply, Step, Upstream, config_of, eventually, scratch};

fn run(args: &[&str]) -> (Option<i32>, String) {
    let launch = Launch { folder: scratch(), args: Vec::new(), env: Vec::new() };
    let output = launch.command().args(args).output().expect("ran");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(told).expect("UTF-8"))
}

#[test]
fn help_and_version_and_slips() {
    let (code, told) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for wanted in ["serve", "check", "demo", "schema", "--config", "--data", "--host", "--port"] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    for wanted in ["Examples:", "API_TOGETHER_KEY", "LOG_LEVEL", "HOST, PORT", "Exit codes", "docs/"] {
        assert!(told.contains(wanted), "no {wanted:?} in:\n{told}");
    }
    let brief = run(&["-h"]).1;
    assert!(brief.len() < told.len() && !brief.contains("Examples:") && brief.contains("--help"), "{brief}");
    assert!(run(&["--version"]).1.starts_with("api-together "));
    let (code, told) = run(&["srve"]);
    assert!(code == Some(2) && told.contains("'serve'"), "{told}");
    assert_eq!(run(&["--port", "70000"]).0, Some(2));
}

#[test]
fn the_banner_says_where_what_and_with_which_key() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let banner = app.banner();
    let (port, url) = (app.port, upstream.url());
    for wanted in [
        format!("http://localhost:{port}/v1"),
        format!("http://localhost:{port}/v1/status"),
        format!("http://localhost:{port}/health"),
        "sk-…6789".to_owned(),
        format!("a  API a  {url}/v1/  rpm unlimited, rpd unlimited, 1 model"),
    ] {
        assert!(banner.contains(&wanted), "no {wanted:?} in:\n{banner}");
    }
    assert!(!banner.contains(KEY));
}

#[test]
fn serve_is_the_default_command() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let launch = Launch::new(&config_of(&[&upstream]));
    let mut child = launch
        .command()
        .args(["serve", "--config", "apis.json", "--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let listens = lines.map_while(Result::ok).any(|line| line.contains("listening on"));
    child.kill().expect("killed");
    child.wait().expect("reaped");
    assert!(listens);
}

#[test]
fn check_takes_the_arguments_of_serve_and_says_where_the_data_is() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let launch = Launch::new(&config_of(&[&upstream]));
    let output = launch.command().args(["check", "-c", "apis.json", "-p", "1", "--data", "x"]).output().expect("ran");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let data = launch.folder.join("x");
    assert!(output.status.success() && told.contains(&format!("Data      {}", data.display())), "{told}");
    assert!(told.contains("1 API, 1 of them enabled") && !told.contains('\u{1b}') && !data.exists(), "{told}");
}

#[test]
fn a_port_that_is_taken_is_told() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = taken.local_addr().expect("bound").port().to_string();
    let launch = Launch::new(&config_of(&[&upstream]));
    let output = launch.command().args(["--config", "apis.json", "--port", &port]).output().expect("ran");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(&format!("can't listen on localhost:{port}")) && told.contains("--port"), "{told}");
}

#[test]
fn a_stop_lets_a_running_stream_end_and_saves() {
    let event = |text: &str| Step::event(&json!({ "choices": [{ "delta": { "content": text } }] }).to_string());
    let steps = vec![event("a"), Step::Hold, event("b"), Step::event("[DONE]")];
    let upstream = Upstream::always(Reply::stream(steps, true));
    for signal in ["TERM", "INT"] {
        let mut app = App::on(&[&upstream]);
        let mut answer = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
        assert!(answer.next().expect("reads").is_some());
        app.signal(signal);
        eventually("it stops", || app.log().contains("stopping"));
        eventually("no new connection is taken", || std::net::TcpStream::connect(("127.0.0.1", app.port)).is_err());
        upstream.release();
        let rest = String::from_utf8(answer.try_bytes().expect("whole")).expect("UTF-8");
        assert!(rest.contains('b') && rest.ends_with("data: [DONE]\n\n"), "{rest}");
        assert!(app.wait().success());
        assert!(app.log().contains("the counts are saved"), "{}", app.log());
    }
}

#[test]
fn a_second_signal_after_a_second_ends_it_at_once() {
    let upstream = Upstream::always(Reply::chat("late").held());
    let mut app = App::on(&[&upstream]);
    let body = json!({ "model": "m" }).to_string();
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", app.port)).expect("connects");
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\n");
    write!(socket, "{head}content-length: {}\r\n\r\n{body}", body.len()).expect("sends");
    eventually("it is under way", || upstream.calls() == 1);
    app.signal("INT");
    eventually("it stops", || app.log().contains("stopping"));
    std::thread::sleep(Duration::from_millis(1_200));
    let start = Instant::now();
    app.signal("INT");
    assert!(app.wait().success());
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn an_idle_client_does_not_hold_a_stop_up() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut app = App::on(&[&upstream]);
    let mut idle = std::net::TcpStream::connect(("127.0.0.1", app.port)).expect("connects");
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").expect("sends");
    assert!(idle.read(&mut [0; 1_024]).expect("reads") > 0);
    let start = Instant::now();
    app.signal("TERM");
    assert!(app.wait().success());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn the_demo_serves_without_an_account_and_hides_its_failures() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_api-together"))
        .args(["demo", "--port", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let listening = lines.find_map(|line| line.split_once("127.0.0.1:").map(|(_, rest)| rest.to_owned()));
    let digits: String = listening.expect("told").chars().take_while(char::is_ascii_digit).collect();
    let hint: Vec<String> = lines.by_ref().take_while(|line| !line.contains("-d '{")).collect();
    assert!(hint.iter().any(|line| line.contains("curl -N http://localhost:")), "{hint:?}");
    let client = Client::new(digits.parse().expect("a port")).key("sk-123");
    eventually("it answers", || client.try_get("/health").is_some_and(|r| r.status == 200));

    let chat = |stream: bool| json!({ "model": "demo-chat", "stream": stream, "messages": [{ "role": "user", "content": "Hi" }] });
    for _ in 0..20 {
        let answer = client.post("/v1/chat/completions", &chat(false));
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("You said: Hi"));
    }
    let stream = client.post("/v1/chat/completions", &chat(true)).text();
    assert!(stream.ends_with("data: [DONE]\n\n") && !stream.contains("usage"), "{stream}");
    let embeddings = client.post("/v1/embeddings", &json!({ "model": "demo-embedding", "input": ["a", "b"] })).json();
    assert_eq!(embeddings["data"].as_array().map(Vec::len), Some(2));
    assert_eq!(client.get("/v1/models").json()["data"].as_array().map(Vec::len), Some(3));
    let status = client.get("/v1/status").json();
    assert!(status["apis"][1]["limits"]["rpm"] == 30 && status["apis"][1]["lastError"].is_object(), "{status}");
    assert_eq!(status["config"]["warnings"], json!([]), "nothing of its own is to be mended");
    child.kill().expect("killed");
    child.wait().expect("reaped");
}

/// A short run of the bench.
const SHORT_BENCH: [&str; 12] =
    ["bench", "--json", "--rounds", "2", "--seconds", "0.2", "--streams", "5", "--connections", "4", "--rate", "100"];

#[test]
fn the_bench_tells_figures_that_a_program_can_read() {
    let upstream = Upstream::always(Reply::chat("hi").kept());
    let url = format!("{}/v1", upstream.url());
    let only = ["--only", "chat,latency,streams,start", "--against", "workers=1", "--against", &url];
    let launch = Launch { folder: scratch(), args: Vec::new(), env: Vec::new() };
    let output = launch.command().args(SHORT_BENCH).args(only).output().expect("ran");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!((&told["rounds"], &told["secondsEach"]), (&json!(2), &json!(0.2)));
    let scenarios = told["scenarios"].as_array().expect("a list");
    let names: Vec<_> = scenarios.iter().map(|scenario| scenario["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["chat", "latency", "streams", "start"]);
    for scenario in scenarios {
        let targets = scenario["targets"].as_array().expect("a list");
        let of =
            |target: &str| targets.iter().find(|told| told["target"] == target).map(|told| told["figures"].clone());
        let own = of("api-together").unwrap_or_else(|| panic!("this program is not in {scenario}"));
        for figure in own.as_array().expect("a list") {
            let spread = ["min", "median", "max"].map(|at| figure["spread"][at].as_f64().expect("a number"));
            assert!(
                spread.is_sorted() && figure["rounds"].as_array().is_some_and(|rounds| rounds.len() == 2),
                "{figure}"
            );
            assert!(figure["name"] != "failed", "{figure}");
        }
        let named = |name: &str| own.as_array().into_iter().flatten().find(|figure| figure["name"] == name).cloned();
        match scenario["name"].as_str() {
            Some("chat") => {
                let cpu = named("CPU, µs a request").expect("of a process that it started");
                assert!(
                    cpu["spread"]["median"].as_f64() > Some(1.0) && cpu["ratio"]["median"].as_f64() > Some(0.01),
                    "{cpu}"
                );
                assert!(of("workers=1").is_some() && of(&url).is_some() && of("direct").is_some());
            }
            Some("latency") => {
                let p50 = named("latency p50, µs").expect("a time");
                assert!(p50["overDirect"]["median"].is_number(), "{p50}");
                let rate = named("requests a second").expect("a rate");
                assert!((80.0..120.0).contains(&rate["spread"]["median"].as_f64().expect("a number")), "{rate}");
            }
            Some("streams") => {
                assert!(named("delay p99, µs").is_some_and(|delay| delay["spread"]["min"].as_f64() > Some(0.0)))
            }
            _ => assert!(named("first answer, ms").is_some() && of("direct").is_none()),
        }
    }
    assert!(upstream.calls() > 20);
}

#[test]
fn the_bench_says_what_it_cannot_measure() {
    for (args, told) in [
        (&["--against", "https://localhost/v1"][..], "only http://"),
        (&["--against", "workers=0"], "from 1 on"),
        (&["--against", "apache"], "nor nginx, haproxy, workers=N, build=PATH, plain or plain=PATH"),
        (&["--only", "everything"], "possible values: chat"),
    ] {
        let (code, said) = run(&[&["bench"], args].concat());
        assert!(code == Some(2) && said.contains(told), "{args:?}: {said}");
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let url = format!("http://{nobody}/v1");
    let upstream = Upstream::always(Reply::error(401, "no"));
    for (url, why) in [(url, "does not answer"), (format!("{}/v1", upstream.url()), "with 401")] {
        let (code, said) = run(&["bench", "--only", "chat", "--seconds", "0.1", "--rounds", "1", "--target", &url]);
        assert!(code == Some(1) && said.contains(&url) && said.contains(why), "{said}");
    }
}

/// A rival in nginx's place: a master with two workers that do not end when it does. It answers every request with a 200.
const RIVAL: &str = r#"#!/bin/sh
sleep 300 & echo $! >> "$RIVAL_PIDS"
sleep 300 & echo $! >> "$RIVAL_PIDS"
echo $$ >> "$RIVAL_PIDS"
exec python3 - "$4" <<'END'
import http.server, re, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *args): pass
host, port = re.search(r"listen ([0-9.]+):([0-9]+);", open(sys.argv[1]).read()).groups()
http.server.ThreadingHTTPServer((host, int(port)), Answer).serve_forever()
END
"#;

/// Whether a process runs. One that has ended and was not waited for does not.
fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with(['Z', 'X']))
}

#[test]
fn the_bench_leaves_no_process_and_no_folder_behind_however_it_ends() {
    for (end, against, code) in [
        ("", "nginx", Some(0)),
        ("", "build=/nowhere", Some(1)),
        ("INT", "nginx", Some(130)),
        ("TERM", "nginx", Some(143)),
        ("HUP", "nginx", Some(129)),
    ] {
        let folder = scratch();
        let rival = folder.join("nginx");
        std::fs::write(&rival, RIVAL).expect("writes");
        std::fs::set_permissions(&rival, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("set");
        let temporary = folder.join("tmp");
        std::fs::create_dir(&temporary).expect("made");
        let pids = folder.join("pids");
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("set"));
        let launch = Launch { folder: folder.clone(), args: Vec::new(), env: Vec::new() };
        let mut command = launch.command();
        command.env("PATH", path).env("RIVAL_PIDS", &pids).env("TMPDIR", &temporary);
        let seconds = if end.is_empty() { "0.2" } else { "60" };
        command.args(["bench", "--only", "chat", "--rounds", "1", "--connections", "2", "--seconds", seconds]);
        command.args(["--against", "nginx", "--against", against]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut bench = command.spawn().expect("starts");
        let started = || std::fs::read_to_string(&pids).unwrap_or_default();
        if !end.is_empty() {
            eventually("both rivals run", || started().lines().count() == 6);
            let pid = bench.id().to_string();
            assert!(Command::new("kill").args([&format!("-{end}"), &pid]).status().expect("sent").success());
        }
        let status = bench.wait().expect("ended");
        assert_eq!(status.code(), code, "{end} {against}");
        let started = started();
        assert!(started.lines().count() >= 3, "no rival was started: {end} {against}");
        let left: Vec<&str> = started.lines().filter(|pid| runs(pid)).collect();
        assert_eq!(left, Vec::<&str>::new(), "{end} {against}");
        let folders: Vec<_> = std::fs::read_dir(&temporary).expect("reads").map_while(Result::ok).collect();
        assert!(folders.is_empty(), "{end} {against}: {folders:?}");
    }
}
