//! The server's own edge: how much it takes at once, and how long it waits for a client.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::helpers::{
    Answer, App, Client, KEY, Launch, OPEN_FILES, Raw, Reply, Step, Upstream, config_of, eventually, post, within,
};

const CHAT: &str = r#"{"model":"m","messages":[]}"#;

/// The same configuration, with these fields of `server` besides.
pub fn with(upstream: &Upstream, fields: &Value) -> Value {
    let mut config = config_of(&[upstream]);
    config["server"].as_object_mut().expect("a server").extend(fields.as_object().expect("fields").clone());
    config
}

#[test]
fn more_requests_than_are_allowed_are_refused_at_once_and_health_is_not() {
    let upstream = Upstream::always(Reply::chat("hi").held());
    let app = App::start(&with(&upstream, &json!({ "maxRequests": 2 })));
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..2).map(|_| scope.spawn(|| app.chat())).collect();
        eventually("both are on the way", || upstream.calls() == 2);
        let asked = Instant::now();
        let refused = app.chat();
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert!(refused.header("x-request-id").is_some());
        assert_eq!(refused.error(), (503, "server_overloaded".into()));
        assert_eq!(app.client().get("/v1/models").status, 503);
        assert_eq!(app.client().get("/health").status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2));
        upstream.release();
        assert!(running.into_iter().all(|chat| chat.join().expect("ended").status == 200));
    });
    eventually("the room comes back", || app.chat().status == 200);
    assert_eq!(upstream.calls(), 3 + usize::from(upstream.calls() > 3), "the refused reached nobody");
}

#[test]
fn a_stream_counts_as_served_until_its_last_byte() {
    let event = Step::event(r#"{"choices":[{"delta":{"content":"a"}}]}"#);
    let upstream = Upstream::always(Reply::stream(vec![event, Step::Hold, Step::event("[DONE]")], true));
    let app = App::start(&with(&upstream, &json!({ "maxRequests": 1 })));
    let mut stream = app.client().post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    assert!(stream.next().expect("an event").is_some());
    assert_eq!(app.chat().error(), (503, "server_overloaded".into()));
    upstream.release();
    assert!(String::from_utf8(stream.try_bytes().expect("whole")).expect("text").contains("[DONE]"));
    eventually("the room comes back", || app.client().get("/v1/models").status == 200);
}

#[test]
fn bodies_beyond_the_memory_for_them_are_refused_before_they_are_read() {
    let upstream = Upstream::always(Reply::chat("hi").held());
    let app = App::start(&with(&upstream, &json!({ "bodiesInFlightMb": 2 })));
    let megabyte = format!(r#"{{"model":"m","x":"{}"}}"#, "x".repeat(1 << 20));
    let head = |framing: &str| {
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{framing}\r\n\r\n")
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| app.client().request("POST", "/v1/chat/completions", megabyte.as_bytes()).status);
        eventually("it is on the way", || upstream.calls() == 1);

        let mut announced = Raw::to(app.port);
        assert!(announced.send(head("content-length: 1100000")));
        let refused = announced.answer().expect("an answer, though no byte of the body came");
        assert_eq!((refused.status, refused.code()), (503, "server_overloaded".into()));
        assert!(refused.head.contains("retry-after: 1\r\n"), "{refused:?}");

        let mut counted = Raw::to(app.port);
        assert!(counted.send(head("transfer-encoding: chunked")));
        let chunk = format!("8000\r\n{}\r\n", "x".repeat(0x8000));
        // It is refused on the way; the rest is not waited for.
        let sent = (0..60).take_while(|_| counted.send(&chunk)).count();
        let refused = counted.answer().expect("an answer before the body's end");
        assert_eq!((refused.status, refused.code()), (503, "server_overloaded".into()), "after {sent} chunks");

        assert_eq!(app.client().get("/v1/status").status, 200, "who has no body is served");
        upstream.release();
        assert_eq!(running.join().expect("ended"), 200);
    });
    let served = || app.client().request("POST", "/v1/chat/completions", megabyte.as_bytes()).status;
    eventually("all of it comes back", || served() == 200);
    for _ in 0..5 {
        assert_eq!(served(), 200, "each gives back what it took");
    }
}

#[test]
fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::start(&with(&upstream, &json!({ "bodyLimitMb": 1 })));
    let mut raw = Raw::to(app.port);
    let head = post("", "").replace("content-length: 0", "content-length: 1048577");
    assert!(raw.send(head));
    let refused = raw.answer().expect("an answer");
    assert_eq!((refused.status, refused.code()), (413, "request_too_large".into()));
    assert_eq!(upstream.calls(), 0);
}

#[test]
fn a_flood_of_connections_is_outlived() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = Launch::new(&config_of(&[&upstream])).env(OPEN_FILES, "256").start();
    let before = cpu_ticks(app.pid());
    let flood: Vec<TcpStream> = (0..1_000).map_while(|_| connect(app.port)).collect();
    assert!(flood.len() > 300, "no flood: {}", flood.len());
    let begun = Instant::now();
    within(Duration::from_secs(5), "as many are taken as may be", || descriptors(app.pid()) > 128);
    std::thread::sleep(Duration::from_secs(2).saturating_sub(begun.elapsed()));
    // The rest waits outside: nothing spins, and descriptors for upstreams are left.
    assert!(descriptors(app.pid()) < 200, "{} files are open", descriptors(app.pid()));
    let spent = cpu_ticks(app.pid()) - before;
    assert!(spent < 150, "{spent} ticks of CPU while nobody says a word");
    drop(flood);
    within(Duration::from_secs(10), "it serves again", || {
        app.client().try_get("/health").is_some_and(|r| r.status == 200)
    });
    assert_eq!(app.chat().status, 200);
}

#[test]
fn descriptors_that_run_out_do_not_end_the_server() {
    // More connections than descriptors are allowed for: accepting fails.
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = Launch::new(&with(&upstream, &json!({ "maxConnections": 10_000 }))).env(OPEN_FILES, "128").start();
    let before = cpu_ticks(app.pid());
    let begun = Instant::now();
    let flood: Vec<TcpStream> = (0..400).map_while(|_| connect(app.port)).collect();
    std::thread::sleep(Duration::from_secs(3).saturating_sub(begun.elapsed()));
    let spent = cpu_ticks(app.pid()) - before;
    assert!(spent < 150, "{spent} ticks of CPU in 3 s: it spins");
    drop(flood);
    within(Duration::from_secs(10), "it serves again", || {
        app.client().try_get("/health").is_some_and(|r| r.status == 200)
    });
    eventually("with upstreams", || app.chat().status == 200);
}

fn connect(port: u16) -> Option<TcpStream> {
    TcpStream::connect_timeout(&([127, 0, 0, 1], port).into(), Duration::from_millis(300)).ok()
}

pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("running").count()
}

/// The CPU time of a process, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("running");
    let behind_name = stat.rsplit_once(") ").expect("a name").1.to_owned();
    let fields: Vec<&str> = behind_name.split(' ').collect();
    fields[11].parse::<u64>().expect("user") + fields[12].parse::<u64>().expect("system")
}

/// Patience that a test can wait for.
fn impatient(upstream: &Upstream) -> App {
    App::start(&with(upstream, &json!({ "headTimeoutMs": 1000, "bodyTimeoutMs": 300, "writeTimeoutMs": 500 })))
}

#[test]
fn a_slow_head_is_cut_whichever_of_a_connection_it_is() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = impatient(&upstream);
    let mut silent = Raw::to(app.port);
    assert_eq!(silent.answer().expect("an answer").status, 408);
    assert!(silent.is_closed());

    // A byte every so often, as a slow loris does.
    let dribble = |raw: &mut Raw| {
        let begun = Instant::now();
        let text = format!("GET /health HTTP/1.1\r\nhost: x\r\nx-pad: {}", "x".repeat(2_000));
        for byte in text.bytes() {
            if begun.elapsed() > Duration::from_secs(5) || !raw.send([byte]) {
                break;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        begun.elapsed()
    };
    let mut first = Raw::to(app.port);
    assert!(dribble(&mut first) < Duration::from_secs(4), "the first head");
    let mut later = Raw::to(app.port);
    assert!(later.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n"));
    assert_eq!(later.answer().expect("an answer").status, 200);
    assert!(dribble(&mut later) < Duration::from_secs(4), "a later head");
    // Without a byte begun, it may idle.
    let mut idle = Raw::to(app.port);
    for _ in 0..2 {
        assert!(idle.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n"));
        assert_eq!(idle.answer().expect("an answer").status, 200);
        std::thread::sleep(Duration::from_millis(1_200));
    }
}

#[test]
fn a_slow_body_is_answered_408_and_a_steady_one_is_not() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = impatient(&upstream);
    let whole = post("", CHAT);
    let begun = &whole[..whole.len() - 5];
    let mut slow = Raw::to(app.port);
    assert!(slow.send(begun));
    let answer = slow.answer().expect("an answer");
    assert_eq!((answer.status, answer.code()), (408, "body_timeout".into()));
    assert!(slow.is_closed(), "its rest must not be read as a request");
    assert_eq!(upstream.calls(), 0);

    let long =
        post("", &json!({ "model": "m", "messages": [{ "role": "user", "content": "x".repeat(2_000) }] }).to_string());
    let mut steady = Raw::to(app.port);
    for piece in long.as_bytes().chunks(500) {
        std::thread::sleep(Duration::from_millis(150));
        assert!(steady.send(piece));
    }
    assert_eq!(steady.answer().expect("an answer").status, 200);

    // A piece in time, each time, but so small that its rest would take minutes.
    let (head, body) = long.split_at(long.find("\r\n\r\n").expect("a head") + 4);
    let mut dribbling = Raw::to(app.port);
    assert!(dribbling.send(head));
    let taken = body.bytes().take(200).take_while(|byte| {
        std::thread::sleep(Duration::from_millis(50));
        dribbling.send([*byte])
    });
    assert!(taken.count() < 100, "it is cut");
}

#[test]
fn a_body_that_nobody_wants_is_not_read_for_ever() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = impatient(&upstream);
    let mut stranger = Raw::to(app.port);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    assert!(stranger.send(head));
    assert_eq!(stranger.answer().expect("an answer").status, 401);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) && stranger.send("1\r\nx\r\n") {
        std::thread::sleep(Duration::from_millis(30));
    }
    assert!(begun.elapsed() < Duration::from_secs(4), "it was read for {:?}", begun.elapsed());
}

#[test]
fn a_client_that_reads_nothing_holds_its_upstream_back_and_is_cut() {
    let event = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "x".repeat(60_000));
    // 60 MB: more than all buffers on the way may hold.
    let steps = (0..1_000).map(|_| Step::event(&event)).collect();
    let upstream = Upstream::always(Reply::stream(steps, true));
    let app = impatient(&upstream);
    let before = memory_kb(app.pid());
    let mut deaf = Raw::to(app.port);
    assert!(deaf.send(post("", r#"{"model":"m","stream":true}"#)));
    eventually("it is asked", || upstream.calls() == 1);
    within(Duration::from_secs(5), "the upstream is let go", || upstream.hung_up() == 1);
    eventually("its account is closed", || app.status_of("a")["inFlight"] == 0);
    let grown = memory_kb(app.pid()).saturating_sub(before);
    assert!(grown < 30_000, "{grown} kB for one client");
    let got = deaf.until_closed();
    assert!(!String::from_utf8_lossy(&got).contains("[DONE]"));
    app.logged("the client left");
    assert!(app.client().get("/v1/token/stats").json()["summary"]["totalTokens"].as_u64() > Some(0));
}

#[test]
fn a_slow_client_that_reads_on_is_served_to_the_end() {
    let event = format!(r#"{{"choices":[{{"delta":{{"content":"{}"}}}}]}}"#, "x".repeat(60_000));
    let mut steps: Vec<Step> = (0..400).map(|_| Step::event(&event)).collect();
    steps.push(Step::event("[DONE]"));
    let upstream = Upstream::always(Reply::stream(steps, true));
    let app = App::start(&with(&upstream, &json!({ "writeTimeoutMs": 1500 })));
    let client = Client::new(app.port).key(KEY);
    let mut stream = client.post("/v1/chat/completions", &json!({ "model": "m", "stream": true }));
    let (begun, mut size) = (Instant::now(), 0);
    // For three times as long as one that takes nothing would be borne.
    while let Some(piece) = stream.next().expect("whole") {
        size += piece.len();
        if begun.elapsed() < Duration::from_millis(4_500) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    assert!(size > 400 * 60_000 && begun.elapsed() > Duration::from_millis(4_500), "{size}");
}

fn memory_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("running");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("told");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

#[test]
fn connections_over_the_bound_are_told_at_once_and_the_health_is_told_all_the_same() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let mut config = with(&upstream, &json!({ "maxConnections": 2 }));
    config["actors"] = json!({ "workers": 1 });
    let app = App::start(&config);
    let health = "GET /health HTTP/1.1\r\nhost: x\r\n\r\n";
    // Strangers without a key, who keep their connections.
    let mut idle = [Raw::to(app.port), Raw::to(app.port)];
    assert!(idle.iter_mut().all(|idle| idle.exchange(health) == Some(200)));

    let begun = Instant::now();
    let mut third = Raw::to(app.port);
    assert!(third.send(post("", CHAT)));
    let answer = third.answer().expect("an answer");
    assert_eq!((answer.status, answer.code()), (503, "server_overloaded".into()));
    assert!(answer.head.contains("retry-after: 1") && answer.head.contains("connection: close"), "{}", answer.head);
    assert!(third.is_closed());
    let mut asks = Raw::to(app.port);
    assert_eq!(asks.exchange(health), Some(200));
    assert!(asks.is_closed());
    // One that says nothing is not waited for as long as others are.
    let mut silent = Raw::to(app.port);
    let _ = silent.answer();
    assert!(silent.is_closed());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert_eq!(upstream.calls(), 0);

    drop(idle);
    eventually("there is room again", || app.chat().status == 200);
}

#[test]
fn a_want_of_descriptors_is_no_fault_of_the_upstreams() {
    let (a, b) = (Upstream::always(Reply::chat("a").held()), Upstream::always(Reply::chat("b").held()));
    let app = {
        let mut config = config_of(&[&a, &b]);
        config["server"]["maxConnections"] = json!(100);
        Launch::new(&config).env(OPEN_FILES, "128").start()
    };
    let mut clients: Vec<Raw> = (0..90).map(|_| Raw::to(app.port)).collect();
    assert!(clients.iter_mut().all(|client| client.send(post("", CHAT))));
    let refused = clients.iter_mut().filter_map(|client| {
        client.stream.set_read_timeout(Some(Duration::from_millis(500))).expect("set");
        client.answer()
    });
    let refused: Vec<(u16, String)> = refused.map(|answer| (answer.status, answer.code())).collect();
    assert!(!refused.is_empty(), "there were enough");
    assert!(refused.iter().all(|told| *told == (503, "server_overloaded".into())), "{refused:?}");
    drop(clients);
    eventually("there are some again", || app.client().try_get("/health").is_some_and(|r| r.status == 200));
    for api in ["a", "b"] {
        let status = app.status_of(api);
        assert_eq!((&status["available"], &status["errorCount"]), (&json!(true), &json!(0)), "{status}");
    }
}

#[test]
fn what_would_cost_without_end_is_refused() {
    let upstream = Upstream::always(Reply::chat("hi"));
    let app = App::on(&[&upstream]);
    let ask = |body: &str| app.client().request("POST", "/v1/chat/completions", body.as_bytes());
    let long = ask(&format!(r#"{{"model":"{}"}}"#, "m".repeat(300))).json();
    assert_eq!((&long["error"]["param"], &long["error"]["code"]), (&json!("model"), &json!("invalid_request")));
    assert!(long.to_string().len() < 300, "the name is not sent back: {long}");
    let deep = ask(&format!(r#"{{"model":"m","a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000)));
    assert_eq!(deep.error(), (400, "invalid_request".into()));
    assert_eq!(upstream.calls(), 0);
}

/// Asks as a client of HTTP/1.0 does. A body without a length ends where the server closes.
fn ask_in_http10(app: &App, headers: &str, body: &str) -> Answer {
    let mut raw = Raw::to(app.port);
    assert!(raw.send(post(headers, body).replace("HTTP/1.1", "HTTP/1.0")));
    let asked = Instant::now();
    let answer = raw.answer().expect("an answer");
    assert!(asked.elapsed() < Duration::from_secs(5), "the connection stays open: {}", answer.head);
    assert!(answer.head.starts_with("http/1.0 200") && !answer.head.contains("transfer-encoding"), "{}", answer.head);
    assert!(answer.whole && answer.head.contains("content-length") || !answer.head.contains("keep-alive"));
    answer
}

#[test]
fn a_client_of_http10_gets_no_chunks_and_the_connection_ends_the_body() {
    let event = r#"{"choices":[{"delta":{"content":"hi"}}]}"#;
    // Too large to be held until its length is known.
    let large = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}]}}"#, "x".repeat(3 << 20));
    let (size, sent) = (large.len(), large.clone());
    let upstream = Upstream::start(move |request| match request.json() {
        body if body["stream"] == true => Reply::stream(vec![Step::event(event), Step::event("[DONE]")], true),
        body if body["user"] == "whole" => Reply::chat("hi"),
        _ => Reply::raw(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{sent}\r\n0\r\n\r\n"
        )),
    });
    for ping in [0, 60_000] {
        let app = App::start(&with(&upstream, &json!({ "streamPingMs": ping })));
        for connection in ["", "connection: keep-alive\r\n"] {
            let stream = ask_in_http10(&app, connection, r#"{"model":"m","stream":true}"#);
            assert_eq!(stream.body, format!("data: {event}\n\ndata: [DONE]\n\n"), "{}", stream.head);
            let whole = ask_in_http10(&app, connection, CHAT);
            assert!(whole.body == large, "{} of {size} bytes behind {}", whole.body.len(), whole.head);
        }
        // With a length the connection may be kept.
        let mut raw = Raw::to(app.port);
        for _ in 0..2 {
            let asked = post("connection: keep-alive\r\n", r#"{"model":"m","user":"whole"}"#);
            assert!(raw.send(asked.replace("HTTP/1.1", "HTTP/1.0")));
            let answer = raw.answer().expect("an answer");
            assert!(answer.status == 200 && answer.whole && answer.head.contains("content-length"), "{answer:?}");
        }
    }
}
