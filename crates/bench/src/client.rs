//! One connection of the load generator: sends a request, reads the answer, measures nothing.
//!
//! Plain blocking sockets, a thread each. A thread costs the same for every measured server, and nothing but the kernel's
//! own clock stands between a request and the measured time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use transport::Framing;

/// How long an answer may take before it counts as none.
const WITHIN: Duration = Duration::from_secs(30);

/// The largest head, in bytes.
const LARGEST_HEAD: usize = 64 << 10;

pub(crate) struct LoadConnection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

/// Whether to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Go {
    On,
    Stop,
}

impl LoadConnection {
    pub(crate) fn open(address: SocketAddr) -> io::Result<LoadConnection> {
        let socket = TcpStream::connect_timeout(&address, WITHIN)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(WITHIN))?;
        Ok(LoadConnection { socket, buffer: vec![0; 64 << 10] })
    }

    /// Sends a request and reads the answer to the end, and shows `each` the pieces. Returns the status.
    pub(crate) fn ask(&mut self, request: &[u8], mut each: impl FnMut(&[u8]) -> Go) -> io::Result<u16> {
        self.socket.write_all(request)?;
        let (head, begun) = read_head(&mut self.socket, &mut self.buffer)?;
        let mut framing = Framing::of(&head);
        framing.advance(&begun);
        let mut go_on = each(&begun);
        while framing != Framing::Complete && go_on == Go::On {
            let piece = match self.socket.read(&mut self.buffer)? {
                0 if framing == Framing::UntilClose => break,
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.buffer.get(..read).unwrap_or_default(),
            };
            framing.advance(piece);
            if framing == Framing::Broken {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "malformed chunks"));
            }
            go_on = each(piece);
        }
        status(&head).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no status line"))
    }
}

/// Reads until a head is whole. Returns the head, and the bytes behind.
pub(crate) fn read_head(socket: &mut TcpStream, buffer: &mut [u8]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut head: Vec<u8> = Vec::with_capacity(1_024);
    loop {
        let searched = head.len().saturating_sub(3);
        let read = socket.read(buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let tail = head.get(searched..).unwrap_or_default();
        if let Some(at) = memchr::memmem::find(tail, b"\r\n\r\n") {
            let begun = head.split_off(searched + at + 4);
            return Ok((head, begun));
        }
        if head.len() > LARGEST_HEAD {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a head without an end"));
        }
    }
}

fn status(head: &[u8]) -> Option<u16> {
    std::str::from_utf8(head.get(9..12)?).ok()?.parse().ok()
}
