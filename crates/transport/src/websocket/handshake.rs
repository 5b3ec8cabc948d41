//! Opens a WebSocket to an upstream: a connection of its own, over HTTP/1.1.

use std::io;
use std::time::Duration;

use actix_codec::{Decoder, Encoder};
use actix_http::body::BodySize;
use actix_http::error::{ParseError, PayloadError};
use actix_http::h1::{ClientCodec, Message, MessageType};
use actix_http::header::{self, HeaderMap, HeaderValue};
use actix_http::{ConnectionType, Method, RequestHead, RequestHeadType, ResponseHead, StatusCode, Uri, ws};
use actix_tls::connect::ResolverService;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::socket::UpstreamSocket;
use crate::client::{Target, named_host};
use crate::connector::Connector;
use crate::dial::parsed;
use crate::error::SendError;
use crate::stream::Stream;
use crate::tls::Alpn;

/// How much of a refusal is read.
const REFUSAL_HELD: usize = 64 << 10;

/// How long the body of a refusal may take: another upstream is waiting to serve.
const REFUSAL_WITHIN: Duration = Duration::from_secs(2);

/// So many interim heads (103) may come before the answer.
const MOST_INTERIM: usize = 8;

/// What is asked for in a handshake.
#[derive(Debug, Clone, Copy)]
pub struct SocketRequest<'a> {
    /// Below the target's base.
    pub path: &'a str,
    /// Besides those of the protocol.
    pub headers: &'a HeaderMap,
    /// The largest message of the upstream, in bytes.
    pub largest_message: usize,
}

/// The answer to a handshake.
#[derive(Debug)]
pub enum Handshake {
    /// The upstream speaks WebSockets.
    Open(Box<UpstreamSocket>),
    /// The upstream answered otherwise.
    Refused(HandshakeRefusal),
}

/// An answer without an upgrade.
#[derive(Debug)]
pub struct HandshakeRefusal {
    /// The status; of a 101 that breaks the protocol, 101.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// As much of the body as came in time.
    pub body: Bytes,
}

/// Makes a connection, and asks for a WebSocket. The time to connect has a bound; the caller bounds the whole.
///
/// # Errors
/// When no answer came.
///
/// # Cancel safety
/// Dropping the future closes the connection.
pub async fn open_socket(target: &Target, request: SocketRequest<'_>) -> Result<Handshake, SendError> {
    let base = parsed(&target.base);
    let key = encoded_nonce();
    let head = request_head(target, &base, &request, &key);
    let connector = Connector::to(target, ResolverService::default());
    let connected = timeout(target.connect_timeout, connector.connect(Alpn::Http1)).await;
    let connected = connected.map_or_else(|_| Err(SendError::timeout()), |made| made.map_err(SendError::from));
    let (mut stream, _) = connected.map_err(|mut error| {
        error.name_proxy(target.proxy.as_deref());
        error
    })?;

    let mut codec = ClientCodec::default();
    let mut bytes = BytesMut::new();
    let head = Message::Item((RequestHeadType::Owned(head), BodySize::None));
    codec.encode(head, &mut bytes).map_err(|error| SendError::broken(&error))?;
    stream.write_all(&bytes).await.map_err(|error| SendError::broken(&error))?;
    stream.flush().await.map_err(|error| SendError::broken(&error))?;
    bytes.clear();

    let answer = read_head(&mut stream, &mut codec, &mut bytes).await?;
    if answer.status == StatusCode::SWITCHING_PROTOCOLS && accepts(&answer.headers, &key) {
        let socket = UpstreamSocket::new(stream, bytes, request.largest_message);
        return Ok(Handshake::Open(Box::new(socket)));
    }
    let body = timeout(REFUSAL_WITHIN, read_body(&mut stream, codec, bytes)).await.unwrap_or_default();
    let (status, headers) = (answer.status, answer.headers.clone());
    Ok(Handshake::Refused(HandshakeRefusal { status, headers, body }))
}

/// Returns 16 random bytes in base64, as the protocol wants.
fn encoded_nonce() -> String {
    // Only caches look at the key: four times four random bytes need no generator of their own.
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |_| DIGITS.get(usize::from(rand::random::<u8>() & 63)).copied().map_or('A', char::from);
    // The last digit of 16 bytes has two bits.
    (0..21).map(digit).chain(['A', '=', '=']).collect()
}

fn request_head(target: &Target, base: &Uri, request: &SocketRequest<'_>, key: &str) -> RequestHead {
    let mut head = RequestHead::default();
    head.method = Method::GET;
    head.uri = Uri::try_from(format!("{}{}", base.path(), request.path)).unwrap_or_default();
    head.set_connection_type(ConnectionType::Upgrade);
    for (name, value) in request.headers {
        head.headers.insert(name.clone(), value.clone());
    }
    if let Ok(host) = HeaderValue::from_str(named_host(base, target.tls).as_str()) {
        head.headers.insert(header::HOST, host);
    }
    for (name, value) in &target.headers {
        head.headers.insert(name.clone(), value.clone());
    }
    head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    head.headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    if let Ok(key) = HeaderValue::from_str(key) {
        head.headers.insert(header::SEC_WEBSOCKET_KEY, key);
    }
    head
}

async fn read_head(
    stream: &mut Stream,
    codec: &mut ClientCodec,
    bytes: &mut BytesMut,
) -> Result<ResponseHead, SendError> {
    for _ in 0..MOST_INTERIM {
        let mut head = loop {
            match codec.decode(bytes).map_err(|error: ParseError| SendError::broken(&error))? {
                Some(head) => break head,
                None if stream.read_buf(bytes).await.map_err(|error| SendError::broken(&error))? == 0 => {
                    return Err(SendError::broken(&io::Error::from(io::ErrorKind::UnexpectedEof)));
                }
                None => {}
            }
        };
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            let mut answer = ResponseHead::new(head.status);
            answer.headers = std::mem::take(&mut head.headers);
            return Ok(answer);
        }
    }
    Err(SendError::broken(&"interim answers without end"))
}

/// Returns whether the answer is of a server that speaks the protocol.
fn accepts(headers: &HeaderMap, key: &str) -> bool {
    let upgrade = headers.get(header::UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    upgrade && accept == Some(&ws::hash_key(key.as_bytes()))
}

/// Returns as much of a refusal's body as comes. An incomplete one is worth as much: the status counts.
async fn read_body(stream: &mut Stream, codec: ClientCodec, mut bytes: BytesMut) -> Bytes {
    let mut body = BytesMut::new();
    if matches!(codec.message_type(), MessageType::None) {
        return body.freeze();
    }
    let mut codec = codec.into_payload_codec();
    while body.len() <= REFUSAL_HELD {
        match codec.decode(&mut bytes) {
            Ok(Some(Some(piece))) => body.extend_from_slice(&piece),
            Ok(None) => match stream.read_buf(&mut bytes).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            },
            Ok(Some(None)) | Err(PayloadError::Incomplete(_)) | Err(_) => break,
        }
    }
    body.freeze()
}
