//! The loop: select an upstream, make an attempt; pass its answer on, or try the next.

use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};

use super::access_log::AccessLog;
use super::body;
use super::exchange::{Failed, attempt};
use super::headers;
use super::request::ClientRequest;
use super::transport::Clients;
use crate::config::RetryConfig;
use crate::error::{ApiError, LONGEST_CLIENT_RETRY};
use crate::scheduler::{AdmissionError, SchedulerActor, Select};
use crate::types::{ApiId, FailureClass, Outcome, RateLimit, Settlement};

/// How often one request may be sent to the same upstream again that had not failed, but was asked in a wrong way (on a
/// connection that it had closed, with `stream_options` that it does not know). These don't count as attempts.
const MAX_REPEATS: usize = 3;

/// What the data path needs of the process: one for each worker.
#[derive(Clone)]
pub struct Pool {
    /// This worker's scheduler, who admits.
    pub scheduler: Addr<SchedulerActor>,
    /// This worker's connections.
    pub clients: Rc<Clients>,
}

/// Serves one request: with the answer of the first upstream that has one; with an error, when no upstream may be asked, or
/// all that were asked failed.
///
/// # Cancel safety
/// Dropping it (the client left) ends the attempt that is under way, and closes its account.
pub async fn dispatch(pool: &Pool, request: ClientRequest, retry: RetryConfig, mut log: AccessLog) -> HttpResponse {
    // Lives as long as the client waits for this.
    let client = Arc::new(());
    let mut tried: Vec<ApiId> = Vec::new();
    let mut last: Option<Failed> = None;
    let mut repeats = 0;
    let mut rate = None;
    while tried.len() < retry.max_attempts {
        let select = Select { profile: request.profile.clone(), tried: tried.clone(), client: Arc::downgrade(&client) };
        let permit = match pool.scheduler.send(select).await.unwrap_or(Err(AdmissionError::Stopping)) {
            Ok(admitted) => {
                rate = admitted.rate;
                admitted.permit
            }
            Err(refused) => {
                if let AdmissionError::NoneAvailable { rate: left, .. } = &refused {
                    rate = *left;
                }
                return told(rate, fail(last, Some(refused), tried.len(), log));
            }
        };
        log.attempt(permit.endpoint());
        // Boxed: the allocator serves small sizes from the thread's own shelf, and an attempt would make this one large.
        match Box::pin(attempt(&pool.clients, &permit, &request)).await {
            Ok(answer) => return told(rate, Ok(body::relay(answer, permit, request.body_len(), log))),
            Err(failed) => {
                log::warn!("{}: attempt failed: {}", permit.endpoint().api, failed.failure);
                if failed.failure.class.same_upstream_again() && repeats < MAX_REPEATS {
                    repeats += 1;
                } else {
                    tried.push(permit.endpoint().api.clone());
                }
                let duration = permit.elapsed();
                permit.settle(Settlement::of(Outcome::Failed(failed.failure.clone()), duration));
                last = Some(failed);
            }
        }
    }
    told(rate, fail(last, None, tried.len(), log))
}

/// The answer, with what is left of the pool's limits.
fn told(rate: Option<RateLimit>, answer: Result<HttpResponse, ApiError>) -> HttpResponse {
    let mut answer = answer.unwrap_or_else(|error| error.error_response());
    headers::tell_rate(answer.headers_mut(), rate);
    answer
}

/// What the client gets when nobody served it: the last upstream's own error, if it had one; else ours.
fn fail(
    last: Option<Failed>,
    refused: Option<AdmissionError>,
    tries: usize,
    mut log: AccessLog,
) -> Result<HttpResponse, ApiError> {
    // An upstream that is to be asked again has not failed: then the refusal is the reason.
    let last = last.filter(|last| refused.is_none() || !last.failure.class.same_upstream_again());
    let Some(Failed { failure, response }) = last else {
        let error = refused.map_or(ApiError::Internal, ApiError::from);
        log.status(error.status());
        return Err(error);
    };
    log.note(failure.to_string());
    // Of the pool's own accounts the client knows nothing: their keys and their money are no error of its key.
    let ours = matches!(failure.class, FailureClass::Unauthorized | FailureClass::PaymentRequired);
    match response
        .map(|told| *told)
        .filter(|(status, ..)| !ours && (status.is_client_error() || status.is_server_error()))
    {
        Some((status, mut headers, body)) => {
            log.status(status);
            // Others were tried, and the client's own tries would come on top; or it would sleep for hours.
            let too_long = failure.retry_after.is_some_and(|wait| wait > LONGEST_CLIENT_RETRY);
            if tries > 1 && status.is_server_error() || too_long {
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
