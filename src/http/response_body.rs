//! The body of every response, on the way out.
//!
//! 1. What the request took is given back when the last byte is written, or when the body is dropped.
//! 2. A body still being made when the server ends is cut: a stream gets an error event, and the connection
//!    closes. Of any other body, a part must not pass for the whole, so the connection breaks. A complete body is
//!    written out.
//! 3. A panic while the body is made has the same end.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::web::Bytes;

use super::catch_panic::{Panicked, catch_panic_in};
use super::concurrency::RequestSlot;
use super::shutdown::{LocalShutdown, ShutdownWatch};
use super::socket::InFlight;
use crate::error::ApiError;
use crate::proxy::FailureShown;
use crate::types::WireFormat;

/// What a request has taken. The drop after the response gives all back.
pub(super) struct RequestGuards {
    /// One of the requests served at the same time. A refused request has none, nor has one for `/health`.
    #[expect(dead_code, reason = "its drop gives it back")]
    pub(super) slot: Option<RequestSlot>,
    /// On the connection.
    pub(super) in_flight: Option<InFlight>,
}

/// A body on the way to the client.
pub(super) struct GuardedBody {
    body: BoxBody,
    /// `None` if the body is complete already.
    shutdown: Option<ShutdownWatch>,
    is_stream: bool,
    /// The client's, for an error at the end.
    format: WireFormat,
    /// A WebSocket ends by itself when the server does, and the connection ends with it.
    is_socket: bool,
    guards: RequestGuards,
}

impl GuardedBody {
    pub(super) fn new(headers: &HeaderMap, body: BoxBody, shutdown: LocalShutdown, guards: RequestGuards) -> Self {
        let (body, shutdown) = match body.try_into_bytes() {
            Ok(bytes) => (BoxBody::new(bytes), None),
            Err(body) => (body, Some(ShutdownWatch::new(shutdown))),
        };
        let kind = headers.get(CONTENT_TYPE);
        let is_stream = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        GuardedBody { body, shutdown, is_stream, is_socket: false, format: WireFormat::OpenAi, guards }
    }

    /// Takes the body for a WebSocket, if it is one.
    pub(super) fn of_socket(self, is_socket: bool) -> Self {
        if is_socket { GuardedBody { is_socket, shutdown: None, ..self } } else { self }
    }

    /// Lets the body end with an error in this format, if with one.
    pub(super) fn in_format(self, format: WireFormat) -> Self {
        GuardedBody { format, ..self }
    }

    /// Ends the body early. The rest is dropped, which stops the upstream and settles the permit.
    fn cut(&mut self, why: ApiError) -> Result<Bytes, Box<dyn std::error::Error>> {
        self.shutdown = None;
        self.body = BoxBody::new(());
        if !self.is_stream {
            return Err(why.into());
        }
        self.close_connection();
        Ok(why.event(self.format))
    }

    fn close_connection(&self) {
        if let Some(in_flight) = &self.guards.in_flight {
            in_flight.close_after();
        }
    }
}

impl MessageBody for GuardedBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.shutdown.as_ref().is_some_and(ShutdownWatch::is_over) {
            return Poll::Ready(Some(this.cut(ApiError::Stopping)));
        }
        match catch_panic_in(|| Pin::new(&mut this.body).poll_next(cx)) {
            Ok(Poll::Pending) => {
                if let Some(shutdown) = &mut this.shutdown {
                    shutdown.wake_when_over(cx);
                }
                Poll::Pending
            }
            Ok(Poll::Ready(Some(Err(error)))) if error.is::<FailureShown>() => {
                this.close_connection();
                Poll::Ready(None)
            }
            Ok(Poll::Ready(None)) if this.is_socket => {
                this.close_connection();
                Poll::Ready(None)
            }
            Ok(ready) => ready,
            Err(Panicked) => Poll::Ready(Some(this.cut(ApiError::Internal))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use actix_web::http::header::HeaderValue;
    use actix_web::rt::System;

    use super::*;
    use crate::http::socket::ConnectionState;
    use crate::http::{ShutdownHandle, ShutdownPhase};

    /// A body that waits for ever, or panics.
    enum Odd {
        Silent,
        Defect,
    }

    impl MessageBody for Odd {
        type Error = Box<dyn std::error::Error>;

        fn size(&self) -> BodySize {
            BodySize::Stream
        }

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
            match *self {
                Odd::Silent => Poll::Pending,
                Odd::Defect => panic!("a defect, on purpose"),
            }
        }
    }

    #[test]
    fn a_panic_and_the_end_of_the_server_end_a_body_as_a_failure() {
        System::new().block_on(async {
            let [openai, anthropic, gemini] = WireFormat::ALL;
            for (odd, is_stream, format) in [
                (Odd::Defect, true, openai),
                (Odd::Defect, false, openai),
                (Odd::Silent, true, openai),
                (Odd::Silent, false, openai),
                (Odd::Silent, true, anthropic),
                (Odd::Silent, true, gemini),
            ] {
                let wanted: &[u8] = match format {
                    WireFormat::OpenAi | WireFormat::Gemini => b"data: {\"error\"",
                    WireFormat::Anthropic => b"event: error\ndata: {",
                };
                let handle = ShutdownHandle::default();
                let shutdown = LocalShutdown::follow(handle.watch());
                let connection = ConnectionState::of(None);
                let guards = RequestGuards { slot: None, in_flight: Some(connection.open()) };
                let mut headers = HeaderMap::new();
                if is_stream {
                    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
                }
                let body = GuardedBody::new(&headers, BoxBody::new(odd), shutdown, guards);
                let mut body = body.in_format(format);
                actix_web::rt::spawn(async move {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    handle.reached(ShutdownPhase::Over);
                });
                match poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await.expect("not a mere end") {
                    Ok(event) => assert!(is_stream && event.starts_with(wanted), "{event:?}"),
                    Err(_) => assert!(!is_stream),
                }
                assert!(poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await.is_none(), "and that is all");
                drop(body);
                assert_eq!(connection.ends(), is_stream, "a connection closes behind an error event");
            }
        });
    }
}
