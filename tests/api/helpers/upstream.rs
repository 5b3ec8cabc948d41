//! A scripted upstream on a raw socket: it says exactly what a test tells it to, byte by byte, and remembers what it was
//! asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// How many requests its connection had served before.
    pub nth: usize,
    /// When it had come, whole.
    pub at: Instant,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// What an upstream does with one request.
#[derive(Debug, Clone)]
pub struct Reply {
    steps: Vec<Step>,
    keep_alive: bool,
}

/// A step of a reply.
#[derive(Debug, Clone)]
pub enum Step {
    /// Write these bytes.
    Bytes(Vec<u8>),
    /// Wait.
    Pause(Duration),
    /// Wait until [`Upstream::release`] is called.
    Hold,
}

impl Reply {
    /// These bytes, then the connection is closed.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Reply {
        Reply { steps: vec![Step::Bytes(bytes.as_ref().to_vec())], keep_alive: false }
    }

    /// A status with a JSON body; the connection is kept.
    pub fn json(status: u16, body: &Value) -> Reply {
        Reply::text(status, &[("content-type", "application/json")], &body.to_string())
    }

    /// A status with a body and headers; the connection is kept.
    pub fn text(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
        Reply { steps: vec![Step::Bytes([head, body.to_owned()].concat().into_bytes())], keep_alive: true }
    }

    /// A chat completion that says `text`, at the cost of 3 + 4 tokens.
    pub fn chat(text: &str) -> Reply {
        Reply::json(
            200,
            &json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
                "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 },
            }),
        )
    }

    /// An error as OpenAI writes it.
    pub fn error(status: u16, message: &str) -> Reply {
        let kind = if matches!(status, 400 | 413 | 415 | 422) { "invalid_request_error" } else { "t" };
        Reply::json(status, &json!({ "error": { "message": message, "type": kind, "param": null, "code": null } }))
    }

    /// A stream of events, each a chunk of its own, whole.
    pub fn events(events: &[&str]) -> Reply {
        Reply::stream(events.iter().map(|event| Step::Bytes(chunk(event.as_bytes()))).collect(), true)
    }

    /// A chunked event stream made of steps; with its last chunk, or cut off.
    pub fn stream(steps: Vec<Step>, whole: bool) -> Reply {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut all = vec![Step::Bytes(head.to_vec())];
        all.extend(steps);
        if whole {
            all.push(Step::Bytes(b"0\r\n\r\n".to_vec()));
        }
        Reply { steps: all, keep_alive: whole }
    }

    /// Nothing: the connection is closed.
    pub fn drop() -> Reply {
        Reply { steps: Vec::new(), keep_alive: false }
    }

    /// All that is written, head and body.
    pub fn bytes(&self) -> Vec<u8> {
        let written = self.steps.iter().filter_map(|step| match step {
            Step::Bytes(bytes) => Some(bytes.clone()),
            Step::Pause(_) | Step::Hold => None,
        });
        written.flatten().collect()
    }

    /// The same, on a connection that is kept.
    pub fn kept(mut self) -> Reply {
        self.keep_alive = true;
        self
    }

    /// The same, and then this.
    pub fn then(mut self, step: Step) -> Reply {
        self.steps.push(step);
        self
    }

    /// The same, after a while.
    pub fn after(mut self, pause: Duration) -> Reply {
        self.steps.insert(0, Step::Pause(pause));
        self
    }

    /// The same, once [`Upstream::release`] is called.
    pub fn held(mut self) -> Reply {
        self.steps.insert(0, Step::Hold);
        self
    }
}

/// Bytes as one chunk of a chunked body.
fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

impl Step {
    /// An event as one chunk.
    pub fn event(data: &str) -> Step {
        Step::Bytes(chunk(format!("data: {data}\n\n").as_bytes()))
    }

    /// These bytes as one chunk.
    pub fn chunk(bytes: &[u8]) -> Step {
        Step::Bytes(chunk(bytes))
    }
}

type Script = dyn Fn(&Received) -> Reply + Send + Sync;

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    /// When a client's connection ended before its answer did.
    hung_up: Mutex<Vec<Instant>>,
    released: Mutex<bool>,
    release: Condvar,
}

/// A scripted upstream. Its threads end with its clients' connections.
pub struct Upstream {
    port: u16,
    shared: Arc<Shared>,
}

impl Upstream {
    /// Answers each request as `script` says.
    pub fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Upstream {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Shared::default());
        let (script, served): (Arc<Script>, _) = (Arc::new(script), shared.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (script, shared) = (script.clone(), served.clone());
                std::thread::spawn(move || serve(stream, &*script, &shared));
            }
        });
        Upstream { port, shared }
    }

    /// Always answers the same.
    pub fn always(reply: Reply) -> Upstream {
        Upstream::start(move |_| reply.clone())
    }

    /// Answers with one after the other, and then with the last for ever.
    pub fn in_turn(replies: Vec<Reply>) -> Upstream {
        let nth = std::sync::atomic::AtomicUsize::new(0);
        Upstream::start(move |_| {
            let i = nth.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            replies[i.min(replies.len() - 1)].clone()
        })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("whole").clone()
    }

    /// How many requests so far.
    pub fn calls(&self) -> usize {
        self.shared.received.lock().expect("whole").len()
    }

    /// How many connections were closed by the other side in the middle of an answer.
    pub fn hung_up(&self) -> usize {
        self.shared.hung_up.lock().expect("whole").len()
    }

    /// Lets every held reply go on.
    pub fn release(&self) {
        *self.shared.released.lock().expect("whole") = true;
        self.shared.release.notify_all();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.release();
    }
}

fn serve(stream: TcpStream, script: &Script, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
    for nth in 0.. {
        let Some(request) = receive(&mut reader, nth) else { break };
        let reply = script(&request);
        shared.received.lock().expect("whole").push(request);
        if !perform(&stream, &reply, shared) {
            shared.hung_up.lock().expect("whole").push(Instant::now());
            break;
        }
        if !reply.keep_alive {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// Returns whether the client was there to the end.
fn perform(mut stream: &TcpStream, reply: &Reply, shared: &Shared) -> bool {
    for step in &reply.steps {
        let there = match step {
            Step::Bytes(bytes) => stream.write_all(bytes).is_ok(),
            Step::Pause(pause) => wait_while_connected(stream, Instant::now() + *pause, || false),
            Step::Hold => {
                let far = Instant::now() + Duration::from_secs(30);
                wait_while_connected(stream, far, || *shared.released.lock().expect("whole"))
            }
        };
        if !there {
            return false;
        }
    }
    true
}

/// Waits; returns early, with `false`, if the client hangs up.
fn wait_while_connected(stream: &TcpStream, until: Instant, done: impl Fn() -> bool) -> bool {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(2)));
    let mut there = true;
    while there && Instant::now() < until && !done() {
        there = !matches!(stream.peek(&mut [0]), Ok(0));
    }
    let _ = stream.set_read_timeout(None);
    there
}

fn receive(reader: &mut BufReader<TcpStream>, nth: usize) -> Option<Received> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().filter(|m| !m.is_empty())?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(n, _)| n == "content-length").map_or(0, |(_, v)| v.parse().expect("a length"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { method, path, headers, body, nth, at: Instant::now() })
}
