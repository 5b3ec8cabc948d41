//! One attempt with one upstream, up to the commit point: from the permit to an [`Answer`] that the client may see, or
//! to a [`Failed`] that it need not.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use awc::error::PayloadError;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::arrival::Arrival;
use super::request::ClientRequest;
use super::stream::EventStream;
use super::transport::{Clients, ConnectionLost, Incoming, Wire, connection_lost};
use super::{classify, headers};
use crate::types::{ClassSet, Failure, FailureClass, Outcome, Phase, Usage};
use crate::upstream::Permit;

/// An answer that the client is to see.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// What has come already.
    pub(super) held: VecDeque<Bytes>,
    /// What is still to come.
    pub(super) rest: Option<Source>,
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

/// A failure, and what the upstream said of it, in case the client is to see that.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) response: Option<Box<(StatusCode, HeaderMap, Bytes)>>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Failed { failure, response: None }
    }
}

/// The body of an upstream's response, with its deadlines.
pub(super) struct Source {
    pub(super) payload: Payload,
    pub(super) idle: Duration,
    pub(super) deadline: Instant,
}

impl Source {
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
    with_connection(failure, connection_lost(error))
}

/// Marks the failure of an attempt whose connection broke with others on it, if it did.
fn with_connection(failure: Failure, lost: Option<ConnectionLost>) -> Failure {
    match lost {
        None => failure,
        Some(ConnectionLost::First) => Failure { connection_lost: true, ..failure },
        Some(ConnectionLost::AlreadyCounted) => Failure { connection_lost: true, counted: false, ..failure },
    }
}

/// A body whose next piece did not come in time.
pub(super) fn stalled() -> Failure {
    Failure::new(FailureClass::Timeout, Phase::Body, "nothing more came in time")
}

/// Makes one attempt. `retry_on`: failures that the client need not see.
///
/// # Errors
/// With the failure, if the client has nothing to see of it yet: another upstream may be asked.
///
/// # Cancel safety
/// Dropping it closes the connection to the upstream, or resets the stream; the permit's account is closed by its owner.
pub(super) async fn attempt(
    clients: &Clients,
    permit: &Permit,
    request: &ClientRequest,
    retry_on: ClassSet,
) -> Result<Answer, Failed> {
    let (endpoint, operation) = (permit.endpoint(), request.profile.operation);
    let timeouts = &endpoint.timeouts;
    let started = Instant::now();
    let deadline = started + if request.stream { timeouts.stream_total } else { timeouts.total };
    // A stream's head comes early; another answer's when it is finished.
    let first = if request.stream { deadline.min(started + timeouts.first_token) } else { deadline };

    let body = request.body_for(endpoint.upstream_model(&request.profile.model).map(|own| &**own), permit.ask_usage);
    let reach = clients.get(endpoint);
    let outgoing = headers::upward(reach.post(operation), &request.headers);
    let wire = Wire::new(permit.stamp.clone());
    let sent = timeout_at(first, reach.send(outgoing, body, &wire))
        .await
        .map_err(|_| Failure::new(FailureClass::Timeout, Phase::Head, "no answer in time"))?;
    let Incoming { head, payload } = sent.map_err(|error| {
        let stale = wire.was_stale();
        if stale && !wire.was_refused() {
            clients.forget(endpoint, &reach);
        }
        let failure = classify::send_error(&error, stale);
        with_connection(failure, wire.connection_lost())
    })?;

    let source = Source { payload, idle: timeouts.idle, deadline: first };
    let arrival = Arrival { status: head.status(), headers: head.headers(), source, permit, request, retry_on };
    let mut answer = arrival.judge().await?;
    if let Some(rest) = &mut answer.rest {
        rest.deadline = deadline;
    }
    Ok(answer)
}
