//! `GET /v1/models` and `GET /v1/models/{id}`: the models for clients of this pool.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::auth::worker;
use crate::error::ApiError;
use crate::scheduler::GetModels;

/// The same for all models, in seconds since the Unix epoch: the pool does not know when a model was made.
const CREATED: i64 = 1_686_935_002;

pub(super) async fn list(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let data: Vec<Value> = names(&request).await?.iter().map(|name| model(name)).collect();
    Ok(HttpResponse::Ok().json(json!({ "object": "list", "data": data })))
}

pub(super) async fn one(request: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let id = id.into_inner();
    match names(&request).await?.iter().find(|name| ***name == *id) {
        Some(name) => Ok(HttpResponse::Ok().json(model(name))),
        None => Err(ApiError::ModelNotFound(id)),
    }
}

async fn names(request: &HttpRequest) -> Result<Vec<Arc<str>>, ApiError> {
    worker(request)?.supervisor.send(GetModels).await.map_err(|_| ApiError::Stopping)
}

fn model(name: &str) -> Value {
    json!({ "id": name, "object": "model", "created": CREATED, "owned_by": "api-together" })
}
