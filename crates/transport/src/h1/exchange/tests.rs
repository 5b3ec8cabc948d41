//! Which connection a request takes, and what reaches the upstream.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use actix_http::Method;
use actix_http::Uri;
use actix_rt::Runtime;
use actix_tls::connect::ResolverService;
use clock::SentAt;
use futures_util::stream;

use super::*;
use crate::client::Target;

/// A request, as the upstream saw it.
#[derive(Debug, PartialEq)]
struct Seen {
    /// The connections are counted from 0.
    connection: usize,
    path: String,
    body: Vec<u8>,
}

/// Answers each request with its path, and keeps the connection; after `/last` the connection is closed without a word of that.
fn upstream() -> (SocketAddr, Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for (connection, socket) in listener.incoming().map_while(Result::ok).enumerate() {
            let tell = tell.clone();
            std::thread::spawn(move || serve(connection, socket, &tell));
        }
    });
    (address, told)
}

fn serve(connection: usize, mut socket: TcpStream, tell: &Sender<Seen>) {
    let (mut came, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let head_end = came.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
        let whole = head_end.and_then(|end| {
            let head = String::from_utf8_lossy(&came[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            (came.len() >= end + length).then_some((head, end, end + length))
        });
        let Some((head, start, end)) = whole else {
            match socket.read(&mut piece) {
                Ok(size @ 1..) => came.extend_from_slice(&piece[..size]),
                Ok(0) | Err(_) => return,
            }
            continue;
        };
        // Whatever is left over of another request is no method.
        if !head.starts_with("POST ") {
            return;
        }
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let body = came[start..end].to_vec();
        came.drain(..end);
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len());
        let is_last = path == "/last";
        let _ = tell.send(Seen { connection, path, body });
        if socket.write_all(answer.as_bytes()).is_err() || is_last {
            return;
        }
    }
}

fn http1(address: SocketAddr) -> Http1 {
    let target = Target {
        id: "a".to_owned(),
        base: format!("http://{address}/"),
        tls: false,
        http2: false,
        proxy: None,
        headers: Vec::new(),
        connect_timeout: Duration::from_secs(5),
    };
    Http1::new(Connector::to(&target, ResolverService::default()), target.connect_timeout)
}

async fn send(http1: &Http1, path: &str, body: impl Into<OutgoingBody>) -> Result<Payload, SendRequestError> {
    let mut head = RequestHead::default();
    head.method = Method::POST;
    head.uri = Uri::try_from(path).expect("a path");
    Ok(http1.send(head, body.into(), &ExchangeTrace::new(SentAt::default())).await?.body)
}

async fn read(mut body: Payload) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece.expect("a piece"));
    }
    whole
}

async fn ask(http1: &Http1, path: &str) {
    let body = send(http1, path, Bytes::from_static(b"x")).await.expect("an answer");
    assert_eq!(read(body).await, path.as_bytes());
}

fn run(test: impl AsyncFnOnce(Http1, Receiver<Seen>)) {
    let (address, told) = upstream();
    Runtime::new().expect("a runtime").block_on(test(http1(address), told));
}

fn connections(told: &Receiver<Seen>) -> Vec<usize> {
    told.try_iter().map(|seen| seen.connection).collect()
}

/// Returns how many connections another request could take.
async fn idle(http1: &Http1) -> usize {
    let mut taken = Vec::new();
    while let Some(io) = http1.idle.take().await {
        taken.push(io);
    }
    let count = taken.len();
    taken.into_iter().rev().for_each(|io| http1.idle.put(io));
    count
}

#[test]
fn a_connection_is_used_again_when_the_body_is_read() {
    run(async |http1, told| {
        ask(&http1, "/a").await;
        ask(&http1, "/b").await;
        let unread = send(&http1, "/c", Bytes::new()).await.expect("an answer");
        ask(&http1, "/d").await;
        assert_eq!(connections(&told), [0, 0, 0, 1]);
        drop(unread);
        ask(&http1, "/e").await;
        assert_eq!(connections(&told), [1], "a body that nobody reads to the end takes its connection with it");
    });
}

#[test]
fn the_connection_that_was_used_last_goes_first() {
    run(async |http1, told| {
        let first = send(&http1, "/a", Bytes::new()).await.expect("an answer");
        let second = send(&http1, "/b", Bytes::new()).await.expect("an answer");
        read(second).await;
        read(first).await;
        ask(&http1, "/c").await;
        assert_eq!(connections(&told), [0, 1, 0]);
    });
}

#[test]
fn a_connection_that_the_upstream_has_closed_is_passed_by() {
    run(async |http1, told| {
        let mut first = Vec::new();
        for path in ["/a", "/last"] {
            first.push(send(&http1, path, Bytes::new()).await.expect("an answer"));
        }
        for body in first {
            read(body).await;
        }
        // The end of `/last` may still be on its way.
        while idle(&http1).await > 1 {}
        ask(&http1, "/b").await;
        assert_eq!(connections(&told), [0, 1, 0]);
    });
}

#[test]
fn bodies_of_any_size_arrive_byte_for_byte() {
    run(async |http1, told| {
        for size in [0, 1, LARGEST_COPY, LARGEST_COPY + 1, 3 << 20] {
            let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let pieces: Vec<_> = body.chunks(10_007).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            let streamed = OutgoingBody::Stream(size as u64, Box::pin(stream::iter(pieces)));
            for outgoing in [Bytes::from(body.clone()).into(), streamed] {
                read(send(&http1, "/a", outgoing).await.expect("an answer")).await;
                let seen = told.recv().expect("a request");
                assert!(seen.body == body && seen.connection == 0, "{size}");
            }
        }
    });
}

#[test]
fn a_stream_that_is_too_short_is_an_error_and_of_one_that_is_too_long_the_announced_part_is_sent() {
    run(async |http1, told| {
        let stream = |length| OutgoingBody::Stream(length, Box::pin(stream::iter([Ok(Bytes::from_static(b"four"))])));
        read(send(&http1, "/a", stream(3)).await.expect("an answer")).await;
        assert_eq!(told.recv().expect("a request").body, b"fou");
        ask(&http1, "/next").await;
        assert_eq!(told.recv().expect("a request").path, "/next", "nothing is left over");
        assert!(send(&http1, "/b", stream(5)).await.is_err());
        ask(&http1, "/c").await;
        let seen = told.recv().expect("a request");
        assert_eq!((seen.connection, seen.path.as_str()), (1, "/c"), "the half request took its connection with it");
    });
}
