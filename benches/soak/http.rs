//! A client's connection: HTTP/1.1 by hand, kept between requests, so that an answer that belongs to another would be seen.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Nothing may take longer: what does hangs.
const PATIENCE: Duration = Duration::from_secs(40);

/// A connection to the program.
pub struct Connection {
    reader: BufReader<TcpStream>,
    framing: Framing,
    /// The server will close it after this answer.
    closes: bool,
}

/// How the end of a body is known.
#[derive(Debug, Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
    Ended,
}

/// A response's head.
#[derive(Debug)]
pub struct Head {
    /// 200 and the like.
    pub status: u16,
    /// Is it a stream of events?
    pub is_stream: bool,
}

impl Connection {
    /// To this port of the loopback interface.
    pub fn open(port: u16) -> io::Result<Connection> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { reader: BufReader::with_capacity(4096, stream), framing: Framing::Ended, closes: false })
    }

    /// Where it leads.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.reader.get_ref().peer_addr()?.port())
    }

    /// May another request be sent on it?
    pub fn is_free(&self) -> bool {
        matches!(self.framing, Framing::Ended) && !self.closes
    }

    /// Sends a request.
    pub fn send(&mut self, line: &str, key: &str, body: &str) -> io::Result<()> {
        let head = format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.reader.get_mut().write_all([head.as_str(), body].concat().as_bytes())
    }

    /// Waits for the head of the answer.
    pub fn head(&mut self) -> io::Result<Head> {
        let status = self.line()?.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut head = Head { status: status.ok_or(io::ErrorKind::InvalidData)?, is_stream: false };
        self.framing = Framing::Length(0);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            let Some((name, value)) = line.split_once(':') else { break };
            match (name, value.trim()) {
                ("content-length", value) => {
                    self.framing = Framing::Length(value.parse().map_err(|_| io::ErrorKind::InvalidData)?);
                }
                ("transfer-encoding", _) => self.framing = Framing::Chunked,
                ("connection", "close") => self.closes = true,
                ("content-type", kind) => head.is_stream = kind.starts_with("text/event-stream"),
                _ => {}
            }
        }
        Ok(head)
    }

    /// The next piece of the body; `None` at its proper end.
    pub fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.framing {
            Framing::Ended => Ok(None),
            Framing::Length(0) => {
                self.framing = Framing::Ended;
                Ok(None)
            }
            Framing::Length(left) => {
                let mut piece = vec![0; left];
                self.reader.read_exact(&mut piece)?;
                self.framing = Framing::Length(0);
                Ok(Some(piece))
            }
            Framing::Chunked => {
                let line = self.line()?;
                let length = usize::from_str_radix(&line, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                let mut piece = vec![0; length];
                self.reader.read_exact(&mut piece)?;
                self.line()?;
                if length == 0 {
                    self.framing = Framing::Ended;
                }
                Ok((length > 0).then_some(piece))
            }
        }
    }

    /// The rest of the body.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = self.next()? {
            all.extend(piece);
        }
        Ok(all)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.reader.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line.trim_end().to_owned()),
        }
    }
}
