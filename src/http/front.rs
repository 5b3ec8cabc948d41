//! What every request passes before its handler, and every answer after it. One middleware and not one for each concern: each
//! would cost every request an allocation and a turn.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;

use super::{cors, request_id};

/// Answers browsers that ask first, marks answers for them, and names and logs each answer.
pub(super) async fn front(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let origin = cors::named_origin(&request);
    let mut response = match origin.as_ref().and_then(|origin| cors::preflight(&request, origin)) {
        Some(allowed) => request.into_response(allowed).map_into_right_body(),
        None => {
            let mut response = next.call(request).await?.map_into_left_body();
            if let Some(origin) = origin {
                cors::mark(response.headers_mut(), origin);
            }
            response
        }
    };
    request_id::name_and_log(&mut response);
    Ok(response)
}
