//! One exchange over HTTP/2: a stream of a connection.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_http::Payload;
use actix_http::header::{self, HeaderName};
use awc::ClientRequest;
use awc::error::{PayloadError, SendRequestError};
use awc::http::uri::{Authority, Parts, Scheme};
use awc::http::{StatusCode, Uri, Version};
use bytes::Bytes;
use futures_util::Stream;
use h2::{Reason, RecvStream, SendStream};

use super::slot::StreamSlot;
use crate::client::{IncomingHead, IncomingResponse};
use crate::error::begun_too_late;
use crate::trace::ExchangeTrace;

/// From this status on, an early response is all the upstream will send.
const FIRST_ERROR: u16 = 400;

/// How much room (bytes) is asked for at once: windows are counted in 31 bits.
const MAX_CAPACITY: usize = 1 << 30;

/// Sends a request, and waits for the head of the response.
///
/// # Errors
/// When no head came. The trace then knows whether the upstream had begun with the request.
///
/// # Cancel safety
/// Dropping the future resets the stream.
pub(super) async fn exchange(
    mut slot: StreamSlot,
    head: http::Request<()>,
    body: Bytes,
    trace: &ExchangeTrace,
) -> Result<IncomingResponse, SendRequestError> {
    if !trace.note_writing(slot.is_reused()) {
        return Err(SendRequestError::Send(begun_too_late()));
    }
    let (mut response, sender) =
        slot.open(head, body.is_empty(), trace).map_err(|error| failed(error, &slot, trace))?;
    let mut upload = Upload::new(sender, body, slot);
    let answered = poll_fn(|cx| {
        // The response first, as a response may come early.
        let answered = Pin::new(&mut response).poll(cx);
        if answered.is_pending() {
            upload.send(cx);
        }
        answered
    });
    let answered = answered.await;
    let (head, body) = answered.map_err(|error| failed(error, &upload.slot, trace))?.into_parts();
    trace.note_answered();
    upload.slot.note_answered();
    let came_early = !upload.slot.is_written();
    if head.status.as_u16() >= FIRST_ERROR {
        upload.stop();
    }
    let has_no_body = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let announced = head.headers.get(header::CONTENT_LENGTH).filter(|_| !has_no_body);
    let expected = announced.and_then(|length| length.to_str().ok()?.trim().parse().ok());
    let body = Http2Body { body, upload, came_early, expected, received: 0 };
    let head = IncomingHead::Http2(head.status, head.headers.into());
    Ok(IncomingResponse { head, body: Payload::Stream { payload: Box::pin(body) } })
}

/// Returns a request's head in the form of HTTP/2: without headers about a connection.
pub(super) fn head(
    request: &ClientRequest,
    authority: &Authority,
    length: usize,
) -> Result<http::Request<()>, http::Error> {
    let mut uri = Parts::default();
    uri.scheme = Some(Scheme::HTTPS);
    uri.authority = Some(authority.clone());
    uri.path_and_query = request.get_uri().path_and_query().cloned();
    let mut head = http::Request::new(());
    *head.method_mut() = request.get_method().clone();
    *head.version_mut() = Version::HTTP_2;
    *head.uri_mut() = Uri::from_parts(uri)?;
    for (name, value) in request.headers() {
        if !is_of_connection(name) {
            head.headers_mut().append(name.clone(), value.clone());
        }
    }
    if length > 0 {
        head.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    Ok(head)
}

fn is_of_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "expect"
            | "host"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Returns whether the upstream turned the request away, as busy upstreams do.
pub(super) fn is_too_busy<T>(response: &Result<T, SendRequestError>) -> bool {
    matches!(response, Err(SendRequestError::H2(error)) if error.reason() == Some(Reason::REFUSED_STREAM))
}

/// Returns why there is no response. Records in the trace what the error says of the request.
fn failed(error: h2::Error, slot: &StreamSlot, trace: &ExchangeTrace) -> SendRequestError {
    let refused = error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM);
    if error.is_remote() && (refused || wants_http1(&error)) {
        // A GOAWAY ends only the streams without any work done.
        trace.note_refused();
        if error.is_reset() {
            // A reset speaks of this stream alone, so the connection is sound.
            trace.note_answered();
        }
    } else if !ends_connection(&error) {
        // The reset was the response.
        trace.note_answered();
    } else if slot.was_alive() {
        trace.note_connection_lost(slot.mark_broken());
    }
    if error.is_io() {
        SendRequestError::Send(error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into()))
    } else {
        SendRequestError::H2(error)
    }
}

/// Returns whether the error ends the connection, and not this stream alone. A breach of the protocol does.
fn ends_connection(error: &h2::Error) -> bool {
    error.is_io() || error.is_go_away()
}

/// Returns whether the upstream wants this request in HTTP/1.1.
pub(super) fn wants_http1(error: &h2::Error) -> bool {
    error.is_remote() && error.reason() == Some(Reason::HTTP_1_1_REQUIRED)
}

/// Our side of a stream. Dropping it before the response's end resets the stream.
struct Upload {
    sender: SendStream<Bytes>,
    /// The part of the request's body not handed over yet.
    unsent: Bytes,
    slot: StreamSlot,
}

impl Upload {
    fn new(mut sender: SendStream<Bytes>, body: Bytes, slot: StreamSlot) -> Self {
        sender.reserve_capacity(body.len().min(MAX_CAPACITY));
        Upload { sender, unsent: body, slot }
    }

    /// Hands over as much as there is room for.
    fn send(&mut self, cx: &mut Context<'_>) {
        while !self.unsent.is_empty() {
            match self.sender.poll_capacity(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(room))) => {
                    let piece = self.unsent.split_to(room.min(self.unsent.len()));
                    if !piece.is_empty() && self.sender.send_data(piece, self.unsent.is_empty()).is_err() {
                        self.stop();
                    }
                    self.sender.reserve_capacity(self.unsent.len().min(MAX_CAPACITY));
                }
                // The stream was reset: the response tells why.
                Poll::Ready(Some(Err(_)) | None) => self.stop(),
            }
        }
    }

    fn stop(&mut self) {
        self.unsent.clear();
        // The reserved room is for others.
        self.sender.reserve_capacity(0);
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // The reset takes the place of all unwritten frames. An upstream must not see the reset of an unknown stream: so
        // without a written head, h2's own order holds, first the head and then the reset.
        let done = self.slot.has_ended() && self.slot.is_written();
        if !done && self.slot.is_head_written() {
            self.sender.send_reset(Reason::CANCEL);
        }
    }
}

struct Http2Body {
    body: RecvStream,
    upload: Upload,
    /// Did the response come before all of the request was written?
    came_early: bool,
    /// The announced length (bytes).
    expected: Option<u64>,
    received: u64,
}

impl Http2Body {
    /// Returns whether the body is complete in spite of the reset. After a complete response, such a reset only means that
    /// the upstream wants no more of the request.
    fn is_complete_after(&self, error: &h2::Error) -> bool {
        let complete = self.expected.is_none_or(|expected| self.received == expected);
        self.came_early && complete && error.is_reset() && error.reason() == Some(Reason::NO_ERROR)
    }
}

impl Stream for Http2Body {
    type Item = Result<Bytes, PayloadError>;

    /// (h2 itself reports a body of another length than announced.)
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        // After an early response without an error, the upload goes on.
        this.upload.send(cx);
        match ready!(this.body.poll_data(cx)) {
            Some(Ok(piece)) => {
                this.received += piece.len() as u64;
                // The client has room for as much again. This fails only for more than had come.
                let _ = this.body.flow_control().release_capacity(piece.len());
                Poll::Ready(Some(Ok(piece)))
            }
            Some(Err(error)) if !this.is_complete_after(&error) => {
                let lost = if ends_connection(&error) { this.upload.slot.mark_broken() } else { None };
                Poll::Ready(Some(Err(PayloadError::Io(lost.map_or_else(|| io::Error::other(error), io::Error::from)))))
            }
            Some(Err(_)) | None => {
                this.upload.slot.note_end();
                Poll::Ready(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_rt::Runtime;

    use super::*;

    #[test]
    fn headers_about_a_connection_are_not_sent_over_http2() {
        Runtime::new().expect("a runtime").block_on(async {
            let mut request = awc::Client::builder().no_default_headers().finish().post("http://u/v1/y?z");
            let ours = ["accept", "authorization", "content-type"];
            let theirs = ["connection", "expect", "host", "keep-alive", "proxy-connection", "te", "transfer-encoding"];
            for name in ours.iter().chain(&theirs) {
                request = request.insert_header((*name, "trailers"));
            }
            let head = head(&request, &Authority::from_static("x.example"), 5).expect("a head");
            let mut names: Vec<&str> = head.headers().keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, ["accept", "authorization", "content-length", "content-type"]);
            assert_eq!(head.uri(), "https://x.example/v1/y?z");
        });
    }
}
