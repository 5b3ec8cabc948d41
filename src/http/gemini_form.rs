//! What clients of Gemini's format look for in an answer: errors in Google's form.

use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::RETRY_AFTER;

use crate::error::Refused;

/// Writes an error of ours anew. An upstream's own error stays.
pub(super) fn give(response: &mut ServiceResponse<BoxBody>) {
    let refused = response.response().extensions().get::<Refused>().cloned();
    let Some(refused) = refused else { return };
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    let body = refused.in_geminis_form(status, wait);
    let old = std::mem::replace(response.response_mut(), actix_web::HttpResponse::new(status));
    *response.response_mut() = old.set_body(BoxBody::new(body.to_string()));
}
