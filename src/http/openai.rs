//! The forwarded endpoints: reads the body, looks into it, hands it to the data path.

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use futures_util::StreamExt;

use super::auth::worker;
use super::{Worker, request_id};
use crate::error::ApiError;
use crate::proxy::{AccessLog, ClientRequest, dispatch, with_pings};
use crate::types::{Operation, RequestId};

/// Forwards one request: named, and logged with all that the data path learns of it.
pub(super) async fn forward(operation: Operation, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let id = RequestId::generate();
    let mut log = AccessLog::start(&id, operation);
    let mut response = match read(operation, &request, payload).await {
        Ok((worker, asked)) => {
            log.model(&asked.profile.model);
            let config = worker.config();
            let ping = config.server.stream_ping.filter(|_| asked.stream);
            // Boxed, as in `journey`: three small futures cost less than one large one.
            let answer = Box::pin(dispatch(worker.pool.clone(), asked, config.retry, log));
            match ping {
                Some(every) => with_pings(answer, every).await,
                None => answer.await,
            }
        }
        Err(error) => {
            log.status(error.status());
            error.error_response()
        }
    };
    request_id::name(response.headers_mut(), &id);
    response
}

async fn read(
    operation: Operation,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<(&Worker, ClientRequest), ApiError> {
    let worker = worker(request)?;
    let limit = worker.config().server.body_limit;
    let body = read_body(request, payload, limit).await?;
    let asked = ClientRequest::parse(operation, request.headers(), body)
        .map_err(|invalid| ApiError::Invalid { message: invalid.message, param: invalid.param })?;
    Ok((worker, asked))
}

/// The whole body of a request, of at most `limit` bytes. One that comes in a single piece, as most do, is that piece: it is
/// not copied; of others, each byte is copied once.
pub(super) async fn read_body(
    request: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
) -> Result<web::Bytes, ApiError> {
    let mut first = web::Bytes::new();
    let mut gathered = web::BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| ApiError::BodyCut)?;
        if first.len().max(gathered.len()) + piece.len() > limit {
            return Err(ApiError::TooLarge { limit });
        }
        if first.is_empty() {
            first = piece;
            continue;
        }
        if gathered.is_empty() {
            // What is announced is room to ask for once, and no reason to believe it.
            gathered.reserve(announced(request).min(limit).max(first.len() + piece.len()));
            gathered.extend_from_slice(&first);
        }
        gathered.extend_from_slice(&piece);
    }
    Ok(if gathered.is_empty() { first } else { gathered.freeze() })
}

fn announced(request: &HttpRequest) -> usize {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
