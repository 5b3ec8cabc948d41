//! ★ The loop: select an upstream, make an attempt, pass its answer on or try the next.
//!
//! # Invariants
//! 1. One permit is one attempt, counted against all its quotas before a byte is sent. Dropping it *is* the release.
//! 2. The commit point is the upstream's head and, for a stream, its first event with content (or an error). Before it another
//!    upstream may be tried, unseen by the client. After it never: then a failure is told, as an error event in the client's
//!    dialect, or by aborting the body.
//! 3. The request body stays the client's own bytes. Nothing re-encodes it; what must change is spliced in.
//! 4. Whoever drops the response (client gone, timeout, shutdown) settles the permit and ends the record. There is no other place of
//!    account.
//! 5. Every wait for an upstream has a deadline: connect, head, first token, idle gap, total.
//! 6. A client that hangs up stops the upstream within a second. Behind a terminal event, hanging up is a good end.
//! 7. In doubt another upstream is asked; the last refusal passes as it is. Only what upstreams *do* rests them, nothing that a
//!    client can write.

use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use tokio::time::timeout;
use transport::{ClientCache, IncomingResponse, SendError};

use super::attempt::{AttemptError, ErrorResponse, OutgoingRequest};
use super::budget::RetryBudget;
use super::client_request::ClientRequest;
use super::hedge::{self, Ended};
use super::response::CommittedResponse;
use super::retry_state::{LastFailure, RetryState};
use super::target::client_of;
use super::{headers, response_body};
use crate::config::RetryConfig;
use crate::error::{ApiError, LONGEST_CLIENT_RETRY};
use crate::records::{OpenRecord, RequestEnd};
use crate::scheduler::{AdmissionError, Admitted, SchedulerActor, Select};
use crate::types::{FailureClass, Outcome};
use crate::upstream::{Endpoint, Permit};

/// What the loop needs of the world: permits, exchanges, and the retry budget.
pub trait Upstreams {
    /// Returns the permit for one attempt.
    fn select(&self, select: Select) -> impl Future<Output = Result<Admitted, AdmissionError>>;

    /// Sends a request to an upstream, and waits for the head of its response.
    fn send(
        &self,
        endpoint: &Endpoint,
        request: OutgoingRequest<'_>,
    ) -> impl Future<Output = Result<IncomingResponse, SendError>>;

    /// What may be spent on trying again.
    fn budget(&self) -> &RetryBudget;
}

/// What one worker has of the pool.
pub struct Pool {
    /// This worker's scheduler, which admits.
    pub scheduler: Addr<SchedulerActor>,
    /// This worker's connections.
    pub clients: ClientCache,
    /// What all workers may spend on trying again.
    pub budget: Arc<RetryBudget>,
}

impl Upstreams for Pool {
    async fn select(&self, select: Select) -> Result<Admitted, AdmissionError> {
        self.scheduler.send(select).await.unwrap_or(Err(AdmissionError::Stopping))
    }

    async fn send(&self, endpoint: &Endpoint, request: OutgoingRequest<'_>) -> Result<IncomingResponse, SendError> {
        let client = client_of(&self.clients, endpoint);
        let mut outgoing = client.request(Method::POST, request.path);
        headers::set_request_headers(outgoing.headers_mut(), request.headers);
        client.send(outgoing, request.body, request.sent_at).await
    }

    fn budget(&self) -> &RetryBudget {
        &self.budget
    }
}

/// Why nobody served a request.
enum Exhausted {
    /// No upstream could be selected; the last attempt, if there was one, tells why.
    Refused(AdmissionError),
    /// The last attempt failed, and the request does not go on.
    Failed,
    /// The client does not wait any longer.
    ClientTimeout,
}

/// Serves one request: with the answer of the first upstream that has one; with an error, when no upstream may be asked, or
/// all that were asked failed, or the client waits no longer for the head of its answer.
///
/// # Cancel safety
/// Dropping it (the client left) ends the attempt that is under way, settles its permit, and ends the record.
pub async fn dispatch<U: Upstreams>(
    upstreams: Rc<U>,
    request: ClientRequest,
    retry: RetryConfig,
    record: OpenRecord,
) -> HttpResponse {
    let mut state = RetryState::new(&request, retry, upstreams.budget(), record);
    let served = match request.client_timeout {
        // Boxed: few clients send one, and no other request need carry its future.
        Some(limit) => Box::pin(timeout(limit, serve(&*upstreams, &request, &mut state)))
            .await
            .unwrap_or(Err(Exhausted::ClientTimeout)),
        None => serve(&*upstreams, &request, &mut state).await,
    };
    let rate = state.rate;
    let mut response = match served {
        Ok((permit, response)) => response_body::respond(response, permit, request.body_len(), state.record),
        Err(exhausted) => fail(exhausted, state),
    };
    headers::set_rate_limit(response.headers_mut(), rate);
    response
}

async fn serve(
    upstreams: &impl Upstreams,
    request: &ClientRequest,
    state: &mut RetryState<'_>,
) -> Result<(Permit, Box<CommittedResponse>), Exhausted> {
    loop {
        let selected = upstreams.select(state.selection()).await;
        let permit = match state.admitted(selected) {
            Ok(permit) => permit,
            Err(_) if state.may_retry_same_upstream() => {
                state.wait_before_retry().await;
                continue;
            }
            Err(refused) => return Err(Exhausted::Refused(refused)),
        };
        let Ended { permit, place, result } = hedge::attempt(upstreams, request, permit, state).await;
        match result {
            Ok(response) => {
                state.record_success(&permit, place, response.outcome == Outcome::Completed);
                return Ok((permit, response));
            }
            Err(error) => {
                let retries = state.should_retry(&error);
                state.record_failure(permit, place, error, retries);
                if !retries {
                    return Err(Exhausted::Failed);
                }
            }
        }
    }
}

/// What the client gets when nobody served it: the last upstream's own error, if it had one; else ours.
fn fail(exhausted: Exhausted, mut state: RetryState<'_>) -> HttpResponse {
    let last = state.take_last();
    let error = match (exhausted, last) {
        (Exhausted::ClientTimeout, _) => ApiError::ClientTimeout,
        (Exhausted::Refused(_) | Exhausted::Failed, Some(last)) => match pass_on(last, &mut state) {
            Ok(response) => return response,
            Err(error) => error,
        },
        (Exhausted::Refused(refused), None) => ApiError::from(refused),
        // A request that was asked wrongly again and again.
        (Exhausted::Failed, None) => ApiError::Internal,
    };
    refuse(error, &mut state.record)
}

/// Passes the last upstream's own error on, if the client may see it.
fn pass_on(last: LastFailure, state: &mut RetryState<'_>) -> Result<HttpResponse, ApiError> {
    let LastFailure { api, error: AttemptError { failure, response, .. }, .. } = last;
    if failure.class == FailureClass::NoSocket {
        return Err(ApiError::Overloaded("too many files are open"));
    }
    // The pool's own accounts are none of the client's: their keys and their money are no error of its key.
    let is_of_the_account = match failure.class {
        FailureClass::Unauthorized | FailureClass::Forbidden | FailureClass::PaymentRequired => true,
        FailureClass::RateLimited => failure.status == Some(403),
        _ => false,
    };
    let Some(response) = response.filter(|_| !is_of_the_account) else {
        return Err(ApiError::UpstreamFailed { api, failure: Box::new(failure) });
    };
    let ErrorResponse { status, mut headers, body } = *response;
    // Others were tried, and the client's own tries would come on top. Or it would sleep for hours.
    let too_long = failure.retry_after.is_some_and(|wait| wait > LONGEST_CLIENT_RETRY);
    if state.failures > 1 && status.is_server_error() || too_long {
        headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
    }
    let id = headers.get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    state.record.answered(status);
    state.record.with(|record| {
        record.upstream_id = id;
        record.end = RequestEnd::Failed(failure.to_string());
    });
    let mut response = HttpResponse::with_body(status, body).map_into_boxed_body();
    *response.headers_mut() = headers;
    Ok(response)
}

/// Answers with an error of ours, and records it.
pub fn refuse(error: ApiError, record: &mut OpenRecord) -> HttpResponse {
    record.with(|record| {
        record.status = Some(error.status());
        record.end = RequestEnd::Refused { code: error.code(), reason: error.reason() };
    });
    error.error_response()
}

#[cfg(test)]
mod tests;
