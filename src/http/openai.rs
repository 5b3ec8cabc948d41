//! The forwarded endpoints: reads the body, looks into it, hands it to the data path.

use actix_web::{HttpRequest, HttpResponse, web};

use super::auth::{Id, worker};
use crate::error::ApiError;
use crate::proxy::{AccessLog, ClientRequest, dispatch};
use crate::types::Operation;

pub(super) async fn forward(
    operation: Operation,
    request: HttpRequest,
    id: Id,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let mut log = AccessLog::start(&id, operation);
    match read(operation, &request, payload).await {
        Ok(asked) => {
            log.model(&asked.profile.model);
            let worker = worker(&request)?;
            dispatch(&worker.pool, asked, worker.config().retry.max_attempts, log).await
        }
        Err(error) => {
            log.status(error.status());
            Err(error)
        }
    }
}

async fn read(
    operation: Operation,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<ClientRequest, ApiError> {
    let limit = worker(request)?.config().server.body_limit;
    let body = match payload.to_bytes_limited(limit).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(ApiError::BodyCut),
        Err(_) => return Err(ApiError::TooLarge { limit }),
    };
    ClientRequest::parse(operation, request.headers().clone(), body)
        .map_err(|invalid| ApiError::Invalid { message: invalid.message, param: invalid.param })
}
