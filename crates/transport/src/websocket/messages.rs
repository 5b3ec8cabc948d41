//! Frames of a WebSocket, put together to whole messages. For both sides of a proxy: the client's, and the upstream's.
//!
//! 1. A message is held until its end, and has a bound in bytes, whatever its frames say. A frame is refused when more has come
//!    than the bound allows, and not when its head announces more.
//! 2. A text is UTF-8, or the connection ends.
//! 3. The library holds the rules of single frames: masks, reserved bits, lengths, the order of fragments.

use actix_codec::Decoder;
use actix_http::ws::{CloseReason, Codec, Frame, Item, OpCode, Parser, ProtocolError};
use bytes::{Bytes, BytesMut};

/// The longest head of a frame, in bytes.
const FRAME_HEAD: usize = 14;

/// A whole message, or a control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketMessage {
    /// A text, of UTF-8.
    Text(Bytes),
    /// Bytes.
    Binary(Bytes),
    /// The other side wants a pong with the same bytes.
    Ping(Bytes),
    /// An answer to a ping.
    Pong(Bytes),
    /// The other side sends nothing more.
    Close(Option<SocketClose>),
}

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketClose {
    /// As in RFC 6455, section 7.4.
    pub code: u16,
    /// For a person; at most [`SocketClose::LONGEST_REASON`] bytes.
    pub reason: String,
}

/// What came is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// The message is longer than the bound.
    #[error("a message is larger than {0} bytes")]
    TooLarge(usize),
    /// A text is no UTF-8.
    #[error("a text is no UTF-8")]
    NotUtf8,
    /// The frames break the protocol.
    #[error("{0}")]
    Protocol(String),
}

/// Reads and writes the messages of one connection.
#[derive(Debug)]
pub struct SocketCodec {
    frames: Codec,
    /// The largest message, in bytes.
    largest: usize,
    /// What we write is masked: the other side is a server.
    masks: bool,
    partial: Option<PartialMessage>,
}

/// A message whose last fragment has not come.
#[derive(Debug)]
struct PartialMessage {
    is_text: bool,
    bytes: BytesMut,
}

impl SocketMessage {
    /// Returns how many bytes of data a message has.
    pub fn len(&self) -> usize {
        match self {
            SocketMessage::Text(bytes) | SocketMessage::Binary(bytes) => bytes.len(),
            SocketMessage::Ping(_) | SocketMessage::Pong(_) | SocketMessage::Close(_) => 0,
        }
    }

    /// Returns whether a message has no data.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl SocketClose {
    /// The longest reason, in bytes: a control frame has 125, and the code takes two.
    pub const LONGEST_REASON: usize = 123;

    /// Creates the reason of an end. A longer text is cut.
    pub fn new(code: u16, reason: &str) -> Self {
        SocketClose {
            code,
            reason: reason.get(..reason.floor_char_boundary(Self::LONGEST_REASON)).unwrap_or_default().to_owned(),
        }
    }
}

impl BadMessage {
    /// Returns the code that tells the other side.
    pub fn close_code(&self) -> u16 {
        match self {
            BadMessage::TooLarge(_) => 1009,
            BadMessage::NotUtf8 => 1007,
            BadMessage::Protocol(_) => 1002,
        }
    }
}

impl SocketCodec {
    /// Creates the codec of a server's side. `largest`: the largest message of the client, in bytes.
    pub fn of_server(largest: usize) -> Self {
        SocketCodec { frames: Codec::new().max_size(largest), largest, masks: false, partial: None }
    }

    /// Creates the codec of a client's side. `largest`: the largest message of the server, in bytes.
    pub fn of_client(largest: usize) -> Self {
        SocketCodec { frames: Codec::new().max_size(largest).client_mode(), largest, masks: true, partial: None }
    }

    /// Takes the next message out of what has come; `None` if more has to come.
    ///
    /// # Errors
    /// When the connection has to end.
    pub fn decode(&mut self, came: &mut BytesMut) -> Result<Option<SocketMessage>, BadMessage> {
        loop {
            let frame = match self.frames.decode(came) {
                Ok(Some(frame)) => frame,
                Ok(None) if came.len() > self.largest.saturating_add(FRAME_HEAD) => {
                    return Err(BadMessage::TooLarge(self.largest));
                }
                Ok(None) => return Ok(None),
                Err(ProtocolError::Overflow) => return Err(BadMessage::TooLarge(self.largest)),
                Err(error) => return Err(BadMessage::Protocol(error.to_string())),
            };
            let message = match frame {
                Frame::Text(text) => data(true, text)?,
                Frame::Binary(bytes) => SocketMessage::Binary(bytes),
                Frame::Ping(bytes) => SocketMessage::Ping(bytes),
                Frame::Pong(bytes) => SocketMessage::Pong(bytes),
                Frame::Close(reason) => SocketMessage::Close(reason.map(of_library)),
                Frame::Continuation(item) => match self.fragment(item)? {
                    Some(message) => message,
                    None => continue,
                },
            };
            return Ok(Some(message));
        }
    }

    /// Takes in a fragment. Returns the message behind the last one.
    fn fragment(&mut self, item: Item) -> Result<Option<SocketMessage>, BadMessage> {
        let (bytes, is_last) = match item {
            Item::FirstText(bytes) => {
                self.partial = Some(PartialMessage { is_text: true, bytes: BytesMut::new() });
                (bytes, false)
            }
            Item::FirstBinary(bytes) => {
                self.partial = Some(PartialMessage { is_text: false, bytes: BytesMut::new() });
                (bytes, false)
            }
            Item::Continue(bytes) => (bytes, false),
            Item::Last(bytes) => (bytes, true),
        };
        // The library lets no fragment pass without a first one.
        let Some(partial) = &mut self.partial else {
            return Err(BadMessage::Protocol("a fragment without a beginning".to_owned()));
        };
        if partial.bytes.len() + bytes.len() > self.largest {
            return Err(BadMessage::TooLarge(self.largest));
        }
        partial.bytes.extend_from_slice(&bytes);
        if !is_last {
            return Ok(None);
        }
        match self.partial.take() {
            Some(PartialMessage { is_text, bytes }) => data(is_text, bytes.freeze()).map(Some),
            None => Ok(None),
        }
    }

    /// Returns how many bytes are held of a message without its end.
    pub fn held(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.bytes.len())
    }

    /// Appends a message as one frame.
    pub fn encode(&self, message: &SocketMessage, into: &mut BytesMut) {
        let (bytes, code) = match message {
            SocketMessage::Text(bytes) => (bytes, OpCode::Text),
            SocketMessage::Binary(bytes) => (bytes, OpCode::Binary),
            SocketMessage::Ping(bytes) => (bytes, OpCode::Ping),
            SocketMessage::Pong(bytes) => (bytes, OpCode::Pong),
            SocketMessage::Close(close) => {
                return Parser::write_close(into, close.as_ref().map(to_library), self.masks);
            }
        };
        Parser::write_message(into, bytes, code, true, self.masks);
    }
}

fn data(is_text: bool, bytes: Bytes) -> Result<SocketMessage, BadMessage> {
    if !is_text {
        return Ok(SocketMessage::Binary(bytes));
    }
    if std::str::from_utf8(&bytes).is_err() {
        return Err(BadMessage::NotUtf8);
    }
    Ok(SocketMessage::Text(bytes))
}

fn of_library(reason: CloseReason) -> SocketClose {
    SocketClose { code: reason.code.into(), reason: reason.description.unwrap_or_default() }
}

fn to_library(close: &SocketClose) -> CloseReason {
    let description = Some(close.reason.clone()).filter(|reason| !reason.is_empty());
    CloseReason { code: close.code.into(), description }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
