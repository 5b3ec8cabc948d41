//! The upstream behind all targets: answers at once, or streams at a steady pace.
//!
//! Each event of a stream holds the time of sending, so the reader knows the delay.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use memchr::memmem;
use transport::Framing;

use super::client::read_head;

pub(crate) const MODEL: &str = "bench";

const ANSWER: &str = r#"{"id":"chatcmpl-bench","object":"chat.completion","created":1,"model":"bench","choices":[{"index":0,"message":{"role":"assistant","content":"Hello! I am fine, thank you. How can I help you today? This is a reply of some length, as answers are."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":30,"total_tokens":39}}"#;
const MODELS: &str = r#"{"object":"list","data":[{"id":"bench","object":"model","created":1,"owned_by":"bench"}]}"#;

/// How long to wait when no connection could be taken.
const ACCEPT_AGAIN: Duration = Duration::from_millis(5);

/// Where the time of sending stands in an event.
pub(crate) const SENT_AT: &str = r#""content":"@"#;

/// Micros of this process's clock.
pub(crate) fn micros() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Listens on this port of the loopback interface (0: any free one), and serves until the process ends.
pub(crate) fn start(port: u16) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let address = listener.local_addr()?;
    spawn(move || {
        for socket in listener.incoming() {
            match socket {
                // A connection without a thread is closed, which the client reports.
                Ok(socket) => drop(spawn(move || drop(serve(socket)))),
                // Too many files are open: some will be closed.
                Err(_) => thread::sleep(ACCEPT_AGAIN),
            }
        }
    })?;
    Ok(address)
}

/// A thread with a small stack: there are thousands.
pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().stack_size(128 << 10).spawn(work)
}

fn serve(mut socket: TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (head, mut body) = read_head(&mut socket, &mut buffer)?;
        // By the lines of a head; a request without any has no body.
        let mut framing = Framing::of(&head);
        framing.advance(&body);
        while framing.is_open() {
            let read = socket.read(&mut buffer)?;
            let piece = buffer.get(..read).filter(|piece| !piece.is_empty()).ok_or(io::ErrorKind::UnexpectedEof)?;
            framing.advance(piece);
            body.extend_from_slice(piece);
        }
        if head.starts_with(b"GET ") {
            write_whole(&mut socket, MODELS)?;
        } else if asks_stream(&body) {
            stream(&mut socket, &body)?;
        } else {
            write_whole(&mut socket, ANSWER)?;
        }
    }
}

fn write_whole(socket: &mut TcpStream, body: &str) -> io::Result<()> {
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}");
    socket.write_all(answer.as_bytes())
}

/// A gateway may write the body in another form, with spaces.
fn asks_stream(body: &[u8]) -> bool {
    [&br#""stream":true"#[..], br#""stream": true"#].iter().any(|wish| memmem::find(body, wish).is_some())
}

fn stream(socket: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let number = |name: &[u8]| {
        let digits = memmem::find(body, name).and_then(|at| body.get(at + name.len()..)).unwrap_or_default();
        let digits = digits.iter().skip_while(|b| !b.is_ascii_digit()).take_while(|b| b.is_ascii_digit());
        digits.fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'))
    };
    let (events, gap) = (number(br#""max_tokens""#), Duration::from_millis(number(b"gap-ms")));
    socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    let started = Instant::now();
    for nth in 1..=events {
        let at = started + gap * u32::try_from(nth).unwrap_or(u32::MAX);
        thread::sleep(at.saturating_duration_since(Instant::now()));
        event(socket, &format!(r#"{{"delta":{{{SENT_AT}{}@"}},"index":0,"finish_reason":null}}"#, micros()))?;
    }
    event(socket, r#"{"delta":{},"index":0,"finish_reason":"stop"}"#)?;
    chunk(socket, "data: [DONE]\n\n")?;
    socket.write_all(b"0\r\n\r\n")
}

fn event(socket: &mut TcpStream, choice: &str) -> io::Result<()> {
    let head = r#"{"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":["#;
    chunk(socket, &format!("data: {head}{choice}]}}\n\n"))
}

fn chunk(socket: &mut TcpStream, data: &str) -> io::Result<()> {
    socket.write_all(format!("{:x}\r\n{data}\r\n", data.len()).as_bytes())
}
