//! ★ The loop: select an upstream, make an attempt, pass its answer on or try the next.
//!
//! # Invariants
//! 1. One permit is one attempt, counted against all its quotas before a byte is sent. Dropping it *is* the release.
//! 2. The commit point is the upstream's head and, for a stream, the first event with content (or an error). Before the commit
//!    point another upstream may be tried, unseen by the client. After the commit point a failure becomes an error event in the
//!    client's dialect, or aborts the body.
//! 3. The request body stays the client's own bytes. Nothing re-encodes it; what must change is spliced in.
//! 4. Whoever drops the response (client gone, timeout, shutdown) settles the permit and ends the record. There is no other place of
//!    account.
//! 5. Every wait for an upstream has a deadline: connect, head, first token, idle gap, total.
//! 6. A client that hangs up stops the upstream within a second. Behind a terminal event, hanging up is a good end.
//! 7. In doubt another upstream is asked; the last refusal passes unchanged. An upstream rests for its *deeds* only, never for
//!    the words of a client.

mod changes;
mod long_wait;

use std::rc::Rc;

use actix_web::http::header::HeaderValue;
use actix_web::{HttpResponse, ResponseError};
use tokio::time::timeout;

use super::attempt::hedge::{self, Ended};
use super::attempt_error::{AttemptError, ErrorResponse};
use super::client_request::ClientRequest;
use super::headers;
use super::pool::Upstreams;
use super::response::CommittedResponse;
use super::response::body::{AnsweredRequest, respond};
use super::response::made_objects::MadeObjects;
use super::retry_state::last_failure::LastFailure;
use super::retry_state::object_home::TwoHomes;
use super::retry_state::{FailedAttempt, Next, RetryState};
use crate::config::RetryConfig;
use crate::dialect::ReplyKind;
use crate::error::{ApiError, MissingModel, X_SHOULD_RETRY};
use crate::records::{OpenRecord, RequestEnd};
use crate::scheduler::{AdmissionError, GetSimilarNames};
use crate::types::{ApiId, FailureClass, ModelKey, Outcome, RateLimitSummary};
use crate::upstream::{Permit, Refusal};

/// Why nobody served a request.
pub(super) enum Exhausted {
    /// No upstream could be selected; the last attempt, if there was one, tells why.
    Refused(AdmissionError),
    /// The last attempt failed, and the request does not go on.
    Failed,
    /// The client does not wait any longer.
    ClientTimeout,
    /// The request names objects of two upstreams.
    TwoHomes(TwoHomes),
}

impl Exhausted {
    /// Returns what the upstreams said that were not asked.
    fn refusals(&self) -> &[(ApiId, Refusal)] {
        match self {
            Exhausted::Refused(AdmissionError::NoneAvailable { refusals, .. }) => refusals,
            Exhausted::Refused(_) | Exhausted::Failed | Exhausted::ClientTimeout | Exhausted::TwoHomes(_) => &[],
        }
    }
}

/// Serves one request: with the first upstream's answer, or with an error. An error comes when no upstream is left, when the
/// last attempt failed, or when the client's own time is up.
///
/// # Cancel safety
/// Dropping the future (the client left) ends the running attempt, settles the permit, and ends the record.
pub async fn dispatch<U: Upstreams>(
    upstreams: Rc<U>,
    mut request: ClientRequest,
    retry: RetryConfig,
    record: OpenRecord,
) -> HttpResponse {
    let mut state = RetryState::new(&request, retry, upstreams.budget(), record);
    let served = match request.client_timeout {
        // Boxed: few clients send a timeout, and other requests need not carry the future.
        Some(limit) => Box::pin(timeout(limit, serve(&*upstreams, &mut request, &mut state)))
            .await
            .unwrap_or(Err(Exhausted::ClientTimeout)),
        None => serve(&*upstreams, &mut request, &mut state).await,
    };
    // The tighter limit is the client's: the pool's, or the key's own.
    let rates = [state.rate, state.record.key_rate()];
    let rate = rates.into_iter().flatten().min_by_key(RateLimitSummary::tightness);
    let mut response = match served {
        Ok((permit, response)) => {
            let is_gone = request.route.objects.forgets;
            if response.outcome == Outcome::Completed && request.route.reply == ReplyKind::Object {
                Box::pin(changes::make(&upstreams, &request, (&permit.endpoint().api, &response), &mut state.record))
                    .await;
            }
            let makes_objects = request.route.reply.has_objects() && !is_gone;
            let api = || permit.endpoint().api.clone();
            let made = makes_objects.then(|| MadeObjects::new(upstreams.homes().clone(), api()));
            respond(response, permit, AnsweredRequest { prompt_bytes: request.json().len(), made }, state.record)
        }
        Err(Exhausted::Refused(AdmissionError::ModelNotFound(model))) if state.failures == 0 && !model.is_empty() => {
            let model = request.asked_model();
            let of = ModelKey { model: model.clone(), ..request.profile.key() };
            let asked = GetSimilarNames { of, apis: request.profile.apis.clone() };
            let mut similar = upstreams.similar_names(asked).await;
            similar.retain(|name| request.models.as_ref().is_none_or(|models| models.has(name)));
            let missing = MissingModel { model: model.to_string(), similar };
            refuse(ApiError::ModelNotFound(missing), &mut state.record)
        }
        Err(exhausted) => fail(exhausted, &request, state),
    };
    headers::set_rate_limit(response.headers_mut(), rate);
    response
}

async fn serve(
    upstreams: &impl Upstreams,
    request: &mut ClientRequest,
    state: &mut RetryState<'_>,
) -> Result<(Permit, Box<CommittedResponse>), Exhausted> {
    if !request.objects.objects.is_empty() {
        // Boxed: few requests name objects.
        Box::pin(state.home.find_for(upstreams, request)).await.map_err(Exhausted::TwoHomes)?;
    }
    loop {
        let selected = upstreams.select(state.selection(request)).await;
        let permit = match state.admitted(selected) {
            Ok(permit) => permit,
            Err(refused) => {
                state.go_on_after(request, refused).await.map_err(Exhausted::Refused)?;
                continue;
            }
        };
        if state.is_refused_alike(request, &permit) {
            // Dropping the permit gives it back.
            state.exclude(permit.endpoint().api.clone());
            continue;
        }
        let Ended { permit, place, result } = hedge::attempt(upstreams, request, permit, state).await;
        match result {
            Ok(response) => {
                let is_complete = response.outcome == Outcome::Completed;
                state.record_success(&permit, place, is_complete);
                if is_complete {
                    state.home.served_by(&permit.endpoint().api, upstreams.homes(), request);
                }
                return Ok((permit, response));
            }
            Err(error) => {
                let next = state.should_retry(request, &error);
                state.record_failure(request, FailedAttempt { permit, place, error }, next);
                match next {
                    Next::Replay | Next::AnotherUpstream => {}
                    Next::AnotherModel => state.go_on_with_next_model(request),
                    Next::GiveUp => return Err(Exhausted::Failed),
                }
            }
        }
    }
}

/// Returns the client's response when nobody served: the last upstream's own error, else ours.
pub(super) fn fail(exhausted: Exhausted, request: &ClientRequest, mut state: RetryState<'_>) -> HttpResponse {
    let last = state.take_last();
    let error = match (exhausted, last) {
        (exhausted, _) if request.is_moved && lacks_path(&state, exhausted.refusals()) => {
            ApiError::NoResponses(request.asked_model().to_string())
        }
        (Exhausted::ClientTimeout, _) => ApiError::ClientTimeout,
        (Exhausted::TwoHomes(TwoHomes { one, other }), _) => ApiError::TwoHomes { one, other },
        // The object may live on an upstream that can't be asked just now.
        (Exhausted::Refused(refused), Some(last)) if last.is_object_missing() && refused.passes_by_itself() => {
            ApiError::from(refused)
        }
        (Exhausted::Refused(_) | Exhausted::Failed, Some(last)) => match pass_on(last, &mut state) {
            Ok(response) => return response,
            Err(error) => error,
        },
        (Exhausted::Refused(refused), None) if request.profile.model.is_empty() && refused.is_nobody() => {
            let hint = "no API of this pool has this path".to_owned();
            ApiError::UnknownPath { asked: request.route.id.to_string(), hint }
        }
        (Exhausted::Refused(refused), None) => ApiError::of_target(refused, &state.home.target),
        // Each attempt was a replay.
        (Exhausted::Failed, None) => ApiError::Internal,
    };
    refuse(error, &mut state.record)
}

/// Returns whether no upstream has the path.
fn lacks_path(state: &RetryState<'_>, refused: &[(ApiId, Refusal)]) -> bool {
    let is_known = state.failures > 0 || !refused.is_empty();
    let all_refused = refused.iter().all(|(_, refusal)| refusal.is_missing_model());
    is_known && state.only_missing_paths && all_refused
}

/// Passes the last upstream's own error on, if the client may see it.
fn pass_on(last: LastFailure, state: &mut RetryState<'_>) -> Result<HttpResponse, ApiError> {
    let LastFailure { api, error: AttemptError { failure, response, .. }, .. } = last;
    if failure.class == FailureClass::LocalSocketLimit {
        return Err(ApiError::Overloaded("too many files are open"));
    }
    // The accounts are the pool's own: a refused account is no error of the client's key.
    let is_refused_account =
        matches!(failure.class, FailureClass::Unauthorized | FailureClass::Forbidden | FailureClass::PaymentRequired);
    let is_of_the_account =
        is_refused_account || failure.class == FailureClass::RateLimited && failure.status == Some(403);
    let Some(response) = response.filter(|_| !is_of_the_account) else {
        return Err(ApiError::UpstreamFailed { api, failure: Box::new(failure) });
    };
    let mut response = *response;
    long_wait::advise(&mut response, &failure, state.route);
    let ErrorResponse { status, mut headers, body } = response;
    // Other upstreams were tried already: the client's own tries would only come on top.
    if state.failures > 1 && status.is_server_error() {
        headers.insert(X_SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    let id = headers::upstream_id(&headers).map(str::to_owned);
    state.record.answered(status);
    state.record.with(|record| {
        record.upstream_id = id;
        record.end = RequestEnd::Failed(failure.to_string());
    });
    let mut response = HttpResponse::with_body(status, body).map_into_boxed_body();
    *response.headers_mut() = headers;
    Ok(response)
}

/// Answers with an error of ours, and records the error.
pub fn refuse(error: ApiError, record: &mut OpenRecord) -> HttpResponse {
    record.with(|record| {
        record.status = Some(error.status());
        record.end = RequestEnd::Refused { code: error.code(), cause: error.cause(), reason: error.reason() };
    });
    error.error_response()
}

#[cfg(test)]
mod tests;
