//! The result of an attempt: an answer for the client, or a failure for the retry loop.

pub(super) mod body;
pub(super) mod made_objects;
pub(super) mod settle;
pub(super) mod sse_keepalive;

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, timeout_at};
use transport::{ConnectionLost, connection_lost};

use crate::dialect::EventStream;
use crate::dialect::first_bytes::without_byte_order_mark;
use crate::dialect::large_answer::LargeAnswer;
use crate::types::{Failure, FailureClass, ObjectKey, Outcome, Phase, Usage};

/// An answer for the client: no other upstream is asked any more. Boxed, as many layers pass it on.
pub(super) struct CommittedResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What of the body has come already.
    pub(super) buffered: VecDeque<Bytes>,
    /// What is still to come.
    pub(super) body: Option<UpstreamBody>,
    /// The length of the body in bytes, if known.
    pub(super) length: Option<u64>,
    pub(super) reader: BodyReader,
    /// The objects of an answer that is there as a whole.
    pub(super) made: Vec<ObjectKey>,
    /// The tokens, if the rest of the body does not report any.
    pub(super) usage: Option<Usage>,
    /// How the attempt ends if the rest comes through.
    pub(super) outcome: Outcome,
    pub(super) first_token: Duration,
    /// How long the upstream's quota is exhausted, by its headers.
    pub(super) quota_exhausted_for: Option<Duration>,
}

/// The reader of a body on its way to the client.
pub(super) enum BodyReader {
    /// None: all bytes are passed on at once.
    Opaque,
    /// A stream of events.
    Events(Box<EventStream>),
    /// JSON beyond the bound of memory.
    Large(Box<LargeAnswer>),
}

impl BodyReader {
    /// Returns the events, if the body has any.
    pub(super) fn events(&self) -> Option<&EventStream> {
        match self {
            BodyReader::Events(events) => Some(events),
            BodyReader::Opaque | BodyReader::Large(_) => None,
        }
    }
}

/// The body of an upstream's response, with deadlines.
pub(super) struct UpstreamBody {
    payload: Payload,
    /// Bytes to be read again.
    unread: Bytes,
    has_ended: bool,
    pub(super) idle: Duration,
    pub(super) deadline: Instant,
}

impl UpstreamBody {
    pub(super) fn new(payload: Payload, idle: Duration, deadline: Instant) -> Self {
        UpstreamBody { payload, unread: Bytes::new(), has_ended: false, idle, deadline }
    }

    /// Returns the next piece, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        if self.has_nothing_to_wait_for() {
            return Ok(self.take_unread());
        }
        // A present piece needs no clock.
        let next = match self.payload.next().now_or_never() {
            Some(next) => next,
            None => {
                let until = self.deadline.min(Instant::now() + self.idle);
                timeout_at(until, self.payload.next()).await.map_err(|_| stalled())?
            }
        };
        self.has_ended = next.is_none();
        next.transpose().map_err(|error| cut(&error))
    }

    fn has_nothing_to_wait_for(&self) -> bool {
        self.has_ended || !self.unread.is_empty()
    }

    fn take_unread(&mut self) -> Option<Bytes> {
        Some(std::mem::take(&mut self.unread)).filter(|unread| !unread.is_empty())
    }

    /// Reads on until the end, or until more than `most` bytes have come. Returns also whether the end has come.
    pub(super) async fn collect(&mut self, most: usize) -> Result<(Bytes, bool), Failure> {
        let first = self.next().await?.unwrap_or_default();
        let mut all: Vec<u8> = Vec::new();
        let is_end = loop {
            if all.len().max(first.len()) > most {
                break false;
            }
            let Some(chunk) = self.next().await? else { break true };
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&chunk);
        };
        Ok((if all.is_empty() { first } else { all.into() }, is_end))
    }

    /// Returns whether bytes that were put back begin with this one. White space does not count.
    pub(super) fn begins_with(&self, byte: u8) -> bool {
        without_byte_order_mark(&self.unread).trim_ascii_start().first() == Some(&byte)
    }

    /// Puts bytes back, to be read next.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// Polls for the next piece, without deadlines. After the end a payload must not be polled again: the connection may serve
    /// another request by now.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, PayloadError>>> {
        if self.has_nothing_to_wait_for() {
            return Poll::Ready(self.take_unread().map(Ok));
        }
        let next = std::task::ready!(Pin::new(&mut self.payload).poll_next(cx));
        self.has_ended = next.is_none();
        Poll::Ready(next)
    }
}

/// Returns the failure of a broken body.
pub(super) fn cut(error: &PayloadError) -> Failure {
    let failure = Failure::new(FailureClass::Protocol, Phase::Body, format!("the answer was cut short ({error})"));
    with_connection_loss(failure, connection_lost(error))
}

/// Returns the failure of a body without a next piece in time.
pub(super) fn stalled() -> Failure {
    Failure::new(FailureClass::Timeout, Phase::Body, "nothing more came in time")
}

/// Adds the loss of a shared connection. If a connection breaks under many requests, the first failure counts, and no other.
pub(super) fn with_connection_loss(failure: Failure, lost: Option<ConnectionLost>) -> Failure {
    match lost {
        None => failure,
        Some(ConnectionLost::First) => Failure { connection_lost: true, ..failure },
        Some(ConnectionLost::AlreadyCounted) => Failure { connection_lost: true, counted: false, ..failure },
    }
}
