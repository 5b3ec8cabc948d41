//! The paths that the router does not know one by one: found in the route table, by method and path.
//!
//! A path of the table with another method is a 405. Any other path is a 404, unless `server.passthrough` names the account that gets it.

use std::fmt::Display;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use super::auth::worker;
use super::forward::forward;
use super::{unknown_paths, websocket};
use crate::dialect::{CalledRoute, GeminiPath, Route, SocketUse, passed_through, routes_at};
use crate::error::ApiError;
use crate::types::{Verb, WireFormat, sorted};

/// Forwards a request by the table.
pub(super) async fn by_table(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    by_table_or("", request, payload).await
}

/// Forwards a request by the table. `known`: the methods that the router has a handler for at the path.
pub(super) async fn by_table_or(known: &'static str, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    match find(&request, known) {
        Ok(called) => match called.route.websocket {
            Some(SocketUse::Realtime(_)) => websocket::open(called, request, payload).await,
            Some(SocketUse::Turns(_)) | None => forward(called, request, payload).await,
        },
        Err(error) => error.error_response(),
    }
}

/// Finds the row of a request.
fn find(request: &HttpRequest, known: &'static str) -> Result<CalledRoute, ApiError> {
    // The path as the router reads it: `%76` is decoded.
    let path = request.match_info().as_str();
    if let Some(asked) = GeminiPath::of(path).filter(|_| request.method() == Method::POST) {
        let unknown = || ApiError::UnknownPath {
            asked: format!("{} {}", request.method(), request.path()),
            hint: unknown_paths::geminis_hint(),
        };
        return asked.called().ok_or_else(unknown)?.map_err(invalid);
    }
    let below = path.strip_prefix("/v1/").unwrap_or_default();
    let rows: Vec<&'static Route> = routes_at(below, format_of(request)).collect();
    let verb = Verb::of(request.method().as_str());
    if let Some(row) = rows.iter().find(|row| Some(row.id.verb()) == verb) {
        return CalledRoute::read(row, below).map_err(invalid);
    }
    let mut allowed: Vec<&str> = rows.iter().map(|row| row.id.verb().as_str()).collect();
    allowed.extend(known.split(", ").filter(|known| !known.is_empty()));
    sorted::sort(&mut allowed);
    allowed.dedup();
    let passes = worker(request)?.config().server.passthrough.is_some() && !below.is_empty();
    if let Some(row) = verb.and_then(passed_through).filter(|_| passes && allowed.is_empty()) {
        return CalledRoute::unknown(row, below).map_err(invalid);
    }
    if allowed.is_empty() {
        let asked = format!("{} {}", request.method(), request.path());
        return Err(ApiError::UnknownPath { asked, hint: unknown_paths::hint(request.path()) });
    }
    let (method, path) = (request.method().to_string(), request.path().to_owned());
    Err(ApiError::WrongMethod { method, path, allow: allowed.join(", ").into() })
}

fn invalid(wrong: impl Display) -> ApiError {
    ApiError::Invalid { message: wrong.to_string(), param: None }
}

/// Returns the format of the client where a path has two.
fn format_of(request: &HttpRequest) -> WireFormat {
    if request.headers().contains_key("anthropic-version") { WireFormat::Anthropic } else { WireFormat::OpenAi }
}
