//! One attempt with one upstream, from the permit to the commit point.

pub(super) mod hedge;

use tokio::time::{Instant, timeout_at};
use transport::IncomingResponse;

use super::attempt_error::{AttemptError, Replay, failure_of};
use super::client_request::{BodyChanges, ClientRequest};
use super::commit::UpstreamResponse;
use super::pool::{OutgoingRequest, Upstreams};
use super::replicate::{self, OwnIds};
use super::response::{CommittedResponse, UpstreamBody};
use crate::types::{ClassSet, Failure, FailureClass, Now, Phase};
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
    let OwnIds { edits: ids, is_new } = match &request.files {
        None => OwnIds::default(),
        // Boxed: few requests name files.
        Some(files) => Box::pin(replicate::ids_on(upstreams, endpoint, files)).await?,
    };
    if !ids.is_empty() && permit.sent_at.is_too_late(Now::read_mono()) {
        let detail = "the copy of a file took longer than the unit of the limit is lent";
        return Err(Failure::new(FailureClass::StaleConnection, Phase::Connect, detail).into());
    }
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
    let usage = endpoint.quirks.stream_usage;
    let body = request.outgoing(BodyChanges { model: upstream_model, usage, ask_usage: permit.ask_usage, ids });
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
    let mut response = match (response.until_commit_point().await, &request.files) {
        (Err(error), Some(files)) if error.failure.class == FailureClass::ObjectNotHere => {
            let may_try_again = Box::pin(replicate::forget_missing(upstreams, endpoint, files)).await && !is_new;
            return Err(AttemptError { replay: may_try_again.then_some(Replay::Same), ..error });
        }
        (result, _) => result?,
    };
    if let Some(body) = &mut response.body {
        body.deadline = deadline;
    }
    Ok(response)
}
