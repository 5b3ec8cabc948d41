//! The command line, the banner, and the end.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

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
        format!("a  API a  {url}/v1/  rpm unlimited, rpd unlimited, 1 models"),
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
fn a_second_signal_ends_it_at_once() {
    let upstream = Upstream::always(Reply::chat("late").held());
    let mut app = App::on(&[&upstream]);
    let body = json!({ "model": "m" }).to_string();
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", app.port)).expect("connects");
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: {KEY}\r\n");
    write!(socket, "{head}content-length: {}\r\n\r\n{body}", body.len()).expect("sends");
    eventually("it is under way", || upstream.calls() == 1);
    app.signal("INT");
    eventually("it stops", || app.log().contains("stopping"));
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
    assert!(status["apis"][1]["limits"]["rpm"] == 5 && status["apis"][1]["lastError"].is_object(), "{status}");
    child.kill().expect("killed");
    child.wait().expect("reaped");
}
