//! One attempt with one upstream, up to the commit point: from the permit to a [`CommittedResponse`] that the client may
//! see, or to a [`Failed`] that it need not.

use tokio::time::{Instant, timeout_at};

use super::commit::UpstreamResponse;
use super::request::ClientRequest;
use super::response::{CommittedResponse, Failed, UpstreamBody};
use super::transport::{Clients, Incoming, Wire};
use super::{classify, headers};
use crate::types::{ClassSet, Failure, FailureClass, Phase};
use crate::upstream::Permit;

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
) -> Result<CommittedResponse, Failed> {
    let (endpoint, operation) = (permit.endpoint(), request.profile.operation);
    let timeouts = &endpoint.timeouts;
    let started = Instant::now();
    let deadline = started + if request.stream { timeouts.stream_total } else { timeouts.total };
    // A stream's head comes early; another answer's when it is finished.
    let first = if request.stream { deadline.min(started + timeouts.first_token) } else { deadline };

    let body = request.body_for(endpoint.own_name(&request.profile.model).map(|own| &**own), permit.ask_usage);
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
        Failure { blame: wire.shared_blame().unwrap_or(failure.blame), ..failure }
    })?;

    let body = UpstreamBody::new(payload, timeouts.idle, first);
    let response = UpstreamResponse { status: head.status(), headers: head.headers(), body, permit, request, retry_on };
    let mut committed = response.until_commit_point().await?;
    if let Some(body) = &mut committed.body {
        body.deadline = deadline;
    }
    Ok(committed)
}
