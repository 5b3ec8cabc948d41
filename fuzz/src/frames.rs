//! Frames of a WebSocket: whatever comes, the same comes out however it is cut, and no message is larger than the bound.

use actix_web::web::BytesMut;
use api_together::proxy::fuzzing::{BadMessage, SocketCodec, SocketMessage};

/// The largest message, in bytes.
const LARGEST: usize = 300;

/// Holds for any bytes, from either side: the first byte says from which.
pub fn holds(input: &[u8]) {
    let Some((side, frames)) = input.split_first() else { return };
    let codec = || match side % 2 {
        0 => SocketCodec::of_server(LARGEST),
        _ => SocketCodec::of_client(LARGEST),
    };
    let whole = read(codec(), frames, frames.len().max(1));
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(read(codec(), frames, size), whole, "in pieces of {size}");
    }
    for message in &whole.0 {
        match message {
            SocketMessage::Text(text) => {
                assert!(text.len() <= LARGEST && std::str::from_utf8(text).is_ok());
            }
            SocketMessage::Binary(bytes) => assert!(bytes.len() <= LARGEST),
            SocketMessage::Ping(bytes) | SocketMessage::Pong(bytes) => assert!(bytes.len() <= 125),
            SocketMessage::Close(_) => {}
        }
    }
}

/// Returns the messages in frames of pieces of this size, and the error that ended them.
fn read(mut codec: SocketCodec, frames: &[u8], size: usize) -> (Vec<SocketMessage>, Option<BadMessage>) {
    let (mut came, mut messages) = (BytesMut::new(), Vec::new());
    for piece in frames.chunks(size) {
        came.extend_from_slice(piece);
        loop {
            match codec.decode(&mut came) {
                Ok(None) => break,
                Ok(Some(message)) => messages.push(message),
                Err(bad) => return (messages, Some(bad)),
            }
        }
    }
    (messages, None)
}
