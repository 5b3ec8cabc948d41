//! Comments in the pauses of a stream (`server.streamPingMs`), so that no proxy on the way takes the
//! connection for dead. Clients pass over comments.
//!
//! A comment is one line, `: ping` and a single line end, and stands between two events only. A blank line behind it would
//! be an event without data to some clients.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::web::Bytes;
use futures_util::future::LocalBoxFuture;
use serde_json::Value;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::body::FailureShown;
use crate::dialect::openai::error_body::{ErrorBody, is_error};
use crate::error::{abort_error, error_event, upstream_said};
use crate::proxy::headers;
use crate::types::{FailureClass, WireFormat};

const PING: Bytes = Bytes::from_static(b": ping\n");

/// Returns the answer to a request for a stream. A late answer begins with comments, one each `every`: then the status
/// is a 200 already, and a failure becomes an event.
pub async fn with_pings(
    answer: impl Future<Output = HttpResponse> + 'static,
    every: Duration,
    format: WireFormat,
) -> HttpResponse {
    let mut answer: LocalBoxFuture<'static, HttpResponse> = Box::pin(answer);
    match timeout(every, &mut answer).await {
        Ok(answer) if headers::is_event_stream(answer.headers()) => {
            answer.map_body(|_, body| BoxBody::new(PingedBody::new(Source::Stream(body), every)))
        }
        Ok(answer) => answer,
        Err(_) => {
            let mut response = HttpResponse::Ok().body(PingedBody::new(Source::Awaited(answer, format), every));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
            headers::mark_stream(response.headers_mut());
            response
        }
    }
}

/// So many bytes tell whether a piece ends with a blank line.
const LONGEST_END: usize = 4;

/// A stream's body with comments in all pauses.
struct PingedBody {
    source: Source,
    every: Duration,
    /// Wakes at `ping_at` or earlier: after a wake-up the timer is set again, and not for each piece.
    timer: Pin<Box<Sleep>>,
    /// When the next comment is due.
    ping_at: Instant,
    /// The last bytes on the way to the client.
    tail: [u8; LONGEST_END],
}

enum Source {
    /// The answer is not there yet.
    Awaited(LocalBoxFuture<'static, HttpResponse>, WireFormat),
    Stream(BoxBody),
    /// No stream came, and an error event says so.
    Failed,
}

impl PingedBody {
    fn new(source: Source, every: Duration) -> PingedBody {
        // The client has waited for this answer already.
        let first = if matches!(source, Source::Awaited(..)) { Duration::ZERO } else { every };
        let ping_at = Instant::now() + first;
        // As if a blank line had been passed on: a comment may stand at the beginning.
        PingedBody { source, every, timer: Box::pin(sleep_until(ping_at)), ping_at, tail: *b"\n\n\n\n" }
    }

    /// Remembers the end of a piece.
    fn note(&mut self, bytes: &[u8]) {
        match bytes.last_chunk() {
            Some(tail) => self.tail = *tail,
            None => bytes.iter().for_each(|byte| {
                self.tail.rotate_left(1);
                let [.., last] = &mut self.tail;
                *last = *byte;
            }),
        }
    }

    /// Returns whether the next byte is the first one of an event. (Behind a CR an LF may be due.)
    fn between_events(&self) -> bool {
        self.tail.ends_with(b"\n\n") || self.tail.ends_with(b"\r\n\r\n")
    }

    /// Takes in the late answer: a stream to be read, or something else, to become an event.
    fn arrived(&mut self, answer: HttpResponse, format: WireFormat) -> Option<Bytes> {
        let (is_stream, status) = (headers::is_event_stream(answer.headers()), answer.status());
        let body = answer.into_body();
        if is_stream {
            self.source = Source::Stream(body);
            return None;
        }
        self.source = Source::Failed;
        Some(as_event(format, status, &body.try_into_bytes().unwrap_or_default()))
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Box<dyn std::error::Error>>>> {
        loop {
            match &mut self.source {
                Source::Awaited(answer, format) => {
                    let format = *format;
                    let answer = std::task::ready!(answer.as_mut().poll(cx));
                    if let Some(event) = self.arrived(answer, format) {
                        return Poll::Ready(Some(Ok(event)));
                    }
                }
                Source::Stream(body) => return Pin::new(body).poll_next(cx),
                Source::Failed => return Poll::Ready(Some(Err(FailureShown.into()))),
            }
        }
    }
}

/// Returns an answer other than a stream as an error event: the answer's own error, if an error stands where clients
/// look for one.
fn as_event(format: WireFormat, status: StatusCode, body: &[u8]) -> Bytes {
    let own = serde_json::from_slice::<Value>(body).ok().filter(|body| {
        let is_named = format != WireFormat::Anthropic || body.get("type").is_some_and(|kind| kind == "error");
        is_named && body.get("error").is_some_and(is_error)
    });
    let error = match own {
        Some(own) => own,
        // A whole answer in place of a stream.
        None if status.is_success() => abort_error(format, FailureClass::Protocol),
        None => match ErrorBody::from_error_response(body).message {
            message if message.is_empty() => upstream_said(format, status, "it gave no reason"),
            message => upstream_said(format, status, &message),
        },
    };
    // In one line, as an event's data is.
    error_event(format, &error)
}

impl MessageBody for PingedBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if let Poll::Ready(next) = this.poll_source(cx) {
            if let Some(Ok(bytes)) = &next {
                this.note(bytes);
                this.ping_at = Instant::now() + this.every;
            }
            return Poll::Ready(next);
        }
        loop {
            std::task::ready!(this.timer.as_mut().poll(cx));
            let is_due = this.timer.deadline() >= this.ping_at;
            if is_due {
                this.ping_at = Instant::now() + this.every;
            }
            this.timer.as_mut().reset(this.ping_at);
            if is_due && this.between_events() {
                return Poll::Ready(Some(Ok(PING)));
            }
        }
    }
}
