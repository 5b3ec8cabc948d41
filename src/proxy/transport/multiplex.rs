//! One exchange over HTTP/2: a stream of a session.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Bytes;
use awc::ClientRequest;
use awc::error::{PayloadError, SendRequestError};
use awc::http::{StatusCode, Uri, Version};
use futures_util::Stream;
use h2::{Reason, RecvStream, SendStream};

use super::Incoming;
use super::fault::Fault;
use super::io::begun_too_late;
use super::session::Seat;
use super::wire::Wire;

/// From this status on, an answer that comes before the request was sent is all that will come.
const FIRST_ERROR: u16 = 400;

/// How much room is asked for at once: windows are counted in 31 bits.
const MOST_WANTED: usize = 1 << 30;

/// Asks, and waits for the head of the answer.
///
/// # Errors
/// When none came. The wire knows whether the upstream had begun with it.
///
/// # Cancel safety
/// Dropping it resets the stream.
pub(super) async fn exchange(
    mut seat: Seat,
    request: &ClientRequest,
    body: Bytes,
    wire: &Wire,
) -> Result<Incoming, SendRequestError> {
    let head = head(request, body.len())?;
    if !wire.writing(seat.is_reused()) {
        return Err(SendRequestError::Send(begun_too_late()));
    }
    let (mut answer, sender) = seat.open(head, body.is_empty(), wire).map_err(|error| failed(error, &seat, wire))?;
    let mut call = Call::new(sender, body, seat);
    let answered = poll_fn(|cx| {
        // The answer first: it may come early.
        let answered = Pin::new(&mut answer).poll(cx);
        if answered.is_pending() {
            call.upload(cx);
        }
        answered
    });
    let answered = answered.await;
    let (head, body) = answered.map_err(|error| failed(error, &call.seat, wire))?.into_parts();
    wire.answered();
    call.seat.answered();
    let early = !call.seat.is_written();
    if head.status.as_u16() >= FIRST_ERROR {
        call.send_no_more();
    }
    let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let announced = head.headers.get(header::CONTENT_LENGTH).filter(|_| !bodiless);
    let expected = announced.and_then(|length| length.to_str().ok()?.trim().parse().ok());
    let body = Body { body, call, early, expected, came: 0 };
    Ok(Incoming::over_http2(head.status, head.headers.into(), Payload::Stream { payload: Box::pin(body) }))
}

/// A request's head as HTTP/2 has it: without what is about a connection.
fn head(request: &ClientRequest, length: usize) -> Result<http::Request<()>, SendRequestError> {
    let mut head = http::Request::new(());
    *head.method_mut() = request.get_method().clone();
    *head.version_mut() = Version::HTTP_2;
    *head.uri_mut() = https(request.get_uri()).map_err(SendRequestError::Http)?;
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

/// The endpoint's URL names the port of TLS, and `http`: the transport lays TLS itself.
fn https(uri: &Uri) -> Result<Uri, http::Error> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let authority = authority.strip_suffix(":443").unwrap_or(authority);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Uri::builder().scheme("https").authority(authority).path_and_query(path).build()
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

/// Was the request turned away, as those do who are too busy?
pub(super) fn is_too_busy<T>(answer: &Result<T, SendRequestError>) -> bool {
    matches!(answer, Err(SendRequestError::H2(error)) if error.reason() == Some(Reason::REFUSED_STREAM))
}

/// Why there is no answer; the wire learns what that says of the request.
fn failed(error: h2::Error, seat: &Seat, wire: &Wire) -> SendRequestError {
    let refused = error.is_go_away() || matches!(error.reason(), Some(Reason::REFUSED_STREAM));
    if error.is_remote() && (refused || wants_http1(&error)) {
        // A GOAWAY ends only the streams that the other side has not begun with.
        wire.refused();
        if error.is_reset() {
            // It speaks of this one: then its connection is sound.
            wire.answered();
        }
    } else if !ends_connection(&error) {
        // That was the answer.
        wire.answered();
    } else if seat.was_alive() {
        wire.shared_end(seat.break_off());
    }
    match error.is_io() {
        true => SendRequestError::Send(error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())),
        false => SendRequestError::H2(error),
    }
}

/// Does it end the connection, and not this stream alone? What breaks the protocol does.
fn ends_connection(error: &h2::Error) -> bool {
    error.is_io() || error.is_go_away()
}

/// Does the upstream say that it serves this in HTTP/1.1 only?
pub(super) fn wants_http1(error: &h2::Error) -> bool {
    error.is_remote() && error.reason() == Some(Reason::HTTP_1_1_REQUIRED)
}

/// Our side of a stream. Dropping it before the answer's end resets the stream.
struct Call {
    sender: SendStream<Bytes>,
    /// What of the request's body has not been handed over.
    rest: Bytes,
    seat: Seat,
}

impl Call {
    fn new(mut sender: SendStream<Bytes>, rest: Bytes, seat: Seat) -> Self {
        sender.reserve_capacity(rest.len().min(MOST_WANTED));
        Call { sender, rest, seat }
    }

    /// Hands over as much as there is room for.
    fn upload(&mut self, cx: &mut Context<'_>) {
        while !self.rest.is_empty() {
            match self.sender.poll_capacity(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(room))) => {
                    let piece = self.rest.split_to(room.min(self.rest.len()));
                    if !piece.is_empty() && self.sender.send_data(piece, self.rest.is_empty()).is_err() {
                        self.send_no_more();
                    }
                    self.sender.reserve_capacity(self.rest.len().min(MOST_WANTED));
                }
                // The stream was reset: the answer tells why.
                Poll::Ready(Some(Err(_)) | None) => self.send_no_more(),
            }
        }
    }

    fn send_no_more(&mut self) {
        self.rest.clear();
        // What was set aside for it is for others.
        self.sender.reserve_capacity(0);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // At once, in place of what waits to be written. (Of a stream that the upstream has not heard of, it must not hear
        // that it is reset: that one is written, and then reset.)
        let done = self.seat.has_ended() && self.seat.is_written();
        if !done && self.seat.is_headed() {
            self.sender.send_reset(Reason::CANCEL);
        }
    }
}

/// The body of an answer.
struct Body {
    body: RecvStream,
    call: Call,
    /// Was something of the request left to be written when the answer came?
    early: bool,
    expected: Option<u64>,
    came: u64,
}

impl Body {
    /// The stream was reset. Who has answered and wants no more of the request says so in this way, behind a whole answer.
    fn is_whole_after(&self, error: &h2::Error) -> bool {
        let complete = self.expected.is_none_or(|expected| self.came == expected);
        self.early && complete && error.is_reset() && error.reason() == Some(Reason::NO_ERROR)
    }
}

impl Stream for Body {
    type Item = Result<Bytes, PayloadError>;

    /// (A length that is not kept to is an error of h2's.)
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        // Goes on where the answer came early, and is no error.
        this.call.upload(cx);
        match ready!(this.body.poll_data(cx)) {
            Some(Ok(piece)) => {
                this.came += piece.len() as u64;
                // It is taken: there is room for as much again. (That fails only for more than had come.)
                let _ = this.body.flow_control().release_capacity(piece.len());
                Poll::Ready(Some(Ok(piece)))
            }
            Some(Err(error)) if !this.is_whole_after(&error) => {
                let shared = if ends_connection(&error) { this.call.seat.break_off() } else { None };
                let error = shared.map_or_else(|| io::Error::other(error), |lost| Fault::SharedEnd(lost).into());
                Poll::Ready(Some(Err(PayloadError::Io(error))))
            }
            Some(Err(_)) | None => {
                this.call.seat.end();
                Poll::Ready(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::rt::Runtime;

    use super::*;

    #[test]
    fn what_is_about_a_connection_does_not_go_up() {
        Runtime::new().expect("a runtime").block_on(async {
            let mut request = awc::Client::builder().no_default_headers().finish().post("http://x.example:443/v1/y?z");
            let ours = ["accept", "authorization", "content-type"];
            let theirs = ["connection", "expect", "host", "keep-alive", "proxy-connection", "te", "transfer-encoding"];
            for name in ours.iter().chain(&theirs) {
                request = request.insert_header((*name, "trailers"));
            }
            let head = head(&request, 5).expect("a head");
            let mut names: Vec<&str> = head.headers().keys().map(HeaderName::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, ["accept", "authorization", "content-length", "content-type"]);
            assert_eq!(head.uri(), "https://x.example/v1/y?z");
        });
    }
}
