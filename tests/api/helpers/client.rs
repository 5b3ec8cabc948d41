//! A client that hides nothing: raw HTTP/1.1, one connection a request, each chunk with the time of its arrival.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Sends requests to the program under test.
#[derive(Clone)]
pub struct Client {
    port: u16,
    headers: Vec<(String, String)>,
}

/// A response, or the beginning of one.
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    body: Option<Body>,
}

struct Body {
    stream: BufReader<TcpStream>,
    framing: Framing,
}

#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

impl Client {
    pub fn new(port: u16) -> Client {
        Client { port, headers: Vec::new() }
    }

    pub fn key(self, key: &str) -> Client {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Sets a header, in place of one with the same name.
    pub fn header(mut self, name: &str, value: &str) -> Client {
        self.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path, b"")
    }

    pub fn try_get(&self, path: &str) -> Option<Response> {
        self.try_request("GET", path, b"").ok()
    }

    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.request("POST", path, body.to_string().as_bytes())
    }

    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Response {
        self.try_request(method, path, body).expect("an answer")
    }

    pub fn try_request(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Response> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if method != "GET" {
            if !self.headers.iter().any(|(name, _)| name == "content-type") {
                head.push_str("content-type: application/json\r\n");
            }
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        self.try_raw(&[head.as_bytes(), body].concat())
    }

    /// Sends these bytes and reads a response's head.
    pub fn try_raw(&self, bytes: &[u8]) -> io::Result<Response> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_nodelay(true)?;
        (&stream).write_all(bytes)?;
        Response::read(BufReader::new(stream))
    }
}

impl Response {
    fn read(mut stream: BufReader<TcpStream>) -> io::Result<Response> {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let of = |wanted: &str| headers.iter().find(|(n, _)| n == wanted).map(|(_, v)| v.clone());
        let framing = match (of("transfer-encoding"), of("content-length")) {
            (Some(_), _) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length.parse().expect("a length")),
            (None, None) => Framing::Close,
        };
        Ok(Response { status, headers, body: Some(Body { stream, framing }) })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All of one name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The next piece of the body: a chunk, or what a read gave. `None` at a proper end.
    pub fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let piece = body.next()?;
        if piece.is_none() {
            self.body = None;
        }
        Ok(piece)
    }

    /// The whole body.
    ///
    /// # Errors
    /// When the connection broke before the proper end of the body.
    pub fn try_bytes(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = self.next()? {
            all.extend(piece);
        }
        Ok(all)
    }

    pub fn bytes(mut self) -> Vec<u8> {
        self.try_bytes().expect("a whole body")
    }

    pub fn text(self) -> String {
        String::from_utf8(self.bytes()).expect("UTF-8")
    }

    pub fn json(self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
    }

    /// `error.code` of an error of OpenAI's form; fails on any other form.
    pub fn error(self) -> (u16, String) {
        let status = self.status;
        let body = self.json();
        let error = &body["error"];
        assert!(error["message"].is_string() && error["type"].is_string(), "no OpenAI error: {body}");
        (status, error["code"].as_str().unwrap_or_default().to_owned())
    }

    /// The pieces of the body with the time each took to come, from now.
    pub fn timed(mut self) -> Vec<(Duration, Vec<u8>)> {
        let start = Instant::now();
        let mut pieces = Vec::new();
        while let Some(piece) = self.next().expect("a whole body") {
            pieces.push((start.elapsed(), piece));
        }
        pieces
    }
}

impl Body {
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match &mut self.framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                let mut piece = vec![0; (*left).min(65_536)];
                let n = self.stream.read(&mut piece)?;
                if n == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                *left -= n;
                piece.truncate(n);
                Ok(Some(piece))
            }
            Framing::Close => {
                let mut piece = vec![0; 65_536];
                let n = self.stream.read(&mut piece)?;
                piece.truncate(n);
                Ok((n > 0).then_some(piece))
            }
            Framing::Chunked => {
                let mut size = String::new();
                self.stream.read_line(&mut size)?;
                let size = usize::from_str_radix(size.trim(), 16).map_err(|_| io::ErrorKind::UnexpectedEof)?;
                let mut piece = vec![0; size + 2];
                self.stream.read_exact(&mut piece)?;
                piece.truncate(size);
                Ok((size > 0).then_some(piece))
            }
        }
    }
}
