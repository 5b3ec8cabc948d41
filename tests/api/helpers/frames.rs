//! HTTP/2 frame by frame, for upstreams that break its rules or use them to the full.

use std::io::{self, Read, Write};

use super::Connection;

/// What an upstream gets and sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    Data = 0,
    Headers = 1,
    Reset = 3,
    Settings = 4,
    GoAway = 7,
    WindowUpdate = 8,
}

/// A frame that came.
pub struct Frame {
    pub kind: u8,
    pub stream: u32,
    pub ends: bool,
}

/// An upstream's side of a connection.
pub struct Frames<'a> {
    connection: &'a mut Connection,
    /// How many bytes of bodies have come.
    pub data: usize,
}

impl<'a> Frames<'a> {
    pub fn on(connection: &'a mut Connection) -> Self {
        Frames { connection, data: 0 }
    }

    /// Takes the client's preface, and sends these settings.
    pub fn greet(&mut self, settings: &[(u16, u32)]) -> io::Result<()> {
        self.connection.read_exact(&mut [0; 24])?;
        let payload: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        self.send((FrameKind::Settings, 0), 0, &payload)
    }

    pub fn send(&mut self, (kind, flags): (FrameKind, u8), stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let head = [&length[1..], &[kind as u8, flags], &stream.to_be_bytes()].concat();
        self.connection.write_all(&[&head, payload].concat())?;
        self.connection.flush()
    }

    /// The next frame of this kind; others are passed over, but for settings, which are acknowledged.
    pub fn next(&mut self, kind: FrameKind) -> io::Result<Frame> {
        loop {
            let frame = self.any()?;
            if frame.kind == kind as u8 {
                return Ok(frame);
            }
        }
    }

    /// The next frame.
    pub fn any(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.connection.read_exact(&mut head)?;
        let [high, middle, low, kind, flags, a, b, c, d] = head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        self.connection.read_exact(&mut vec![0; length])?;
        self.data += if kind == FrameKind::Data as u8 { length } else { 0 };
        if kind == FrameKind::Settings as u8 && flags & 1 == 0 {
            self.send((FrameKind::Settings, 1), 0, &[])?;
        }
        Ok(Frame { kind, stream: u32::from_be_bytes([a, b, c, d]), ends: flags & 1 == 1 })
    }

    /// Reads until a request has come whole. Returns its stream.
    pub fn request(&mut self) -> io::Result<u32> {
        loop {
            let frame = self.any()?;
            if frame.kind <= 1 && frame.ends {
                return Ok(frame.stream);
            }
        }
    }

    /// A head that says 200 and a content type; a body is to follow.
    pub fn ok(&mut self, stream: u32, content_type: &str) -> io::Result<()> {
        // `:status: 200` and the name `content-type` stand in HPACK's static table.
        let length = u8::try_from(content_type.len()).expect("short");
        let head = [&[0x88, 0x0f, 0x10, length], content_type.as_bytes()].concat();
        self.send((FrameKind::Headers, 4), stream, &head)
    }

    /// A whole answer.
    pub fn answer(&mut self, stream: u32, json: &str) -> io::Result<()> {
        self.ok(stream, "application/json")?;
        self.send((FrameKind::Data, 1), stream, json.as_bytes())
    }

    pub fn reset(&mut self, stream: u32, reason: u32) -> io::Result<()> {
        self.send((FrameKind::Reset, 0), stream, &reason.to_be_bytes())
    }

    /// Says that no stream above `last` will be served.
    pub fn go_away(&mut self, last: u32) -> io::Result<()> {
        self.send((FrameKind::GoAway, 0), 0, &[last.to_be_bytes(), 0_u32.to_be_bytes()].concat())
    }

    /// Reads on until the client has left.
    pub fn until_closed(&mut self) {
        while self.any().is_ok() {}
    }
}
