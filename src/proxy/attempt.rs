//! One attempt with one upstream, from the permit to the commit point.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use tokio::time::{Instant, timeout_at};
use transport::{ConnectionLost, IncomingResponse, SendError, SendErrorKind};

use super::client_request::ClientRequest;
use super::commit::UpstreamResponse;
use super::dispatch::Upstreams;
use super::headers::Header;
use super::response::{CommittedResponse, UpstreamBody};
use crate::types::{ClassSet, Failure, FailureClass, Phase, SentAt, Usage};
use crate::upstream::Permit;

/// A request as it goes to one upstream.
pub struct OutgoingRequest<'a> {
    pub(super) path: &'static str,
    pub(super) headers: &'a [Header],
    pub(super) body: Bytes,
    pub(super) sent_at: &'a SentAt,
}

/// A failed attempt, of which the client has seen nothing.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) failure: Failure,
    /// What the client gets if no other upstream serves the request: the upstream's own error.
    pub(super) response: Option<Box<ErrorResponse>>,
    /// The upstream had been asked in a wrong way.
    pub(super) replay: Option<Replay>,
    /// The tokens of the failed attempt, if known.
    pub(super) usage: Option<Usage>,
}

/// A response that stands by in case nobody serves the request.
#[derive(Debug)]
pub(super) struct ErrorResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// In which way the same upstream may be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replay {
    /// As before: the connection had been closed before the request arrived.
    Same,
    /// As before, once: a connection broke that other requests were on, too.
    AfterLostConnection,
    /// With the client's own bytes: the upstream may not know the `stream_options` that we had added.
    WithoutStreamOptions,
}

impl From<Failure> for AttemptError {
    fn from(failure: Failure) -> Self {
        let replay = match failure.class {
            FailureClass::StaleConnection => Some(Replay::Same),
            _ if failure.connection_lost => Some(Replay::AfterLostConnection),
            _ => None,
        };
        AttemptError { failure, response: None, replay, usage: None }
    }
}

impl AttemptError {
    /// Creates the error of an attempt whose response stands by in case nobody serves the request.
    pub(super) fn with_response(failure: Failure, response: Box<CommittedResponse>) -> Self {
        let body = response.buffered.into_iter().next().unwrap_or_default();
        let response = ErrorResponse { status: response.status, headers: response.headers, body };
        AttemptError { response: Some(Box::new(response)), ..AttemptError::from(failure) }
    }

    /// Returns whether a success stands by: an answer in another form than the one that was asked for.
    pub(super) fn has_answer(&self) -> bool {
        self.response.as_ref().is_some_and(|response| response.status.is_success())
    }
}

/// Makes one attempt. `retry_on`: failures that the client need not see.
///
/// # Errors
/// With the failure, if the client has seen nothing yet: another upstream may be asked.
///
/// # Cancel safety
/// Dropping the future closes the connection to the upstream, or resets the stream. The permit is settled by its owner.
pub(super) async fn run(
    upstreams: &impl Upstreams,
    permit: &Permit,
    request: &ClientRequest,
    retry_on: ClassSet,
) -> Result<Box<CommittedResponse>, AttemptError> {
    let endpoint = permit.endpoint();
    let timeouts = &endpoint.timeouts;
    let started = Instant::now();
    let deadline = started + if request.stream { timeouts.stream_total } else { timeouts.total };
    // A stream's head comes early; another answer's when the answer is finished.
    let first = if request.stream { deadline.min(started + timeouts.first_token) } else { deadline };

    let upstream_model = endpoint.upstream_model(&request.profile.model).map(|own| &**own);
    let outgoing = OutgoingRequest {
        path: request.route.id.path(),
        headers: &request.headers,
        body: request.body_for(upstream_model, permit.ask_usage),
        sent_at: &permit.stamp,
    };
    let IncomingResponse { head, body } = timeout_at(first, upstreams.send(endpoint, outgoing))
        .await
        .map_err(|_| Failure::new(FailureClass::Timeout, Phase::Head, "no answer in time"))?
        .map_err(failure_of)?;

    let response = UpstreamResponse {
        status: head.status(),
        headers: head.headers(),
        body: UpstreamBody::new(body, timeouts.idle, first),
        permit,
        request,
        retry_on,
    };
    let mut response = response.until_commit_point().await?;
    if let Some(body) = &mut response.body {
        body.deadline = deadline;
    }
    Ok(response)
}

/// Returns the failure of a request that got no response.
fn failure_of(error: SendError) -> Failure {
    let (class, phase) = match error.kind {
        SendErrorKind::StaleConnection => (FailureClass::StaleConnection, Phase::Head),
        SendErrorKind::NoLocalSocket => (FailureClass::NoSocket, Phase::Connect),
        SendErrorKind::Connect => (FailureClass::Connect, Phase::Connect),
        SendErrorKind::TurnedAway => (FailureClass::Overloaded, Phase::Head),
        SendErrorKind::Broken => (FailureClass::Protocol, Phase::Head),
    };
    shared(Failure::new(class, phase, error.detail), error.connection_lost)
}

/// Of a connection that broke under many requests, the first failure counts, and no other.
pub(super) fn shared(failure: Failure, lost: Option<ConnectionLost>) -> Failure {
    match lost {
        None => failure,
        Some(ConnectionLost::First) => Failure { connection_lost: true, ..failure },
        Some(ConnectionLost::AlreadyCounted) => Failure { connection_lost: true, counted: false, ..failure },
    }
}
