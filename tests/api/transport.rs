//! What upstreams do on the wire, over http and https: a client sees a whole answer, an error, or another upstream's
//! answer, and the next request on the same connections gets its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::helpers::{App, Identity, KEY, Launch, Reply, Step, Tls, Upstream, scratch};

mod stale;
mod uploads;

/// A JSON answer of 26 bytes.
const J: &str = r#"{"choices":[{"text":"a"}]}"#;

/// What the client is to see.
#[derive(Clone)]
enum Wanted {
    /// This, from the upstream that was asked first.
    Answer(u16, &'static str),
    /// The other upstream's answer.
    Other,
}

struct Case {
    what: &'static str,
    reply: Reply,
    wanted: Wanted,
    /// Must the connection serve nobody else?
    spends: bool,
}

/// The connection ends behind the bytes.
fn ends(what: &'static str, bytes: &str, wanted: Wanted) -> Case {
    Case { what, reply: Reply::raw(bytes), wanted, spends: false }
}

/// The connection stays.
fn stays(what: &'static str, bytes: &str, wanted: Wanted) -> Case {
    Case { what, reply: Reply::raw(bytes).kept(), wanted, spends: false }
}

/// The bytes come one by one.
fn drips(what: &'static str, bytes: &str, wanted: Wanted) -> Case {
    let mut reply = Reply::raw("").kept();
    for byte in bytes.bytes() {
        reply = reply.then(Step::Bytes(vec![byte]));
    }
    Case { what, reply, wanted, spends: false }
}

/// A head of a 200 with these lines, and a body.
fn ok(lines: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{lines}\r\n{body}")
}

fn whole() -> Wanted {
    Wanted::Answer(200, J)
}

fn sound_bodies() -> Vec<Case> {
    let length = ok("content-length: 26\r\n", J);
    let chunked = ok("transfer-encoding: chunked\r\n", "3\r\n{\"c\r\n17\r\nhoices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n");
    vec![
        stays("a length", &length, whole()),
        stays("a length twice, the same", &ok("content-length: 26\r\nContent-Length: 26\r\n", J), whole()),
        stays("white space before a colon", &ok("content-length : 26\r\n", J), whole()),
        stays("lines that end in LF", &length.replace("\r\n", "\n"), whole()),
        stays("a status without a reason", &length.replace("200 OK", "200"), whole()),
        stays("a length with zeros", &ok("content-length: 0026\r\n", J), whole()),
        stays("chunks", &chunked, whole()),
        stays(
            "chunks with extensions",
            &ok("transfer-encoding: chunked\r\n", "1a;a=\"b\" ; c\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0;x\r\n\r\n"),
            whole(),
        ),
        stays(
            "chunks with trailers",
            &ok(
                "transfer-encoding: chunked\r\n",
                "1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\nx-a: b\r\nx-c: d\r\n\r\n",
            ),
            whole(),
        ),
        stays(
            "an upper-case chunk coding",
            &ok("Transfer-Encoding: Chunked\r\n", "01a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n000\r\n\r\n"),
            whole(),
        ),
        drips("a length, byte by byte", &length, whole()),
        drips("chunks, byte by byte", &chunked, whole()),
        ends("a length, and the connection ends", &length, whole()),
        ends("chunks, and the connection ends", &chunked, whole()),
        ends("said to end", &ok("connection: close\r\ncontent-length: 26\r\n", J), whole()),
        stays("said to end, and does not", &ok("connection: close\r\ncontent-length: 26\r\n", J), whole()),
        ends("until the end", &ok("", J), whole()),
        ends("until the end, said so", &ok("connection: close\r\n", J), whole()),
        ends("until the end, with an identity coding", &ok("transfer-encoding: identity\r\n", J), whole()),
        ends("HTTP/1.0 until the end", &ok("", J).replace("1.1", "1.0"), whole()),
        ends("HTTP/1.0 with a length", &length.replace("1.1", "1.0"), whole()),
        stays("HTTP/1.0 with a length, and does not end", &length.replace("1.1", "1.0"), whole()),
        stays(
            "HTTP/1.0 kept",
            &ok("connection: keep-alive\r\ncontent-length: 26\r\n", J).replace("1.1", "1.0"),
            whole(),
        ),
    ]
}

fn sound_heads() -> Vec<Case> {
    let length = ok("content-length: 26\r\n", J);
    let chunked = ok("transfer-encoding: chunked\r\n", "1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n");
    vec![
        stays("a 100 first", &format!("HTTP/1.1 100 Continue\r\n\r\n{length}"), whole()),
        stays(
            "three interim heads first",
            &format!("{}{chunked}", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(3)),
            whole(),
        ),
        drips("an interim head, byte by byte", &format!("HTTP/1.1 102 Processing\r\n\r\n{length}"), whole()),
        stays("a large head", &ok(&format!("x-large: {}\r\ncontent-length: 26\r\n", "y".repeat(100_000)), J), whole()),
        stays("an answer that upgrades", &ok("upgrade: websocket\r\ncontent-length: 26\r\n", J), whole()),
        stays("a 415", &length.replace("200 OK", "415 Unsupported"), Wanted::Other),
        stays("a 415 without a body", "HTTP/1.1 415 X\r\ncontent-length: 0\r\n\r\n", Wanted::Other),
        stays("HTTP/1.0 without a body", "HTTP/1.0 415 X\r\ncontent-length: 0\r\n\r\n", Wanted::Other),
        stays(
            "a 426",
            &format!("HTTP/1.1 426 U\r\nupgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 26\r\n\r\n{J}"),
            Wanted::Other,
        ),
        stays(
            "a 426 in chunks",
            "HTTP/1.1 426 U\r\nUpgrade: websocket\r\ntransfer-encoding: chunked\r\n\r\n1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n",
            Wanted::Other,
        ),
        stays("a 204 with chunking", "HTTP/1.1 204 X\r\ntransfer-encoding: chunked\r\n\r\n", Wanted::Other),
        stays("a 304 with a length", "HTTP/1.1 304 X\r\ncontent-length: 26\r\n\r\n", Wanted::Other),
    ]
}

/// Sound answers, after which the connection must serve nobody else.
fn overflowing() -> Vec<Case> {
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"poison\":1}";
    vec![
        stays("another answer behind a length", &(ok("content-length: 26\r\n", J) + poison), whole()),
        stays(
            "another answer behind chunks",
            &(ok("transfer-encoding: chunked\r\n", "1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n") + poison),
            whole(),
        ),
        stays("half an answer behind a length", &(ok("content-length: 26\r\n", J) + &poison[..30]), whole()),
        stays("a line's end behind a length", &(ok("content-length: 26\r\n", J) + "\r\n"), whole()),
        stays(
            "another answer behind an empty one",
            &format!("HTTP/1.1 415 X\r\ncontent-length: 0\r\n\r\n{poison}"),
            Wanted::Other,
        ),
        stays("another answer behind a 204", &format!("HTTP/1.1 204 No Content\r\n\r\n{poison}"), Wanted::Other),
        stays(
            "another answer behind a 304",
            &format!("HTTP/1.1 304 Not Modified\r\ncontent-length: 26\r\n\r\n{poison}"),
            Wanted::Other,
        ),
        stays("chunks behind a 204", "HTTP/1.1 204 X\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Wanted::Other),
        stays(
            "a length beside chunks",
            &ok(
                "content-length: 3\r\ntransfer-encoding: chunked\r\n",
                "1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n",
            ),
            whole(),
        ),
        stays(
            "a larger length beside chunks",
            &ok(
                "transfer-encoding: chunked\r\ncontent-length: 300\r\n",
                "1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n",
            ),
            whole(),
        ),
    ]
}

fn broken_bodies() -> Vec<Case> {
    let other = || Wanted::Other;
    let chunks = |body: &str| ok("transfer-encoding: chunked\r\n", body);
    vec![
        ends("a head that breaks off", "HTTP/1.1 200 OK\r\ncontent-le", other()),
        ends("only an interim head", "HTTP/1.1 100 Continue\r\n\r\n", other()),
        ends("a body that breaks off", &ok("content-length: 27\r\n", J), other()),
        ends("no body", &ok("content-length: 26\r\n", ""), other()),
        ends("a chunk that breaks off", &chunks("1b\r\n{\"choices\":[{\"text\":\"a\"}]}"), other()),
        ends("no last chunk", &chunks("1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n"), other()),
        ends("no end of the last chunk", &chunks("1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n"), other()),
        stays(
            "a chunk that is longer than it says",
            &chunks("19\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n"),
            other(),
        ),
        stays("a chunk without a size", &chunks("\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n"), other()),
        stays(
            "a chunk of a size that is none",
            &chunks("0x1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n"),
            other(),
        ),
        stays(
            "a chunk of too large a size",
            &chunks("1000000000000001a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n"),
            other(),
        ),
        stays("chunks whose lines end in LF", &chunks("1a\n{\"choices\":[{\"text\":\"a\"}]}\n0\n\n"), other()),
    ]
}

fn broken_heads() -> Vec<Case> {
    let other = || Wanted::Other;
    let chunks = |body: &str| ok("transfer-encoding: chunked\r\n", body);
    vec![
        stays("two different lengths", &ok("content-length: 26\r\ncontent-length: 8\r\n", J), other()),
        stays("two lengths in a line", &ok("content-length: 26, 26\r\n", J), other()),
        stays("a negative length", &ok("content-length: -26\r\n", J), other()),
        stays("a length with a sign", &ok("content-length: +26\r\n", J), other()),
        stays("an empty length", &ok("content-length: \r\n", J), other()),
        stays(
            "an unknown coding",
            &ok("transfer-encoding: gzip, chunked\r\n", "1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n"),
            other(),
        ),
        stays(
            "chunking twice",
            &ok(
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                "1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n",
            ),
            other(),
        ),
        stays(
            "chunking in HTTP/1.0",
            &chunks("1a\r\n{\"choices\":[{\"text\":\"a\"}]}\r\n0\r\n\r\n").replace("1.1", "1.0"),
            other(),
        ),
        stays("no HTTP", "SSH-2.0-OpenSSH_9.6\r\n", other()),
        stays("HTTP/2", "\0\0\u{12}\u{4}\0\0\0\0\0", other()),
        stays("another version", &ok("content-length: 26\r\n", J).replace("1.1", "1.9"), other()),
        stays("a status of two digits", "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n", other()),
        stays("a status below all", "HTTP/1.1 042 OK\r\ncontent-length: 0\r\n\r\n", other()),
        stays("a status line that is none", "HTTP/1.1 OK\r\n\r\n", other()),
        stays("a blank line first", &format!("\r\n{}", ok("content-length: 26\r\n", J)), other()),
        stays("a line without a colon", &ok("content-length 26\r\n", J), other()),
        stays("a line without a name", &ok(": 26\r\n", J), other()),
        stays("a folded line", &ok("x-a: b\r\n c\r\ncontent-length: 26\r\n", J), other()),
        stays("a NUL in a line", &ok("x-a: b\0\r\ncontent-length: 26\r\n", J), other()),
        stays("a CR in a line", &ok("x-a: b\rcontent-length: 9\r\ncontent-length: 26\r\n", J), other()),
        stays("too many lines", &ok(&("x: y\r\n".repeat(100) + "content-length: 26\r\n"), J), other()),
        stays("too long a name", &ok(&format!("{}: y\r\ncontent-length: 26\r\n", "x".repeat(70_000)), J), other()),
        stays("too large a head", &ok(&format!("x-large: {}\r\n", "y".repeat(140_000)), J), other()),
        stays("interim heads without end", &"HTTP/1.1 102 Processing\r\n\r\n".repeat(40), other()),
        stays(
            "another protocol",
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
            other(),
        ),
    ]
}

/// Each case has an upstream of its own (`c0`, …, with the model `m0`, …), beside one for all (`other`).
fn config_of(cases: &[Case], url: &str) -> Value {
    let api = |id: String, models: Value, priority: u32| {
        json!({
            "id": id, "name": id, "baseUrl": url, "apiKey": format!("sk-the-key-of-{id}-0123456789"),
            "models": models, "priority": priority, "timeouts": { "totalMs": 15_000 },
        })
    };
    let models: Vec<String> = (0..cases.len()).map(|nth| format!("m{nth}")).collect();
    let mut apis: Vec<Value> =
        models.iter().enumerate().map(|(nth, model)| api(format!("c{nth}"), json!([model]), 0)).collect();
    apis.push(api("other".into(), json!(models), 1));
    // One worker, so that there is one pool.
    json!({ "server": { "apiKey": KEY }, "actors": { "workers": 1 }, "apis": apis })
}

fn echo(user: &str) -> Reply {
    Reply::json(200, &json!({ "choices": [{ "text": user }] }))
}

/// What the client sees of the case's answer, and of those before and behind it on the same connections.
fn check(app: &App, nth: usize, case: &Case, scheme: &str) {
    let what = format!("{} over {scheme}", case.what);
    let ask = |user: &str| {
        let request = json!({ "model": format!("m{nth}"), "user": user });
        let answer = app.client().post("/v1/chat/completions", &request);
        (answer.status, answer.text())
    };
    let own = |user: &str| (200, format!(r#"{{"choices":[{{"text":"{user}"}}]}}"#));
    assert_eq!(ask("before"), own("before"), "{what}");
    let wanted = match case.wanted {
        Wanted::Answer(status, body) => (status, body.to_owned()),
        Wanted::Other => own("the other"),
    };
    assert_eq!(ask("the case"), wanted, "{what}");
    let class = app.status_of(&format!("c{nth}"))["lastError"]["class"].clone();
    assert_ne!(class, "timeout", "{what}: it is known at once");
    for user in ["behind", "and again"] {
        assert_eq!(ask(user), own(user), "{what}: the next one gets its own answer");
    }
}

#[test]
fn whatever_an_upstream_sends_is_whole_or_an_error_and_the_next_request_gets_its_own_answer() {
    let sound = [sound_bodies(), sound_heads()].into_iter().flatten();
    let spending = [overflowing(), broken_bodies(), broken_heads()].into_iter().flatten();
    let cases: Vec<Case> = sound.chain(spending.map(|case| Case { spends: true, ..case })).collect();
    assert!(cases.len() >= 60);
    let replies: Vec<Reply> = cases.iter().map(|case| case.reply.clone()).collect();
    let upstream = Upstream::start(move |request| {
        let (json, key) = (request.json(), request.header("authorization").unwrap_or_default());
        let nth: usize = json["model"].as_str().expect("a model")[1..].parse().expect("a number");
        match json["user"].as_str().expect("a user") {
            _ if key.contains("-of-other-") => echo("the other"),
            "the case" => replies[nth].clone(),
            user => echo(user),
        }
    });
    let tls = Tls::before(&upstream, &scratch());
    for (scheme, url) in [("http", upstream.url()), ("https", tls.url())] {
        let launch = Launch::new(&config_of(&cases, &url));
        let app = launch.env("SSL_CERT_FILE", tls.certificate.to_str().expect("UTF-8")).start();
        for (nth, case) in cases.iter().enumerate() {
            check(&app, nth, case, scheme);
        }
    }
    for behind in upstream.received().iter().filter(|request| request.json()["user"] == "behind") {
        let model = behind.json()["model"].as_str().expect("a model").to_owned();
        let case = &cases[model[1..].parse::<usize>().expect("a number")];
        assert!(!case.spends || behind.nth == 0, "{}: the next request came on the same connection", case.what);
    }
}

/// Asks over a connection that is kept.
fn ask(connection: &mut BufReader<TcpStream>, user: &str) -> String {
    let body = json!({ "model": "m", "user": user }).to_string();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.get_mut().write_all((head + &body).as_bytes()).expect("writes");
    let mut length = 0;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).expect("reads");
        assert!(!line.is_empty(), "{user}: the connection ended");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).expect("a body");
    String::from_utf8(body).expect("UTF-8")
}

#[test]
fn of_ten_thousand_answers_each_reaches_its_own_request() {
    let upstream = Upstream::start(|request| {
        let user = request.json()["user"].as_str().expect("a user").to_owned();
        let nth: usize = user.rsplit('-').next().and_then(|nth| nth.parse().ok()).expect("a number");
        let body = format!(r#"{{"choices":[{{"text":"{user}"}}]}}"#);
        let length = ok(&format!("content-length: {}\r\n", body.len()), &body);
        match nth % 20 {
            0..6 => {
                Reply::raw(ok("transfer-encoding: chunked\r\n", &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())))
                    .kept()
            }
            6 => Reply::raw(format!("HTTP/1.1 103 X\r\n\r\nHTTP/1.1 100 X\r\n\r\n{length}")).kept(),
            7 => Reply::raw(length.replace("1.1 200", "1.0 200")),
            8 => Reply::raw(ok("", &body)),
            9 => Reply::raw(length.clone() + &length).kept(),
            // Does not say that it ends here.
            10 => Reply::raw(length),
            11 => Reply::raw(&length[..40])
                .kept()
                .then(Step::Pause(Duration::from_millis(1)))
                .then(Step::Bytes(length.as_bytes()[40..].to_vec())),
            _ => Reply::raw(length).kept(),
        }
    });
    let app = App::on(&[&upstream]);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let port = app.port;
            scope.spawn(move || {
                let mut connection = BufReader::new(TcpStream::connect(("127.0.0.1", port)).expect("connects"));
                connection.get_ref().set_nodelay(true).expect("set");
                for nth in 0..1_250 {
                    let user = format!("client-{client}-{nth}");
                    let answer = ask(&mut connection, &user);
                    assert!(answer.contains(&format!(r#""{user}""#)), "{user} got {answer}");
                }
            });
        }
    });
    assert!(upstream.calls() >= 10_000);
    // Four of twenty end their connection; all others keep it.
    let connections = upstream.received().iter().filter(|request| request.nth == 0).count();
    assert!(connections < 3_000, "{connections} connections");
    assert_eq!(app.status_of("a")["errorCount"], 0);
}

/// Both schemes: without, and with an identity.
fn schemes() -> [(&'static str, Option<Identity>); 2] {
    [("http", None), ("https", Some(Identity::new(&scratch())))]
}

/// Starts the program so that it trusts this identity.
fn trusting(config: &Value, identity: Option<&Identity>) -> App {
    let launch = Launch::new(config);
    match identity {
        Some(identity) => launch.env("SSL_CERT_FILE", identity.certificate.to_str().expect("UTF-8")).start(),
        None => launch.start(),
    }
}

/// An upstream of this URL with the id `a`, and beside it another that is asked after it, with the id `b`.
fn beside(url: &str, other: Option<&Upstream>) -> Value {
    let api = |id: &str, url: &str, priority: u32| {
        json!({
            "id": id, "name": id, "baseUrl": url, "apiKey": format!("sk-the-key-of-{id}-0123456789"), "models": ["m"],
            "priority": priority, "timeouts": { "totalMs": 15_000 },
        })
    };
    let mut apis = vec![api("a", url, 0)];
    apis.extend(other.map(|other| api("b", &other.url(), 1)));
    json!({ "server": { "apiKey": KEY }, "apis": apis })
}

/// Reads a request's head and as much of its body as it says. Returns `None` if none comes.
fn receive(connection: &mut impl Read) -> Option<Vec<u8>> {
    let (head, mut body) = receive_head(connection)?;
    let lower = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let come = body.len();
    body.resize(length, 0);
    connection.read_exact(&mut body[come..]).ok()?;
    Some(body)
}

/// Reads a request's head, and what comes with it.
fn receive_head(connection: &mut impl Read) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let read = connection.read(&mut buffer).ok().filter(|read| *read > 0)?;
        all.extend_from_slice(&buffer[..read]);
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            let body = all.split_off(end + 4);
            return Some((all, body));
        }
    }
}
