//! Every answer's body, on its way out: it holds what its request took until the last byte is written, and ends when the
//! server does.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::web::Bytes;

use super::catch_panic::{Panicked, step};
use super::concurrency::RequestSlot;
use super::shutdown::LocalShutdown;
use super::socket::InFlight;
use crate::error::ApiError;
use crate::proxy::FailureTold;

/// What a request has taken, to be given back after its answer.
pub(super) struct RequestGuards {
    /// Of the requests that may be served at the same time; one that is refused, or asks for the health, takes none.
    pub(super) admitted: Option<RequestSlot>,
    /// Of its connection.
    pub(super) open: Option<InFlight>,
}

/// Resolves when the server ends.
type Over = Pin<Box<dyn Future<Output = ()>>>;

/// A body that is passed on.
pub(super) struct ResponseBody {
    body: BoxBody,
    /// Resolves when it is to end before its end. A body that is there already is written out all the same.
    over: Option<Over>,
    events: bool,
    taken: RequestGuards,
}

impl ResponseBody {
    pub(super) fn new(
        headers: &HeaderMap,
        body: impl MessageBody + 'static,
        ending: &LocalShutdown,
        taken: RequestGuards,
    ) -> Self {
        let (body, over) = match body.try_into_bytes() {
            Ok(bytes) => (BoxBody::new(bytes), None),
            Err(body) => (BoxBody::new(body), Some(Box::pin(ending.clone().over()) as Over)),
        };
        let events = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        ResponseBody { body, over, events, taken }
    }

    /// Ends it before its end: a stream says why, and its connection ends; of another body, a part must not be taken for the whole.
    fn end(&mut self, why: ApiError) -> Result<Bytes, Box<dyn std::error::Error>> {
        self.over = None;
        // Drops the rest: its upstream is let go, and its account closed.
        self.body = BoxBody::new(());
        if !self.events {
            return Err(why.into());
        }
        self.close_after();
        Ok(why.event())
    }

    fn close_after(&self) {
        if let Some(open) = &self.taken.open {
            open.close_after();
        }
    }
}

impl MessageBody for ResponseBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if this.over.as_mut().is_some_and(|over| over.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Some(this.end(ApiError::Stopping)));
        }
        match step(|| Pin::new(&mut this.body).poll_next(cx)) {
            Ok(Poll::Ready(Some(Err(error)))) if error.is::<FailureTold>() => {
                this.close_after();
                Poll::Ready(None)
            }
            Ok(next) => next,
            Err(Panicked) => Poll::Ready(Some(this.end(ApiError::Internal))),
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

    /// A body with a defect.
    struct Defect;

    impl MessageBody for Defect {
        type Error = Box<dyn std::error::Error>;

        fn size(&self) -> BodySize {
            BodySize::Stream
        }

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
            panic!("a defect, on purpose");
        }
    }

    #[test]
    fn a_panic_in_a_body_ends_it_as_a_failure() {
        System::new().block_on(async {
            let end = ShutdownHandle::default();
            end.reached(ShutdownPhase::Serving);
            let ending = LocalShutdown::follow(end.watch());
            let mut stream = HeaderMap::new();
            stream.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            for (headers, told) in [(stream, true), (HeaderMap::new(), false)] {
                let connection = ConnectionState::of(None);
                let taken = RequestGuards { admitted: None, open: Some(connection.open()) };
                let mut served = ResponseBody::new(&headers, Defect, &ending, taken);
                let first = poll_fn(|cx| Pin::new(&mut served).poll_next(cx)).await.expect("not a mere end");
                match first {
                    Ok(event) => assert!(told && event.starts_with(b"data: {\"error\""), "{event:?}"),
                    Err(_) => assert!(!told),
                }
                assert!(poll_fn(|cx| Pin::new(&mut served).poll_next(cx)).await.is_none(), "and that is all");
                drop(served);
                assert_eq!(connection.ends(), told, "behind an error that was told");
            }
        });
    }
}
