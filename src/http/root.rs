//! `GET /`: says what this is. Agents ask here before they begin, and without a key.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::auth::worker;
use crate::error::ApiError;

pub(super) async fn root(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let name = &worker(&request)?.config().server.name;
    Ok(HttpResponse::Ok().json(json!({
        "service": name,
        "links": { "models": "/v1/models", "status": "/v1/status", "health": "/health" },
    })))
}
