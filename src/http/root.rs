//! `GET /`: says what this is. Agents ask here before they begin, and without a key. A browser is sent to the dashboard.

use actix_web::http::header::{ACCEPT, LOCATION};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::auth::worker;
use crate::error::ApiError;

pub(super) async fn root(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let config = worker(&request)?.config();
    if config.has_dashboard() && is_browser(&request) {
        return Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/ui/")).finish());
    }
    let name = &config.server.name;
    Ok(HttpResponse::Ok().json(json!({
        "service": name,
        "links": { "models": "/v1/models", "status": "/v1/status", "health": "/health" },
    })))
}

/// Returns whether somebody wants to read the answer: only browsers ask for HTML by name.
fn is_browser(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}
