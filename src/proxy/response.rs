//! A response of an upstream: its body with its deadlines, and what the client is to see of it.

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
use super::stream::EventStream;
use crate::types::{Failure, FailureClass, Outcome, Phase, Usage};

/// An answer that the client is to see.
pub(super) struct CommittedResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What has come already.
    pub(super) held: VecDeque<Bytes>,
    /// What is still to come.
    pub(super) rest: Option<ResponseSource>,
    /// Its length in bytes, if that is known.
    pub(super) length: Option<u64>,
    /// The events, if it is a stream of them.
    pub(super) events: Option<EventStream>,
    /// What it cost, if it is none.
    pub(super) usage: Option<Usage>,
    /// How the attempt ends if the rest comes through.
    pub(super) outcome: Outcome,
    pub(super) first_token: Duration,
    /// How long the upstream says that it has nothing left.
    pub(super) closed_for: Option<Duration>,
}

/// The body of an upstream's response, with its deadlines.
pub(super) struct ResponseSource {
    pub(super) payload: Payload,
    pub(super) idle: Duration,
    pub(super) deadline: Instant,
}

impl ResponseSource {
    /// The next piece, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        // What is there already needs no clock.
        let next = match self.payload.next().now_or_never() {
            Some(next) => next,
            None => {
                let until = self.deadline.min(Instant::now() + self.idle);
                timeout_at(until, self.payload.next()).await.map_err(|_| stalled())?
            }
        };
        next.transpose().map_err(|error| cut(&error))
    }

    /// Reads on until the end, or until more than `most` bytes have come. Says whether that was the end.
    pub(super) async fn collect(&mut self, most: usize) -> Result<(Bytes, bool), Failure> {
        let mut all: Vec<u8> = Vec::new();
        while let Some(chunk) = self.next().await? {
            all.extend_from_slice(&chunk);
            if all.len() > most {
                return Ok((all.into(), false));
            }
        }
        Ok((all.into(), true))
    }
}

/// A body that broke off.
pub(super) fn cut(error: &PayloadError) -> Failure {
    let failure = Failure::new(FailureClass::Protocol, Phase::Body, format!("the answer was cut short ({error})"));
    shared(failure, connection_lost(error))
}

/// A body whose next piece did not come in time.
pub(super) fn stalled() -> Failure {
    Failure::new(FailureClass::Timeout, Phase::Body, "nothing more came in time")
}
