//! `GET /health`: says whether the process is there and will stay. No key is needed.

use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::auth::worker;
use crate::error::ApiError;
use crate::types::{Now, iso};

pub(super) async fn health(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let worker = worker(&request)?;
    let name = &worker.config().server.name;
    // A load balancer stops sending requests here, while all are still served.
    let stopping = worker.shutdown.has_begun();
    let mut answer = if stopping { HttpResponse::ServiceUnavailable() } else { HttpResponse::Ok() };
    let status = if stopping { "stopping" } else { "ok" };
    Ok(answer.json(json!({ "status": status, "timestamp": iso(Now::read().wall), "service": name })))
}
