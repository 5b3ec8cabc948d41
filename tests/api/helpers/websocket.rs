//! WebSockets by hand: a client, and a scripted upstream. Frames are read and written here, and not by the program's library.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{App, KEY};

/// A frame: its opcode, whether it is the last of its message, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsFrame {
    pub code: u8,
    pub last: bool,
    pub bytes: Vec<u8>,
}

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

impl WsFrame {
    pub fn new(code: u8, bytes: impl AsRef<[u8]>) -> WsFrame {
        WsFrame { code, last: true, bytes: bytes.as_ref().to_vec() }
    }

    pub fn close(code: u16) -> WsFrame {
        WsFrame::close_for(code, "")
    }

    pub fn close_for(code: u16, reason: &str) -> WsFrame {
        WsFrame::new(CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// The same as the first or a middle fragment.
    pub fn unfinished(mut self) -> WsFrame {
        self.last = false;
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The code of a close.
    pub fn close_code(&self) -> Option<u16> {
        let code = self.bytes.get(..2).filter(|_| self.code == CLOSE)?;
        Some(u16::from_be_bytes([code[0], code[1]]))
    }

    fn write(&self, masked: bool) -> Vec<u8> {
        let mut all = vec![self.code | if self.last { 0x80 } else { 0 }];
        let mask_bit = if masked { 0x80 } else { 0 };
        match self.bytes.len() {
            short @ ..126 => all.push(mask_bit | short as u8),
            middle @ ..65_536 => {
                all.push(mask_bit | 126);
                all.extend((middle as u16).to_be_bytes());
            }
            long => {
                all.push(mask_bit | 127);
                all.extend((long as u64).to_be_bytes());
            }
        }
        if masked {
            let mask = [7u8, 99, 250, 3];
            all.extend(mask);
            all.extend(self.bytes.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            all.extend(&self.bytes);
        }
        all
    }

    /// Reads a frame, which must be masked or must not.
    fn read(stream: &mut impl Read, masked: bool) -> Option<WsFrame> {
        let mut exactly = |length: usize| {
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).ok().map(|()| bytes)
        };
        let head = exactly(2)?;
        assert_eq!(head[1] & 0x80 != 0, masked, "a client masks, and a server doesn't");
        assert_eq!(head[0] & 0x70, 0, "no extension was agreed on");
        let length = match head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes(exactly(2)?.try_into().expect("two"))),
            127 => u64::from_be_bytes(exactly(8)?.try_into().expect("eight")),
            short => u64::from(short),
        };
        let mask = if masked { exactly(4)? } else { vec![0; 4] };
        let bytes = exactly(usize::try_from(length).expect("fits"))?;
        let bytes = bytes.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        Some(WsFrame { code: head[0] & 0x0f, last: head[0] & 0x80 != 0, bytes })
    }
}

/// A client's WebSocket to the program under test.
pub struct WsClient {
    pub stream: TcpStream,
    /// The head of the answer to the upgrade, in lower case.
    pub head: String,
}

impl WsClient {
    /// Connects with the pool's key.
    pub fn to(app: &App) -> WsClient {
        let client = WsClient::with(app, &format!("authorization: Bearer {KEY}\r\n"));
        assert!(client.head.starts_with("http/1.1 101"), "{}", client.head);
        client
    }

    /// Connects with these header lines; whatever the answer is.
    pub fn with(app: &App, headers: &str) -> WsClient {
        WsClient::at(app, "/v1/responses", headers)
    }

    /// Connects at a path with these header lines; whatever the answer is.
    pub fn at(app: &App, path: &str, headers: &str) -> WsClient {
        let mut stream = TcpStream::connect(("127.0.0.1", app.port)).expect("connects");
        stream.set_nodelay(true).expect("set");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("writes");
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
            head.push(byte[0]);
        }
        WsClient { stream, head: String::from_utf8(head).expect("text").to_lowercase() }
    }

    pub fn send(&mut self, frame: &WsFrame) -> bool {
        self.stream.write_all(&frame.write(true)).is_ok()
    }

    pub fn send_json(&mut self, message: &Value) {
        assert!(self.send(&WsFrame::new(TEXT, message.to_string())));
    }

    /// Asks for a response of the model `m`.
    pub fn create(&mut self) {
        self.send_json(&json!({ "type": "response.create", "model": "m", "input": "hi" }));
    }

    /// The next frame; `None` when the connection has ended.
    pub fn next(&mut self) -> Option<WsFrame> {
        WsFrame::read(&mut self.stream, false)
    }

    /// The next message as JSON, with pings left out.
    pub fn event(&mut self) -> Value {
        loop {
            let frame = self.next().expect("an event");
            if frame.code != PING {
                return frame.json();
            }
        }
    }

    /// Reads up to the end of a response, or an error. Returns the types of the events, and the last event.
    pub fn response(&mut self) -> (Vec<String>, Value) {
        let mut types = Vec::new();
        loop {
            let event = self.event();
            let kind = event["type"].as_str().expect("a type").to_owned();
            let is_last =
                ["response.completed", "response.failed", "response.incomplete", "error"].contains(&kind.as_str());
            types.push(kind);
            if is_last {
                return (types, event);
            }
        }
    }

    /// The close of the other side, which is the next frame.
    pub fn closed(&mut self) -> u16 {
        let frame = self.next().expect("a close");
        frame.close_code().unwrap_or_else(|| panic!("no close: {frame:?}"))
    }
}

/// The upstream's end of a connection.
pub struct WsServed {
    stream: TcpStream,
    /// How many connections came before.
    pub nth: usize,
}

impl WsServed {
    /// The next message of the program, with pings and pongs left out.
    pub fn next(&mut self) -> Option<WsFrame> {
        loop {
            let frame = WsFrame::read(&mut self.stream, true)?;
            if ![PING, PONG].contains(&frame.code) {
                return Some(frame);
            }
        }
    }

    pub fn send(&mut self, frame: &WsFrame) -> bool {
        self.stream.write_all(&frame.write(false)).is_ok()
    }

    pub fn send_json(&mut self, event: &Value) -> bool {
        self.send(&WsFrame::new(TEXT, event.to_string()))
    }

    /// Sends a whole response with this id, at the cost of 3 + 4 tokens.
    pub fn respond(&mut self, id: &str) -> bool {
        self.send_json(&created(id)) && self.send_json(&delta("some words")) && self.send_json(&completed(id))
    }

    /// Ends the connection without a close.
    pub fn cut(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

pub fn created(id: &str) -> Value {
    json!({ "type": "response.created", "response": { "id": id, "status": "in_progress", "output": [] } })
}

pub fn delta(text: &str) -> Value {
    json!({ "type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "delta": text })
}

pub fn completed(id: &str) -> Value {
    let output =
        [json!({ "type": "message", "id": "msg_1", "content": [{ "type": "output_text", "text": "some words" }] })];
    let usage = json!({ "input_tokens": 3, "output_tokens": 4, "total_tokens": 7 });
    json!({ "type": "response.completed",
        "response": { "id": id, "status": "completed", "output": output, "usage": usage } })
}

/// An error as OpenAI sends it.
pub fn failed(status: u16, kind: &str) -> Value {
    json!({ "type": "error", "status": status, "error": { "type": kind, "code": kind, "message": "no" } })
}

#[derive(Default)]
struct WsShared {
    /// The heads of the handshakes, in lower case.
    handshakes: Vec<String>,
    /// What was received: the connection's number, and the message.
    messages: Vec<(usize, Value)>,
    /// Connections that have ended.
    ended: usize,
}

/// A scripted upstream that speaks WebSockets.
pub struct WsUpstream {
    port: u16,
    shared: Arc<Mutex<WsShared>>,
}

impl WsUpstream {
    /// Serves each connection by `script`, which is given every message that comes. Returning `false` ends the connection.
    pub fn start(script: impl Fn(&mut WsServed, WsFrame) -> bool + Send + Sync + 'static) -> WsUpstream {
        WsUpstream::refusing(|_| None, script)
    }

    /// The same. `refusal` may answer a handshake, by how many came before, with other bytes than an upgrade.
    pub fn refusing(
        refusal: impl Fn(usize) -> Option<String> + Send + Sync + 'static,
        script: impl Fn(&mut WsServed, WsFrame) -> bool + Send + Sync + 'static,
    ) -> WsUpstream {
        WsUpstream::launch((Vec::new(), Box::new(|_, _| String::new())), refusal, script)
    }

    /// Serves each connection by `script`, behind an event that comes together with the answer to the handshake.
    pub fn greeting(
        event: &Value,
        script: impl Fn(&mut WsServed, WsFrame) -> bool + Send + Sync + 'static,
    ) -> WsUpstream {
        WsUpstream::launch((greeting_of(event), Box::new(|_, _| String::new())), |_| None, script)
    }

    /// The same, and answers what asks for no WebSocket, by head (in lower case) and body.
    pub fn with_http(
        event: &Value,
        http: impl Fn(&str, &str) -> String + Send + Sync + 'static,
        script: impl Fn(&mut WsServed, WsFrame) -> bool + Send + Sync + 'static,
    ) -> WsUpstream {
        WsUpstream::launch((greeting_of(event), Box::new(http)), |_| None, script)
    }

    fn launch(
        beside: Beside,
        refusal: impl Fn(usize) -> Option<String> + Send + Sync + 'static,
        script: impl Fn(&mut WsServed, WsFrame) -> bool + Send + Sync + 'static,
    ) -> WsUpstream {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let shared = Arc::new(Mutex::new(WsShared::default()));
        let (served, both) = (shared.clone(), Arc::new((refusal, script, beside)));
        std::thread::spawn(move || {
            for (nth, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let (shared, both) = (served.clone(), both.clone());
                std::thread::spawn(move || {
                    let ended = shared.clone();
                    serve((stream, &both.2), nth, (&both.0, &both.1), &shared);
                    ended.lock().expect("whole").ended += 1;
                });
            }
        });
        WsUpstream { port, shared }
    }

    /// Answers each request with a whole response, `resp_1` and so on.
    pub fn answering() -> WsUpstream {
        let nth = std::sync::atomic::AtomicUsize::new(1);
        WsUpstream::start(move |served, frame| {
            if frame.code != TEXT {
                return false;
            }
            let nth = nth.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            served.respond(&format!("resp_{nth}"))
        })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The heads of all handshakes, in lower case.
    pub fn handshakes(&self) -> Vec<String> {
        self.shared.lock().expect("whole").handshakes.clone()
    }

    /// All messages: the connection's number, and the message.
    pub fn messages(&self) -> Vec<(usize, Value)> {
        self.shared.lock().expect("whole").messages.clone()
    }

    /// How many connections have ended.
    pub fn ended(&self) -> usize {
        self.shared.lock().expect("whole").ended
    }
}

fn greeting_of(event: &Value) -> Vec<u8> {
    WsFrame::new(TEXT, event.to_string()).write(false)
}

/// What comes with the answer to a handshake, and what answers a request without one.
type Beside = (Vec<u8>, Box<dyn Fn(&str, &str) -> String + Send + Sync>);

fn serve(
    (stream, (greeting, http)): (TcpStream, &Beside),
    nth: usize,
    (refusal, script): (&impl Fn(usize) -> Option<String>, &impl Fn(&mut WsServed, WsFrame) -> bool),
    shared: &Mutex<WsShared>,
) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream.try_clone().expect("cloned"));
    let (mut head, mut key) = (String::new(), String::new());
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or_default() == 0 {
            return;
        }
        if line.to_lowercase().starts_with("sec-websocket-key:") {
            key = line[18..].trim().to_owned();
        }
        head.push_str(&line.to_lowercase());
    }
    let asks = head.contains("upgrade: websocket");
    shared.lock().expect("whole").handshakes.push(head.clone());
    if !asks {
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
        reader.read_exact(&mut body).expect("a body");
        let _ = (&stream).write_all(http(&head, &String::from_utf8_lossy(&body)).as_bytes());
        return;
    }
    let mut served = WsServed { stream, nth };
    if let Some(refusal) = refusal(nth) {
        let _ = served.stream.write_all(refusal.as_bytes());
        return;
    }
    let accept = String::from_utf8(actix_http::ws::hash_key(key.as_bytes()).to_vec()).expect("text");
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    let _ = served.stream.write_all(&[answer.as_bytes(), greeting.as_slice()].concat());
    while let Some(frame) = served.next() {
        if frame.code == TEXT {
            let message = serde_json::from_slice(&frame.bytes).unwrap_or(Value::Null);
            shared.lock().expect("whole").messages.push((nth, message));
        }
        if !script(&mut served, frame) {
            break;
        }
    }
    served.cut();
}
