//! What clients of Anthropic's format look for in an answer: a `request-id`, and errors in Anthropic's form.

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::HeaderName;

use crate::error::Refused;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Names an answer as Anthropic does, and writes an error of ours anew. An upstream's own error stays.
pub(super) fn give(response: &mut ServiceResponse<BoxBody>) {
    let Some(id) = response.headers().get("x-request-id").cloned() else { return };
    if !response.headers().contains_key(REQUEST_ID) {
        response.headers_mut().insert(REQUEST_ID, id.clone());
    }
    let status = response.status();
    let refused = response.response().extensions().get::<Refused>().cloned();
    if let Some(refused) = refused {
        let body = refused.in_anthropics_form(status, id.to_str().unwrap_or_default());
        let old = std::mem::replace(response.response_mut(), actix_web::HttpResponse::new(status));
        *response.response_mut() = old.set_body(BoxBody::new(body.to_string()));
    }
}
