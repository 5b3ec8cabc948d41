//! Every answer has an `x-request-id` (the upstream's, if it gave one, or ours), and every request a line in the log.

use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use log::Level;

use crate::types::RequestId;

/// In a request's extensions: the data path logs it, with all that it knows.
pub(super) struct LoggedElsewhere;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names a request, and its answer.
pub(super) async fn name_request(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let id = RequestId::generate();
    request.extensions_mut().insert(id.clone());
    let mut response = next.call(request).await?;
    log_line(&response, &id);
    let headers = response.headers_mut();
    if !headers.contains_key(X_REQUEST_ID)
        && let Ok(value) = HeaderValue::from_str(id.as_str())
    {
        headers.insert(X_REQUEST_ID, value);
    }
    Ok(response)
}

/// The line of a request that the data path has not seen: worth a warning if it was refused.
fn log_line(response: &ServiceResponse<impl MessageBody>, id: &RequestId) {
    let request = response.request();
    if request.extensions().contains::<LoggedElsewhere>() {
        return;
    }
    let status = response.status();
    let level = match request.path() {
        _ if status.is_client_error() || status.is_server_error() => Level::Warn,
        // Asked every few seconds by whatever keeps the process up.
        "/health" => Level::Debug,
        _ => Level::Info,
    };
    let from = request.peer_addr().map_or("-".to_owned(), |peer| peer.ip().to_string());
    let (method, path) = (request.method(), request.path());
    log::log!(target: "request", level, "{id} {method} {path} from {from} status={}", status.as_u16());
}
