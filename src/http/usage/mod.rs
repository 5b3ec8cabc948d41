//! `GET /v1/usage` and `/v1/usage.csv`: who used what. `organization` has the same in OpenAI's shapes.

pub(super) mod organization;
mod question;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, HeaderName};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use self::question::UsageQuestion;
pub(super) use self::question::time;
use super::Worker;
use super::auth::worker;
use crate::error::ApiError;
use crate::mailbox::blocking;
use crate::records::{AskUsage, UsageAnswer, UsageError};
use crate::types::Now;
use crate::usage::{UsageQuery, usage_csv, usage_json};

pub(super) async fn json(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let UsageAnswer { sum, is_complete } = usage_answer(worker(&request)?, request.query_string()).await?;
    let body = rendered(move || usage_json(&sum, is_complete)).await?;
    Ok(response(is_complete).content_type("application/json").body(body))
}

pub(super) async fn csv(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    csv_response(worker(&request)?, request.query_string()).await
}

/// Answers a query of `/v1/usage` as CSV.
pub(crate) async fn csv_response(worker: &Worker, query: &str) -> Result<HttpResponse, ApiError> {
    let UsageAnswer { sum, is_complete } = usage_answer(worker, query).await?;
    let body = rendered(move || usage_csv(&sum)).await?;
    let mut response = response(is_complete);
    Ok(response
        .content_type("text/csv; charset=utf-8")
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"usage.csv\""))
        .body(body))
}

/// Begins an answer. Without the numbers of other servers a header says so.
fn response(is_complete: bool) -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "no-store"));
    if !is_complete {
        response.insert_header((HeaderName::from_static("x-usage-complete"), "false"));
    }
    response
}

/// Answers a query of `/v1/usage`.
pub(crate) async fn usage_answer(worker: &Worker, query: &str) -> Result<UsageAnswer, ApiError> {
    let question = UsageQuestion::read(query)?;
    ask(worker, question.query(Now::read().wall, &jiff::tz::TimeZone::system())?).await
}

/// Asks the recorder.
pub(super) async fn ask(worker: &Worker, query: UsageQuery) -> Result<UsageAnswer, ApiError> {
    let asked = worker.recorder_actor.send(AskUsage(query)).await;
    asked.map_err(|_| ApiError::Stopping)?.map_err(|error| match error {
        UsageError::TooManyRows => ApiError::Invalid {
            message: "there would be more than 200000 rows; ask for a shorter time, a longer `by`, fewer names in `group`, or \
                      filter by key, api, model or app"
                .to_owned(),
            param: Some("group"),
        },
        UsageError::Late => ApiError::Overloaded("too many questions about usage at once; ask for a shorter time, or later"),
        UsageError::Stopping => ApiError::Stopping,
    })
}

/// Writes a body on a thread of its own: a large one takes some hundred milliseconds.
async fn rendered(write: impl FnOnce() -> String + Send + 'static) -> Result<String, ApiError> {
    blocking(write).await.map_err(|_| ApiError::Internal)
}
