//! Every answer has an `x-request-id`: the upstream's, if it gave one, or ours.

use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;

use crate::types::RequestId;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request, and its answer.
pub(super) async fn name_request(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let id = RequestId::generate();
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    if !headers.contains_key(X_REQUEST_ID)
        && let Ok(value) = HeaderValue::from_str(id.as_str())
    {
        headers.insert(X_REQUEST_ID, value);
    }
    Ok(response)
}
