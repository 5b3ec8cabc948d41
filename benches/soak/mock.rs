//! Scripted upstreams, each with a way to fail of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rand::Rng;

use super::story;

/// How an upstream behaves. What it does to one request is drawn by lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers at once.
    Healthy,
    /// Takes its time, for the head and for each event.
    Slow,
    /// 500, 429 and 503 now and then.
    Failing,
    /// Cuts answers, before and after the first content, and behind `[DONE]`.
    Cutting,
    /// Says nothing more, before the head or in the middle.
    Hanging,
    /// Closes connections that it seemed to keep.
    Stale,
    /// Sends interim heads before the answer.
    Chatty,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 7] =
        [Kind::Healthy, Kind::Slow, Kind::Failing, Kind::Cutting, Kind::Hanging, Kind::Stale, Kind::Chatty];
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// The whole answer; head and events each after so many ms.
    Answer(u64),
    /// An error of this status.
    Error(u16),
    /// The answer up to this share of it; then the connection is closed.
    Cut(f64),
    /// The same, then silence.
    Hang(f64),
    /// The answer, then the connection is closed without a word.
    CloseAfter,
    /// An interim head, then the answer.
    Interim,
}

/// Upstreams that listen, until the process ends.
pub struct Mocks {
    /// Where each listens.
    pub addresses: Vec<(Kind, SocketAddr)>,
    open: Arc<AtomicUsize>,
}

impl Mocks {
    /// Starts one of each kind.
    pub fn start() -> io::Result<Mocks> {
        let open = Arc::new(AtomicUsize::new(0));
        let listen = |kind: Kind| {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            let (address, open) = (listener.local_addr()?, open.clone());
            thread::spawn(move || {
                for socket in listener.incoming().map_while(Result::ok) {
                    let open = open.clone();
                    // Who can't be served is hung up on, as by any upstream.
                    let _ = thread::Builder::new().stack_size(256 << 10).spawn(move || serve(socket, kind, &open));
                }
            });
            Ok((kind, address))
        };
        Ok(Mocks { addresses: Kind::ALL.into_iter().map(listen).collect::<io::Result<_>>()?, open })
    }

    /// How many requests they are at.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// Serves one connection. Its errors are the client's leaving.
fn serve(socket: TcpStream, kind: Kind, open: &AtomicUsize) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut reader = BufReader::new(socket.try_clone()?);
    while let Some(body) = receive(&mut reader)? {
        open.fetch_add(1, Ordering::Relaxed);
        let kept = reply(&socket, &body, fate(kind));
        open.fetch_sub(1, Ordering::Relaxed);
        if !kept? {
            break;
        }
    }
    Ok(())
}

fn fate(kind: Kind) -> Fate {
    let mut rng = rand::rng();
    let (share, fails) = (rng.random_range(0.0..1.0), rng.random_bool(0.3));
    match kind {
        Kind::Slow => Fate::Answer(rng.random_range(5..60)),
        Kind::Failing if fails => Fate::Error(*[500, 429, 503, 529].get(rng.random_range(0..4)).unwrap_or(&500)),
        Kind::Cutting if fails => Fate::Cut(share),
        Kind::Hanging if rng.random_bool(0.1) => Fate::Hang(share),
        Kind::Stale if fails => Fate::CloseAfter,
        Kind::Chatty if fails => Fate::Interim,
        Kind::Healthy | Kind::Failing | Kind::Cutting | Kind::Hanging | Kind::Stale | Kind::Chatty => Fate::Answer(0),
    }
}

/// The body of the next request, or `None` when the client has left.
fn receive(reader: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    String::from_utf8(body).map(Some).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Answers. Returns whether the connection is kept.
fn reply(mut socket: &TcpStream, body: &str, fate: Fate) -> io::Result<bool> {
    let pieces = pieces(body);
    let all: usize = pieces.iter().map(String::len).sum();
    let (until, gap) = match fate {
        Fate::Answer(gap) => (all, Duration::from_millis(gap)),
        Fate::CloseAfter | Fate::Interim => (all, Duration::ZERO),
        Fate::Cut(share) | Fate::Hang(share) => ((all as f64 * share) as usize, Duration::ZERO),
        Fate::Error(status) => return error(socket, status).map(|()| true),
    };
    if matches!(fate, Fate::Interim) {
        socket.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")?;
    }
    let mut said = 0;
    for piece in &pieces {
        if !gap.is_zero() && !still_there(socket, gap)? {
            return Ok(false);
        }
        let piece = piece.as_bytes();
        let piece = piece.get(..(until - said).min(piece.len())).unwrap_or(piece);
        socket.write_all(piece)?;
        said += piece.len();
        if said == until {
            break;
        }
    }
    if matches!(fate, Fate::Hang(_)) {
        while still_there(socket, Duration::from_secs(60))? {}
    }
    Ok(matches!(fate, Fate::Answer(_) | Fate::Interim))
}

/// Waits; `false` as soon as the client has left. (It sends nothing before it has its answer.)
fn still_there(socket: &TcpStream, wait: Duration) -> io::Result<bool> {
    let until = Instant::now() + wait;
    let mut there = true;
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| there && !left.is_zero()) {
        socket.set_read_timeout(Some(left))?;
        there = !matches!(socket.peek(&mut [0]), Ok(0));
    }
    socket.set_read_timeout(None)?;
    Ok(there)
}

/// The answer as it is written: a head, and a chunk for each event.
fn pieces(body: &str) -> Vec<String> {
    let id = body.split("#id:").nth(1).and_then(|rest| rest.split('#').next()).unwrap_or("nobody");
    if !body.contains(r#""stream":true"#) {
        let answer = story::answer(id);
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", answer.len());
        return vec![[head, answer].concat()];
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    let events = story::events(id, body.contains(r#""include_usage":true"#));
    let chunks = events.into_iter().map(|event| format!("{:x}\r\n{event}\r\n", event.len()));
    [head].into_iter().chain(chunks).chain(["0\r\n\r\n".to_owned()]).collect()
}

fn error(mut socket: &TcpStream, status: u16) -> io::Result<()> {
    let body = format!(r#"{{"error":{{"message":"mock says {status}","type":"mock","param":null,"code":null}}}}"#);
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nretry-after: 1\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all([head, body].concat().as_bytes())
}
