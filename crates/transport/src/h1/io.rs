//! The byte stream to an upstream, as awc sees it: a socket, with a filter and a witness in between.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_rt::net::{ActixStream, Ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fault::Fault;
use super::guard::Filter;
use crate::error::begun_too_late;
use crate::stream::Stream;
use crate::trace::witness;

/// A connection to an upstream.
#[derive(Debug)]
pub(crate) struct UpstreamIo {
    stream: Stream,
    filter: Filter,
    /// What has come of an answer, from its head on, and awc has not read yet.
    held: Vec<u8>,
    /// How much of that it has read.
    given: usize,
    /// An answer came: what is written from now on belongs to a later request.
    served: bool,
    reused: bool,
    /// A request is being written, until awc reads.
    writing: bool,
    /// The answer was there before the request was written: the rest of the request goes nowhere.
    swallowing: bool,
    /// Why nothing more can be written, while an answer may still be on its way.
    unwritable: Option<io::Error>,
}

impl UpstreamIo {
    pub(crate) fn new(stream: Stream) -> Self {
        UpstreamIo {
            stream,
            filter: Filter::default(),
            held: Vec::new(),
            given: 0,
            served: false,
            reused: false,
            writing: false,
            swallowing: false,
            unwritable: None,
        }
    }

    /// Closes the connection at once when it may serve nobody any more: awc would keep it for the next request, and
    /// finds that it has ended then.
    fn close_if_spent(&mut self) {
        if self.filter.is_spent() {
            self.stream = Stream::Closed;
        }
    }

    /// Gives a connection up, and says why.
    fn give_up(&mut self, fault: Fault) -> io::Error {
        self.stream = Stream::Closed;
        fault.into()
    }

    /// Gathers an answer's head. `Ready` when a final one is held, or the connection ended before a byte of one.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut space = [MaybeUninit::uninit(); 4_096];
            let mut buf = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                let ended = self.filter.end(self.held.len());
                return Poll::Ready(ended.map_err(|fault| self.give_up(fault)));
            }
            witness(|wire| wire.answered());
            self.served = true;
            self.held.extend_from_slice(buf.filled());
            match self.filter.head(&mut self.held) {
                Ok(false) => {}
                Ok(true) => {
                    self.close_if_spent();
                    return Poll::Ready(Ok(()));
                }
                Err(fault) => return Poll::Ready(Err(self.give_up(fault))),
            }
        }
    }

    /// Gives awc what is held.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = self.held.get(self.given..).unwrap_or_default();
        let piece = rest.get(..buf.remaining()).unwrap_or(rest);
        buf.put_slice(piece);
        self.given += piece.len();
        if self.given == self.held.len() {
            // Idle connections hold nothing.
            (self.held, self.given) = (Vec::new(), 0);
        }
    }

    fn poll_body(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let bytes = buf.filled().get(before..).unwrap_or_default();
        let of_body = match bytes.is_empty() && buf.remaining() > 0 {
            true => self.filter.end(0).map(|()| 0),
            false => self.filter.body(bytes),
        };
        match of_body {
            Ok(of_body) => buf.set_filled(before + of_body),
            Err(fault) => {
                buf.set_filled(before);
                return Poll::Ready(Err(self.give_up(fault)));
            }
        }
        self.close_if_spent();
        Poll::Ready(Ok(()))
    }

    /// The first bytes that are written after an answer begin the next request.
    fn before_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.writing {
            // What the pool's look has not seen, since the reactor has not had its turn: it would be taken for the answer.
            let clean = self.held.is_empty() && !(self.served && self.stream.has_unread());
            let free = if clean { self.filter.begin(bytes) } else { Err(Fault::Desync) };
            if let Err(fault) = free {
                witness(|wire| wire.unfree());
                return Err(self.give_up(fault));
            }
            self.writing = true;
            self.reused = self.served;
        }
        let reused = self.reused;
        match witness(|wire| wire.writing(reused)) {
            Some(false) => Err(begun_too_late()),
            Some(true) | None => Ok(()),
        }
    }

    /// Writes, or finds out that the upstream has answered already and wants no more.
    fn poll_send<T>(
        &mut self,
        cx: &mut Context<'_>,
        swallowed: T,
        write: impl FnOnce(Pin<&mut Stream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = match self.unwritable.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => write(Pin::new(&mut self.stream), cx),
        };
        let error = match written {
            Poll::Pending if self.writing => None,
            Poll::Ready(Err(error)) if self.writing => Some(error),
            Poll::Ready(_) | Poll::Pending => return written,
        };
        let answer = if self.filter.awaits_head() { self.poll_head(cx) } else { Poll::Ready(Ok(())) };
        match (answer, error) {
            // What broke the writing will wake the reading.
            (Poll::Pending, error) => {
                self.unwritable = error;
                Poll::Pending
            }
            (Poll::Ready(Ok(())), error) if self.filter.awaits_head() => {
                Poll::Ready(Err(error.unwrap_or_else(|| self.give_up(Fault::NoAnswer))))
            }
            (Poll::Ready(Ok(())), None) if !self.filter.refuses() => Poll::Pending,
            (Poll::Ready(Ok(())), _) => {
                self.swallowing = true;
                self.filter.spend();
                self.close_if_spent();
                Poll::Ready(Ok(swallowed))
            }
            (Poll::Ready(Err(unreadable)), error) => Poll::Ready(Err(error.unwrap_or(unreadable))),
        }
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.writing {
            witness(|wire| wire.reading());
        }
        if self.filter.awaits_head() {
            ready!(self.poll_head(cx))?;
        }
        if self.held.is_empty() {
            return self.poll_body(cx, buf);
        }
        self.writing = false;
        self.give(buf);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.swallowing {
            return Poll::Ready(Ok(buf.len()));
        }
        self.before_write(buf)?;
        self.poll_send(cx, buf.len(), |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.swallowing {
            return Poll::Ready(Ok(()));
        }
        self.poll_send(cx, (), |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl ActixStream for UpstreamIo {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.stream.socket().map_or(Poll::Ready(Ok(Ready::EMPTY)), |socket| ActixStream::poll_read_ready(socket, cx))
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        self.stream.socket().map_or(Poll::Ready(Ok(Ready::EMPTY)), |socket| ActixStream::poll_write_ready(socket, cx))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use actix_rt::Runtime;
    use actix_rt::net::TcpStream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na";

    /// A connection that has served one request, and the upstream's side of it.
    async fn served() -> (UpstreamIo, std::net::TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let socket = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (mut peer, _) = listener.accept().expect("accepts");
        let mut io = UpstreamIo::new(Stream::Plain(socket));
        io.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("writes");
        peer.read_exact(&mut [0; 18]).expect("reads");
        peer.write_all(ANSWER).expect("writes");
        let mut answer = [0; ANSWER.len()];
        io.read_exact(&mut answer).await.expect("reads");
        assert_eq!(answer, ANSWER);
        (io, peer)
    }

    #[test]
    fn what_came_unasked_is_seen_before_the_reactor_had_its_turn() {
        Runtime::new().expect("a runtime").block_on(async {
            let ask = b"GET / HTTP/1.1\r\n\r\n";
            let (mut io, _peer) = served().await;
            io.write_all(ask).await.expect("nothing came");
            let (mut io, mut peer) = served().await;
            peer.write_all(ANSWER).expect("writes");
            assert!(io.write_all(ask).await.is_err(), "it would be the next one's answer");
            let (mut io, peer) = served().await;
            drop(peer);
            assert!(io.write_all(ask).await.is_err(), "its end is seen, too");
        });
    }

    #[test]
    fn where_an_answer_is_outstanding_no_other_request_is_written() {
        Runtime::new().expect("a runtime").block_on(async {
            let (mut io, mut peer) = served().await;
            io.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it is free");
            peer.write_all(&ANSWER[..ANSWER.len() - 1]).expect("writes");
            io.read_exact(&mut [0; ANSWER.len() - 1]).await.expect("reads");
            let refused = io.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect_err("a byte is outstanding");
            assert!(refused.to_string().contains("not free"), "{refused}");
            let mut sent = Vec::new();
            peer.read_to_end(&mut sent).expect("reads");
            assert_eq!(sent.len(), 18, "and the connection is closed");
        });
    }
}
