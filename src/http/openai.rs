//! The forwarded endpoints: reads the body, looks into it, hands it to the data path.

use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

use super::auth::{Id, worker};
use super::request_id::LoggedElsewhere;
use crate::error::ApiError;
use crate::proxy::{AccessLog, ClientRequest, Effort, dispatch};
use crate::types::Operation;

pub(super) async fn forward(
    operation: Operation,
    request: HttpRequest,
    id: Id,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let mut log = AccessLog::start(&id, operation);
    request.extensions_mut().insert(LoggedElsewhere);
    match read(operation, &request, payload).await {
        Ok(asked) => {
            log.model(&asked.profile.model);
            let worker = worker(&request)?;
            let config = worker.config();
            let effort = Effort { max_attempts: config.retry.max_attempts };
            Ok(dispatch(&worker.pool, asked, effort, log).await)
        }
        Err(error) => {
            log.status(error.status());
            Err(error)
        }
    }
}

async fn read(operation: Operation, request: &HttpRequest, payload: web::Payload) -> Result<ClientRequest, ApiError> {
    let limit = worker(request)?.config().server.body_limit;
    let body = read_body(payload, limit).await?;
    ClientRequest::parse(operation, request.headers(), body)
        .map_err(|invalid| ApiError::Invalid { message: invalid.message, param: invalid.param })
}

/// The whole body of a request, of at most `limit` bytes.
pub(super) async fn read_body(payload: web::Payload, limit: usize) -> Result<web::Bytes, ApiError> {
    match payload.to_bytes_limited(limit).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(ApiError::BodyCut),
        Err(_) => Err(ApiError::TooLarge { limit }),
    }
}
