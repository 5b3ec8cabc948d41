//! Responses behind the guard, read by the codec itself, with all cuts and all kinds of damage.

use actix_codec::{Decoder, Encoder};
use actix_http::body::BodySize;
use actix_http::h1::{ClientCodec, ClientPayloadCodec, Message, MessageType};
use actix_http::{Method, RequestHead, RequestHeadType};
use bytes::BytesMut;
use proptest::prelude::*;

use super::*;

/// A response as the exchange sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    status: u16,
    body: Vec<u8>,
    /// Can the connection serve another request?
    kept: bool,
}

/// The codec, and where the codec stands.
enum CodecState {
    Head(ClientCodec),
    Body(ClientPayloadCodec),
    Done { keep_alive: bool },
}

struct Reader {
    codec_state: CodecState,
    buffer: BytesMut,
    status: u16,
    body: Vec<u8>,
}

impl Reader {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        let error = |e: &dyn std::fmt::Display| format!("codec: {e}");
        self.buffer.extend_from_slice(bytes);
        loop {
            self.codec_state = match &mut self.codec_state {
                CodecState::Head(codec) => {
                    let head = codec.decode(&mut self.buffer).map_err(|e| error(&e))?;
                    self.status = head.expect("the guard gives complete heads").status.as_u16();
                    let CodecState::Head(codec) =
                        std::mem::replace(&mut self.codec_state, CodecState::Done { keep_alive: false })
                    else {
                        unreachable!("matched above")
                    };
                    match codec.message_type() {
                        MessageType::None => CodecState::Done { keep_alive: codec.keep_alive() },
                        MessageType::Payload | MessageType::Stream => CodecState::Body(codec.into_payload_codec()),
                    }
                }
                CodecState::Body(codec) => match codec.decode(&mut self.buffer).map_err(|e| error(&e))? {
                    None => return Ok(()),
                    Some(None) => CodecState::Done { keep_alive: codec.keep_alive() },
                    Some(Some(chunk)) => {
                        self.body.extend_from_slice(&chunk);
                        continue;
                    }
                },
                CodecState::Done { .. } => {
                    assert!(self.buffer.is_empty(), "the codec sees the end before the guard does");
                    return Ok(());
                }
            };
        }
    }
}

thread_local! {
    /// The codec has a clock on a runtime.
    static RUNTIME: actix_rt::Runtime = actix_rt::Runtime::new().expect("a runtime");
}

/// Returns what is seen of a connection with these pieces and the end.
///
/// # Errors
/// With the reason of the guard, or of the codec, for a refusal.
fn read(method: Method, pieces: &[&[u8]]) -> Result<Seen, String> {
    RUNTIME.with(|runtime| runtime.block_on(async { read_on_runtime(method, pieces) }))
}

fn read_on_runtime(method: Method, pieces: &[&[u8]]) -> Result<Seen, String> {
    let (mut guard, mut held) = (ResponseGuard::default(), Vec::new());
    let mut codec = ClientCodec::default();
    let mut head = RequestHead::default();
    head.method = method;
    let mut request = BytesMut::new();
    codec.encode(Message::Item((RequestHeadType::Owned(head), BodySize::None)), &mut request).expect("encodes");
    guard.begin(&request).expect("free");
    let mut reader =
        Reader { codec_state: CodecState::Head(codec), buffer: BytesMut::new(), status: 0, body: Vec::new() };
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        if guard.awaits_head() {
            held.extend_from_slice(piece);
            if guard.head(&mut held).map_err(|error| error.to_string())? {
                reader.feed(&std::mem::take(&mut held))?;
            }
        } else if guard.is_busy() {
            let of_body = guard.body(piece).map_err(|error| error.to_string())?;
            reader.feed(&piece[..of_body])?;
        } else {
            // Nothing is outstanding: the pool's check finds these bytes.
            guard.close_after_response();
        }
        let done = matches!(reader.codec_state, CodecState::Done { .. });
        assert_eq!(done, !guard.is_busy(), "both see the end at the same byte");
    }
    let CodecState::Done { keep_alive } = reader.codec_state else {
        guard.end(held.len()).map_err(|error| error.to_string())?;
        return match reader.codec_state {
            CodecState::Head(_) => Err("no answer".into()),
            CodecState::Body(_) | CodecState::Done { .. } => {
                Ok(Seen { status: reader.status, body: reader.body, kept: false })
            }
        };
    };
    Ok(Seen { status: reader.status, body: reader.body, kept: keep_alive && !guard.must_close_now() })
}

fn seen(status: u16, body: &str, kept: bool) -> Result<Seen, String> {
    Ok(Seen { status, body: body.into(), kept })
}

/// Tries every way to cut the bytes in two.
fn assert_seen(method: &Method, bytes: &str, wanted: &Result<Seen, String>) {
    for at in 0..bytes.len() {
        let (first, second) = bytes.as_bytes().split_at(at);
        let got = read(method.clone(), &[first, second]);
        match wanted {
            Err(reason) => assert!(got.as_ref().is_err_and(|e| e.contains(reason)), "{bytes:?} at {at}: {got:?}"),
            Ok(_) => assert_eq!(&got, wanted, "{bytes:?} at {at}"),
        }
    }
}

#[test]
fn the_codec_reads_a_response_as_it_is_meant() {
    for (bytes, wanted) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", seen(200, "abc", true)),
        ("HTTP/1.1 200 OK\nContent-Length : 3\n\nabc", seen(200, "abc", true)),
        ("HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", seen(200, "", true)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n3;x=y\r\nabc\r\n0\r\nt: u\r\n\r\n",
            seen(200, "abc", true),
        ),
        ("HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 1\r\n\r\na", seen(200, "a", false)),
        // Until the connection ends.
        ("HTTP/1.1 200 OK\r\n\r\nabc", seen(200, "abc", false)),
        ("HTTP/1.1 200 OK\r\n\r\n", seen(200, "", false)),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nabc", seen(200, "abc", false)),
        ("HTTP/1.0 200 OK\r\n\r\nabc", seen(200, "abc", false)),
        // HTTP/1.0 with a length.
        ("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", seen(200, "abc", false)),
        ("HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 3\r\n\r\nabc", seen(200, "abc", true)),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", seen(200, "", false)),
        ("HTTP/1.0 204 No\r\nconnection: keep-alive\r\n\r\n", seen(204, "", true)),
        // A response without a body, whatever the head says.
        ("HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n", seen(204, "", true)),
        ("HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", seen(204, "", false)),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", seen(304, "", true)),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 1\r\n\r\nx", seen(304, "", false)),
        // The codec would forget the body of these.
        (
            "HTTP/1.1 426 U\r\nupgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 2\r\n\r\nno",
            seen(426, "no", false),
        ),
        ("HTTP/1.1 200 OK\r\nUpgrade: websocket\r\n\r\nabc", seen(200, "abc", false)),
        // Two lines on the framing.
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\nabc", seen(200, "abc", true)),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
            seen(200, "a", false),
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: identity\r\n\r\na", seen(200, "a", false)),
        // Interim heads.
        (
            "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 103 X\r\nlink: y\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
            seen(200, "a", true),
        ),
        // More bytes than the response has.
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb",
            seen(200, "a", false),
        ),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n\r\n", seen(200, "a", false)),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nabc", seen(200, "", false)),
    ] {
        assert_seen(&Method::POST, bytes, &wanted);
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n";
    assert_seen(&Method::HEAD, head, &seen(200, "", true));
    assert_seen(&Method::HEAD, &format!("{head}abc"), &seen(200, "", false));
}

#[test]
fn a_response_that_can_be_read_in_two_ways_or_in_none_is_refused() {
    for (bytes, reason) in [
        ("", "no answer"),
        ("SSH-2.0-x\r\n", "no answer of HTTP/1"),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", "no answer of HTTP/1"),
        ("HTTP/2 200\r\n\r\n", "no answer of HTTP/1"),
        ("HTTP/1.2 200 OK\r\n\r\n", "a bad status line"),
        ("HTTP/1.1  200 OK\r\n\r\n", "a bad status line"),
        ("HTTP/1.1 20 OK\r\n\r\n", "a bad status line"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "a bad status line"),
        ("HTTP/1.1 099 OK\r\n\r\n", "a bad status line"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc", "two different lengths"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3, 3\r\n\r\nabc", "a length that is none"),
        ("HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc", "a length that is none"),
        ("HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\nabc", "a length that is none"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\nabc", "a length that is none"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "an unknown transfer coding"),
        (
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "an unknown transfer coding",
        ),
        ("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "a transfer coding in HTTP/1.0"),
        ("HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n", "a line without a name"),
        ("HTTP/1.1 200 OK\r\na: b\r\n content-length: 3\r\n\r\nabc", "a malformed line"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "a line without a name"),
        ("HTTP/1.1 200 OK\r\n: x\r\n\r\n", "a malformed line"),
        ("HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n", "a malformed line"),
        ("HTTP/1.1 200 OK\r\na: b\rcontent-length: 3\r\n\r\nabc", "a malformed line"),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n", "another protocol"),
        ("HTTP/1.1 103 X\r\n\r\n", "the head broke off"),
        ("HTTP/1.1 200 OK\r\na: b", "the head broke off"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", "the body broke off"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", "the body broke off"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "not well chunked"),
    ] {
        assert_seen(&Method::POST, bytes, &Err(reason.into()));
    }
    let interim = "HTTP/1.1 100 Go on\r\n\r\n";
    let sound = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(read(Method::POST, &[(interim.repeat(16) + sound).as_bytes()]), seen(200, "", true));
    assert_seen(&Method::POST, &(interim.repeat(17) + sound), &Err("too many interim answers".into()));
    let many = |lines: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{}\r\n", "a: b\r\n".repeat(lines - 1));
    assert_eq!(read(Method::POST, &[many(96).as_bytes()]), seen(200, "", true));
    for long in [many(97), format!("HTTP/1.1 200 OK\r\n{}: b\r\n\r\n", "a".repeat(70_000))] {
        assert!(read(Method::POST, &[long.as_bytes()]).is_err_and(|e| e.contains("too many or too long")));
    }
    for end in ["", "\r\n\r\n"] {
        let endless = format!("HTTP/1.1 200 OK\r\na: {}{end}", "b".repeat(128 << 10));
        assert!(read(Method::POST, &[endless.as_bytes()]).is_err_and(|e| e.contains("without end")));
    }
}

#[test]
fn a_connection_is_idle_only_between_a_response_and_the_next_request() {
    let mut guard = ResponseGuard::default();
    let mut held = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab".to_vec();
    assert_eq!(guard.begin(b"POST / HTTP/1.1\r\n"), Ok(()));
    assert_eq!(guard.begin(b"POST / HTTP/1.1\r\n"), Err(FramingError::NotIdle), "an answer is awaited");
    assert_eq!(guard.head(&mut held), Ok(true));
    assert_eq!(guard.begin(b"POST / HTTP/1.1\r\n"), Err(FramingError::NotIdle), "a byte is outstanding");
    assert_eq!(guard.body(b"c"), Ok(1));
    assert_eq!(guard.begin(b"POST / HTTP/1.1\r\n"), Ok(()));
    assert_eq!(guard.head(&mut b"HTTP/1.1 204 X\r\nconnection: close\r\n\r\n".to_vec()), Ok(true));
    assert_eq!(guard.begin(b"POST / HTTP/1.1\r\n"), Err(FramingError::NotIdle), "the upstream closes");
}

mod properties;
