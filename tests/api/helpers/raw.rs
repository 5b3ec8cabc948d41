//! A connection to the program under test on which a test says what it likes, and when.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::KEY;

/// A connection.
pub struct Raw {
    pub stream: TcpStream,
    /// What came behind the last answer that was read.
    rest: Vec<u8>,
}

/// An answer, read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
    /// Did the body end as its head said it would?
    pub whole: bool,
}

/// A chat request with this body and these header lines besides.
pub fn post(headers: &str, body: &str) -> String {
    let path = "/v1/chat/completions";
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

impl Raw {
    pub fn to(port: u16) -> Raw {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        stream.set_nodelay(true).expect("set");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        stream.set_write_timeout(Some(Duration::from_secs(20))).expect("set");
        Raw { stream, rest: Vec::new() }
    }

    /// Sends this; says whether it could.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next answer; `None` if the connection ends before its head.
    pub fn answer(&mut self) -> Option<Answer> {
        let end = self.read_until(|got| find(got, b"\r\n\r\n"))?;
        let head = String::from_utf8_lossy(&self.take(end)).to_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let of = |name: &str| {
            head.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches(':').trim().to_owned()))
        };
        let (body, whole) = match (of("transfer-encoding"), of("content-length")) {
            _ if status < 200 || status == 204 => (Vec::new(), true),
            (Some(_), _) => self.chunks(),
            (None, Some(length)) => self.exactly(length.parse().expect("a length")),
            (None, None) => (self.until_closed(), true),
        };
        Some(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned(), whole })
    }

    /// Sends this, and reads the status of an answer.
    pub fn exchange(&mut self, request: &str) -> Option<u16> {
        self.send(request);
        Some(self.answer()?.status)
    }

    /// Does the other side close the connection, with nothing more said?
    pub fn is_closed(&mut self) -> bool {
        self.until_closed().is_empty()
    }

    /// All that comes until the connection ends, or nothing more comes.
    pub fn until_closed(&mut self) -> Vec<u8> {
        while self.fill().is_ok_and(|n| n > 0) {}
        std::mem::take(&mut self.rest)
    }

    fn chunks(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            let Some(end) = self.read_until(|got| find(got, b"\r\n")) else { return (body, false) };
            let line = String::from_utf8_lossy(&self.take(end)).into_owned();
            let Ok(size) = usize::from_str_radix(line.trim(), 16) else { return (body, false) };
            let (mut chunk, whole) = self.exactly(size + 2);
            chunk.truncate(size);
            body.extend(chunk);
            if !whole || size == 0 {
                return (body, whole);
            }
        }
    }

    fn exactly(&mut self, length: usize) -> (Vec<u8>, bool) {
        let whole = self.read_until(|got| (got.len() >= length).then_some(length)).is_some();
        (self.take(length.min(self.rest.len())), whole)
    }

    fn read_until(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        loop {
            if let Some(end) = end(&self.rest) {
                return Some(end);
            }
            if self.fill().ok()? == 0 {
                return None;
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 65_536];
        let n = self.stream.read(&mut buffer)?;
        self.rest.extend_from_slice(&buffer[..n]);
        Ok(n)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.rest.drain(..length).collect()
    }
}

impl Answer {
    /// `error.code` of an error of OpenAI's form.
    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        assert!(body["error"]["message"].is_string(), "no OpenAI error: {self:?}");
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Where `wanted` ends in `bytes`.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted).map(|at| at + wanted.len())
}
