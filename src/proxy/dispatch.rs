//! The loop: select an upstream, make an attempt; pass its answer on, or try the next.

use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use tokio::time::timeout;

use super::access_log::AccessLog;
use super::headers;
use super::journey::Journey;
use super::request::ClientRequest;
use super::response::{CommittedResponse, Failed};
use super::response_body;
use super::retry::RetryBudget;
use super::transport::Clients;
use crate::config::RetryConfig;
use crate::error::{ApiError, LONGEST_CLIENT_RETRY};
use crate::scheduler::{AdmissionError, SchedulerActor};
use crate::types::FailureClass;
use crate::upstream::Permit;

/// What the data path needs of the process: one for each worker.
pub struct Pool {
    /// This worker's scheduler, who admits.
    pub scheduler: Addr<SchedulerActor>,
    /// This worker's connections.
    pub clients: Clients,
    /// What all workers may spend on trying again.
    pub budget: Arc<RetryBudget>,
}

/// Why nobody served a request.
#[derive(Default)]
struct Unserved {
    /// How the last upstream failed that was asked.
    last: Option<Failed>,
    /// Why no other was to be had.
    refused: Option<AdmissionError>,
    /// The client waits no longer.
    impatient: bool,
}

/// Serves one request: with the answer of the first upstream that has one; with an error, when no upstream may be asked, or
/// all that were asked failed, or the client waits no longer for the head of its answer.
///
/// # Cancel safety
/// Dropping it (the client left) ends the attempt that is under way, and closes its account.
pub async fn dispatch(pool: Rc<Pool>, request: ClientRequest, retry: RetryConfig, mut log: AccessLog) -> HttpResponse {
    let journey = Journey::begin(&pool, &request, retry);
    let served = match request.patience {
        // Boxed, for few clients say it: their future is not to be carried by all.
        Some(patience) => Box::pin(timeout(patience, serve(&journey)))
            .await
            .unwrap_or_else(|_| Err(Unserved { impatient: true, ..Unserved::default() }.into())),
        None => serve(&journey).await,
    };
    log.attempts(&journey);
    let mut answer = match served {
        Ok((permit, answer)) => response_body::respond(answer, permit, request.body_len(), log),
        Err(unserved) => fail(*unserved, journey.failures.get(), log).unwrap_or_else(|error| error.error_response()),
    };
    // What is left of the pool's limits.
    headers::tell_rate(answer.headers_mut(), journey.rate.get());
    answer
}

async fn serve(journey: &Journey<'_>) -> Result<(Permit, CommittedResponse), Box<Unserved>> {
    let mut last: Option<Failed> = None;
    loop {
        let permit = match journey.select(None).await {
            Ok(permit) => permit,
            Err(_) if journey.comes_again(last.as_ref()).await => continue,
            Err(refused) => return Err(Unserved { last, refused: Some(refused), impatient: false }.into()),
        };
        match journey.attempt(permit).await {
            Ok(served) => return Ok(served),
            Err(failed) if journey.goes_on(&failed.failure) => last = Some(failed.or_answer_of(last)),
            Err(failed) => {
                return Err(Unserved { last: Some(failed.or_answer_of(last)), ..Unserved::default() }.into());
            }
        }
    }
}

/// What the client gets when nobody served it: the last upstream's own error, if it had one; else ours.
fn fail(unserved: Unserved, failures: usize, mut log: AccessLog) -> Result<HttpResponse, ApiError> {
    let Unserved { last, refused, impatient } = unserved;
    if impatient {
        log.status(ApiError::ClientTimeout.status());
        return Err(ApiError::ClientTimeout);
    }
    // An upstream that is to be asked again has not failed: then the refusal is the reason.
    let last = last.filter(|last| refused.is_none() || !last.failure.class.same_upstream_again());
    let Some(Failed { failure, response, .. }) = last else {
        let error = refused.map_or(ApiError::Internal, ApiError::from);
        log.status(error.status());
        return Err(error);
    };
    log.note(failure.to_string());
    if failure.class == FailureClass::NoSocket {
        let error = ApiError::Overloaded("too many files are open");
        log.status(error.status());
        return Err(error);
    }
    // Of the pool's own accounts the client knows nothing: their keys and their money are no error of its key.
    let ours = matches!(
        (failure.class, failure.status),
        (FailureClass::Unauthorized | FailureClass::Forbidden | FailureClass::PaymentRequired, _)
            | (FailureClass::RateLimited, Some(403))
    );
    match response
        .map(|told| *told)
        .filter(|(status, ..)| !ours && (status.is_success() || status.is_client_error() || status.is_server_error()))
    {
        Some((status, mut headers, body)) => {
            log.status(status);
            // Others were tried, and the client's own tries would come on top; or it would sleep for hours.
            let too_long = failure.retry_after.is_some_and(|wait| wait > LONGEST_CLIENT_RETRY);
            if failures > 1 && status.is_server_error() || too_long {
                headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
            }
            if let Some(id) = request_id(&headers) {
                log.upstream_id(id);
            }
            let mut response = HttpResponse::with_body(status, body).map_into_boxed_body();
            *response.headers_mut() = headers;
            Ok(response)
        }
        None => {
            let error = ApiError::UpstreamFailed(failure.class);
            log.status(error.status());
            Err(error)
        }
    }
}

fn request_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-request-id")?.to_str().ok()
}
