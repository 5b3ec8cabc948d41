//! A failed attempt, and what follows for the request.

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::Bytes;
use transport::{SendError, SendErrorKind};

use super::client_request::ClientRequest;
use super::response::{CommittedResponse, with_connection_loss};
use crate::types::{Failure, FailureClass, Phase, Usage};

/// A failed attempt, of which the client has seen nothing.
#[derive(Debug)]
pub(super) struct AttemptError {
    pub(super) failure: Failure,
    /// What the client gets if no other upstream serves the request: the upstream's own error.
    pub(super) response: Option<Box<ErrorResponse>>,
    /// The upstream had been asked in a wrong way.
    pub(super) replay: Option<Replay>,
    /// The request was rejected by an upstream that refuses what others take: another one is asked.
    pub(super) is_doubted: bool,
    /// The tokens of the failed attempt, if known.
    pub(super) usage: Option<Box<Usage>>,
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
        let replay = if failure.class == FailureClass::StaleConnection {
            Some(Replay::Same)
        } else {
            failure.connection_lost.then_some(Replay::AfterLostConnection)
        };
        AttemptError { failure, response: None, replay, is_doubted: false, usage: None }
    }
}

/// Takes a 404 in doubt for one about the objects that the request names: nothing is held against the account. Without a model, each
/// 404 is one.
pub(super) fn about_objects(failure: Failure, request: &ClientRequest) -> Failure {
    let in_doubt = failure.is_doubtful() || request.profile.model.is_empty();
    let is_missing = failure.status == Some(404) && in_doubt && !request.objects.objects.is_empty();
    let class = if is_missing { FailureClass::ObjectNotHere } else { failure.class };
    Failure { class, ..failure }
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

/// Returns the failure of a request that got no response.
pub(super) fn failure_of(error: SendError) -> Failure {
    let (class, phase) = match error.kind {
        SendErrorKind::StaleConnection => (FailureClass::StaleConnection, Phase::Head),
        SendErrorKind::NoLocalSocket => (FailureClass::LocalSocketLimit, Phase::Connect),
        SendErrorKind::Connect => (FailureClass::Connect, Phase::Connect),
        SendErrorKind::TurnedAway => (FailureClass::Overloaded, Phase::Head),
        SendErrorKind::Broken => (FailureClass::Protocol, Phase::Head),
    };
    with_connection_loss(Failure::new(class, phase, error.detail), error.connection_lost)
}
