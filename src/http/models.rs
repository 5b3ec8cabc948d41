//! `GET /v1/models` and `GET /v1/models/{id}`: the models for clients of this pool, in the form of the client that asks. A list has
//! the models that the client can ask for in its format. If no API speaks the format, the list has all models.
//!
//! | Form | Asked for by | Pages |
//! |---|---|---|
//! | Anthropic's | the header `anthropic-version` | `limit`, `after_id`, `before_id` |
//! | Gemini's | a path below `/v1beta`, the header `x-goog-api-key`, or a key in the query | `pageSize`, `pageToken` |
//! | Codex's | `client_version` in the query | none |
//! | OpenAI's | everybody else | none |

mod page;

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use self::page::{Page, PageAsked, PageParameters};
use super::auth::{client, worker};
use crate::config::KeyConfig;
use crate::dialect::format_of;
use crate::error::{ApiError, MissingModel};
use crate::proxy::key_in_query;
use crate::scheduler::{GetModels, GetSimilarNames};
use crate::types::{ModelKey, WireFormat, is_for_embeddings, resource_name};

/// The same for all models, in seconds since the Unix epoch: the pool does not know when a model was made.
const CREATED: i64 = 1_686_935_002;

/// The same time, as Anthropic writes it.
const CREATED_AT: &str = "2023-06-16T17:03:22Z";

/// What models are for, as Gemini's clients read it.
const GENERATION: &[&str] = &["generateContent", "streamGenerateContent", "countTokens"];
const EMBEDDING: &[&str] = &["embedContent", "batchEmbedContents", "countTokens"];

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ModelsForm {
    OpenAi,
    Anthropic,
    Codex,
    Gemini,
}

static ANTHROPIC_PAGES: PageParameters =
    PageParameters { size: "limit", after: "after_id", before: Some("before_id"), usual: 20 };

static GEMINI_PAGES: PageParameters = PageParameters { size: "pageSize", after: "pageToken", before: None, usual: 50 };

pub(super) async fn list(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let query = request.query_string();
    let form = form_of(&request);
    let names = names(&request, form).await?;
    let page = |parameters: &PageParameters| {
        PageAsked::from_query(query, parameters).map_err(|wrong| ApiError::Invalid {
            message: format!("{wrong} must be a whole number from 1 on"),
            param: Some(wrong),
        })
    };
    let entries = |names: &[Arc<str>]| -> Vec<Value> { names.iter().map(|name| entry(form, name)).collect() };
    let answer = match form {
        ModelsForm::OpenAi => json!({ "object": "list", "data": entries(&names) }),
        // The catalogue of Codex is its own: without entries it goes by what it knows itself.
        ModelsForm::Codex => json!({ "object": "list", "data": entries(&names), "models": [] }),
        ModelsForm::Anthropic => {
            let Page { names, has_more } = page(&ANTHROPIC_PAGES)?.of(&names);
            let (first, last) = (names.first(), names.last());
            json!({ "data": entries(names), "has_more": has_more, "first_id": first, "last_id": last })
        }
        ModelsForm::Gemini => {
            let Page { names, has_more } = page(&GEMINI_PAGES)?.of(&names);
            let mut answer = json!({ "models": entries(names) });
            if let (true, Some(last), Some(fields)) = (has_more, names.last(), answer.as_object_mut()) {
                fields.insert("nextPageToken".to_owned(), json!(last));
            }
            answer
        }
    };
    Ok(HttpResponse::Ok().json(answer))
}

pub(super) async fn one(request: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let id = id.into_inner();
    let form = form_of(&request);
    if let Some(name) = names(&request, form).await?.iter().find(|name| ***name == *id) {
        return Ok(HttpResponse::Ok().json(entry(form, name)));
    }
    let key = ModelKey { format: form.format(), model: Arc::from(id.as_str()) };
    let caller = rights(&request);
    let apis = caller.as_ref().and_then(|key| key.apis.clone());
    let asked = worker(&request)?.pool.scheduler.send(GetSimilarNames { of: key, apis });
    let mut similar = asked.await.unwrap_or_default();
    similar.retain(|name| caller.as_ref().is_none_or(|key| key.may_ask_for(name)));
    Err(ApiError::ModelNotFound(MissingModel { model: id, similar }))
}

impl ModelsForm {
    /// Returns the format in which such a client asks for a model.
    fn format(self) -> WireFormat {
        match self {
            ModelsForm::Anthropic => WireFormat::Anthropic,
            ModelsForm::Gemini => WireFormat::Gemini,
            ModelsForm::OpenAi | ModelsForm::Codex => WireFormat::OpenAi,
        }
    }
}

/// Returns the form for a client.
fn form_of(request: &HttpRequest) -> ModelsForm {
    let (headers, query) = (request.headers(), request.query_string());
    if format_of(request.path()) == WireFormat::Gemini {
        ModelsForm::Gemini
    } else if headers.contains_key("anthropic-version") {
        ModelsForm::Anthropic
    } else if headers.contains_key("x-goog-api-key") || key_in_query(query).is_some() {
        ModelsForm::Gemini
    } else if query.split('&').any(|part| part.starts_with("client_version=")) {
        ModelsForm::Codex
    } else {
        ModelsForm::OpenAi
    }
}

/// Returns the names that the client can ask for, in order. An operator's key sees all of them.
async fn names(request: &HttpRequest, form: ModelsForm) -> Result<Vec<Arc<str>>, ApiError> {
    let caller = rights(request);
    let asked = GetModels { format: form.format(), apis: caller.as_ref().and_then(|key| key.apis.clone()) };
    let mut names = worker(request)?.supervisor.send(asked).await.map_err(|_| ApiError::Stopping)?;
    names.retain(|name| caller.as_ref().is_none_or(|key| key.may_ask_for(name)));
    Ok(names)
}

/// Returns the client's key; `None` for an operator's.
fn rights(request: &HttpRequest) -> Option<Arc<KeyConfig>> {
    client(request).ok()
}

fn entry(form: ModelsForm, name: &str) -> Value {
    match form {
        ModelsForm::OpenAi | ModelsForm::Codex => {
            json!({ "id": name, "object": "model", "created": CREATED, "owned_by": "api-together" })
        }
        ModelsForm::Anthropic => {
            json!({ "type": "model", "id": name, "display_name": name, "created_at": CREATED_AT })
        }
        ModelsForm::Gemini => {
            let methods = if is_for_embeddings(name) { EMBEDDING } else { GENERATION };
            json!({ "name": resource_name(name), "displayName": name, "supportedGenerationMethods": methods })
        }
    }
}
