//! Every answer has an `x-request-id` (the upstream's own or ours), and every request has a line in the log.

use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use log::Level;

use crate::types::RequestId;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names an answer without a name.
pub(super) fn name(headers: &mut HeaderMap, id: &RequestId) {
    if !headers.contains_key(X_REQUEST_ID)
        && let Ok(value) = HeaderValue::from_str(id.as_str())
    {
        headers.insert(X_REQUEST_ID, value);
    }
}

/// Names and logs an answer that has no name yet. (One that has comes from the data path, which logged it with all that it
/// knows.)
pub(super) fn name_and_log(response: &mut ServiceResponse<impl MessageBody>) {
    if response.headers().contains_key(X_REQUEST_ID) {
        return;
    }
    let id = RequestId::generate();
    log_line(response, &id);
    name(response.headers_mut(), &id);
}

/// The line of a request that the data path has not seen: worth a warning if it was refused.
fn log_line(response: &ServiceResponse<impl MessageBody>, id: &RequestId) {
    let (request, status) = (response.request(), response.status());
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
