//! Whether a connection may serve another request, by the bytes on the wire.

use std::io::{Read, Write};
use std::net::TcpListener;

use actix_rt::Runtime;
use actix_rt::net::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na";

/// Returns a connection after one request, and the upstream's side.
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
fn unread_bytes_are_seen_before_the_reactor_had_its_turn() {
    async fn is_quiet(io: &mut UpstreamIo) -> bool {
        std::future::poll_fn(|cx| Poll::Ready(io.is_quiet(cx))).await
    }
    Runtime::new().expect("a runtime").block_on(async {
        let (mut io, _peer) = served().await;
        assert!(is_quiet(&mut io).await, "nothing came");
        let (mut io, mut peer) = served().await;
        peer.write_all(ANSWER).expect("writes");
        assert!(!is_quiet(&mut io).await, "it would be the next one's answer");
        let (mut io, peer) = served().await;
        drop(peer);
        assert!(!is_quiet(&mut io).await, "its end is seen, too");
    });
}

#[test]
fn no_request_is_written_while_a_response_is_outstanding() {
    Runtime::new().expect("a runtime").block_on(async {
        let (mut io, mut peer) = served().await;
        io.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("idle");
        peer.write_all(&ANSWER[..ANSWER.len() - 1]).expect("writes");
        io.read_exact(&mut [0; ANSWER.len() - 1]).await.expect("reads");
        let refused = io.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect_err("a byte is outstanding");
        assert!(refused.to_string().contains("not free"), "{refused}");
        let mut sent = Vec::new();
        peer.read_to_end(&mut sent).expect("reads");
        assert_eq!(sent.len(), 18, "and the connection is closed");
    });
}
