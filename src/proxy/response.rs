//! What an attempt comes to: an answer that the client may see, or a failure that it need not.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};
use transport::connection_lost;

use super::attempt::shared;
use crate::dialect::EventStream;
use crate::dialect::large_answer::LargeAnswer;
use crate::types::{Failure, FailureClass, Outcome, Phase, Usage};

/// An answer that the client is to see: no other upstream is asked any more.
pub(super) struct CommittedResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What of the body has come already.
    pub(super) buffered: VecDeque<Bytes>,
    /// What is still to come.
    pub(super) body: Option<UpstreamBody>,
    /// Its length in bytes, if that is known.
    pub(super) length: Option<u64>,
    pub(super) reader: BodyReader,
    /// What it cost, if the body does not tell.
    pub(super) usage: Option<Usage>,
    /// How the attempt ends if the rest comes through.
    pub(super) outcome: Outcome,
    pub(super) first_token: Duration,
    /// How long the upstream says that its quota is exhausted.
    pub(super) quota_exhausted_for: Option<Duration>,
}

/// Who reads a body on its way to the client.
pub(super) enum BodyReader {
    /// Nobody: it is passed on as it comes.
    Opaque,
    /// A stream of events.
    Events(Box<EventStream>),
    /// JSON that is too large to be held.
    Large(LargeAnswer),
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

/// The body of an upstream's response, with its deadlines.
pub(super) struct UpstreamBody {
    payload: Payload,
    /// What was looked at before its turn.
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
        if !self.unread.is_empty() || self.has_ended {
            return Ok(Some(std::mem::take(&mut self.unread)).filter(|unread| !unread.is_empty()));
        }
        // A piece that is there already needs no clock.
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

    /// Reads on until the end, or until more than `most` bytes have come. Returns whether that was the end, too.
    pub(super) async fn collect(&mut self, most: usize) -> Result<(Bytes, bool), Failure> {
        let Some(first) = self.next().await? else { return Ok((Bytes::new(), true)) };
        let mut all: Vec<u8> = Vec::new();
        if first.len() <= most {
            let Some(second) = self.next().await? else { return Ok((first, true)) };
            all.extend_from_slice(&first);
            all.extend_from_slice(&second);
        } else {
            return Ok((first, false));
        }
        while all.len() <= most {
            let Some(chunk) = self.next().await? else { return Ok((all.into(), true)) };
            all.extend_from_slice(&chunk);
        }
        Ok((all.into(), false))
    }

    /// Puts bytes back: they come next.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// Returns what is left of the body, without its deadlines.
    pub(super) fn payload(&mut self) -> &mut Payload {
        &mut self.payload
    }
}

/// Returns the failure of a body that broke off.
pub(super) fn cut(error: &PayloadError) -> Failure {
    let failure = Failure::new(FailureClass::Protocol, Phase::Body, format!("the answer was cut short ({error})"));
    shared(failure, connection_lost(error))
}

/// Returns the failure of a body whose next piece did not come in time.
pub(super) fn stalled() -> Failure {
    Failure::new(FailureClass::Timeout, Phase::Body, "nothing more came in time")
}
