//! One attempt with one upstream, from the permit to the commit point.

pub(super) mod hedge;

use tokio::time::{Instant, timeout_at};
use transport::{IncomingResponse, SendError, SendErrorKind};

use super::attempt_error::AttemptError;
use super::client_request::ClientRequest;
use super::commit::UpstreamResponse;
use super::pool::{OutgoingRequest, Upstreams};
use super::response::{CommittedResponse, UpstreamBody, with_connection_loss};
use crate::types::{ClassSet, Failure, FailureClass, Phase};
use crate::upstream::Permit;

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

    // The configuration may have changed since the upstream was selected.
    let Some(reach) = endpoint.reach(request.route.id.format()) else {
        let detail = format!("it has no {}", request.route.id.format().base_url_field());
        return Err(Failure::new(FailureClass::StaleConnection, Phase::Connect, detail).into());
    };
    let upstream_model = request.sent_model(endpoint).map(|own| &**own);
    let body = request.outgoing(upstream_model, endpoint.quirks.stream_usage, permit.ask_usage);
    let outgoing = OutgoingRequest {
        verb: request.route.id.verb(),
        path: &request.path,
        query: &request.query_for(endpoint),
        model: upstream_model.unwrap_or(&request.profile.model),
        headers: &request.headers,
        body,
        sent_at: &permit.sent_at,
    };
    let IncomingResponse { head, body } = timeout_at(first, upstreams.send((endpoint, reach), outgoing))
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
