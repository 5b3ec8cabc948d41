//! `GET /health`: is the process there? Open to all.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::auth::worker;
use crate::error::ApiError;
use crate::types::{Now, iso};

pub(super) async fn health(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let name = &worker(&request)?.config().server.name;
    Ok(HttpResponse::Ok().json(json!({ "status": "ok", "timestamp": iso(Now::read().wall), "service": name })))
}
