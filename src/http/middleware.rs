//! What every request passes before its handler, and every response after it.
//!
//! One middleware does all, because each one more costs a request an allocation and a turn of the router. In order:
//!
//! 0. A path is taken as it is meant: see [`paths`].
//! 1. A request for a WebSocket is refused where none is served, and so is one beyond a limit. `/health` is always answered.
//! 2. A browser's preflight is answered, for the configured origins.
//! 3. Below `/v1`, and for `/metrics`, a key is required, and the key's role must suffice: see [`super::access`]. Without one a client
//!    learns nothing of what is there, and no body is read.
//! 4. The handler runs. A panic costs this request only.
//! 5. The response is marked for browsers, named, logged, and wrapped: the wrapper gives back what the request took. An error of
//!    ours gets the form of Anthropic's format or Gemini's, if the client speaks one of these.

use std::pin::pin;
use std::rc::Rc;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderValue, UPGRADE};
use actix_web::http::{ConnectionType, Method, StatusCode, Version};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, ResponseError};

use super::auth::{identify, presented_secret, wall_now, worker};
use super::catch_panic::{Panicked, catch_panic};
use super::concurrency::RequestSlot;
use super::endpoints::Audience;
use super::response_body::{GuardedBody, RequestGuards};
use super::socket::ConnectionState;
use super::{Worker, anthropic_form, cors, gemini_form, paths, request_id};
use crate::dialect::{Route, all_routes, format_of};
use crate::error::ApiError;
use crate::types::WireFormat;

/// Takes a request from the head to the response's body.
pub(super) async fn handle(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<GuardedBody>, actix_web::Error> {
    paths::straighten(&mut request);
    let here = worker(request.request())?;
    let shutdown = here.shutdown.clone();
    let origin = cors::named_origin(&request, &here.config().server.cors);
    let format = format_spoken(&request);
    let connection = request.conn_data::<Rc<ConnectionState>>();
    let in_flight = connection.map(ConnectionState::open);
    let too_many = connection.is_some_and(|connection| connection.is_too_many());
    let upgrades = asks_in_vain_for_websocket(&request);
    let closes = too_many || upgrades;
    let admitted = if upgrades { Err(ApiError::NoWebSocket) } else { admit(here, &request, too_many) };
    let (slot, early) = match admitted {
        Ok(slot) => (slot, early_answer(here, &request, origin.as_ref())),
        Err(refused) => (None, Some(refused.error_response())),
    };
    let mut response: ServiceResponse<BoxBody> = match early {
        Some(answer) => request.into_response(answer),
        None => match catch_panic(pin!(next.call(request))).await {
            Ok(answered) => answered?.map_into_boxed_body(),
            Err(Panicked) => return Err(ApiError::Internal.into()),
        },
    };
    let is_socket = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    if closes && !is_socket {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    end_by_closing_for_http10(&mut response);
    if let Some(origin) = origin {
        cors::mark(response.headers_mut(), origin);
    }
    request_id::name_and_record(&mut response);
    match format {
        WireFormat::OpenAi => {}
        WireFormat::Anthropic => anthropic_form::give(&mut response),
        WireFormat::Gemini => gemini_form::give(&mut response),
    }
    // Each turn of a WebSocket takes a slot of its own.
    let slot = slot.filter(|_| !is_socket);
    let guards = RequestGuards { slot, in_flight };
    Ok(response.map_body(|head, body| {
        GuardedBody::new(&head.headers, body, shutdown, guards).in_format(format).of_socket(is_socket)
    }))
}

/// Returns the format in which the client speaks: by the path, or by the header of every client of Anthropic's.
fn format_spoken(request: &ServiceRequest) -> WireFormat {
    if request.headers().contains_key("anthropic-version") {
        return WireFormat::Anthropic;
    }
    let path = request.match_info().unprocessed();
    // The same list has a form for each of the formats.
    if path.starts_with(MODELS) && request.headers().contains_key("x-goog-api-key") {
        return WireFormat::Gemini;
    }
    format_of(path)
}

/// Takes a slot among the requests served at the same time, or says why the request is refused.
fn admit(here: &Worker, request: &ServiceRequest, too_many: bool) -> Result<Option<RequestSlot>, ApiError> {
    if request.path() == HEALTH {
        return Ok(None);
    }
    if too_many {
        return Err(ApiError::Overloaded(TOO_MANY_CONNECTIONS));
    }
    let slot = here.concurrency.admit(here.config().server.limits.max_requests);
    slot.map(Some).ok_or(ApiError::Overloaded(TOO_MANY_REQUESTS))
}

/// Returns the answer to a preflight, or to a request without a key. Neither needs a handler.
fn early_answer(
    here: &Worker,
    request: &ServiceRequest,
    origin: Option<&HeaderValue>,
) -> Option<actix_web::HttpResponse> {
    if let Some(answer) = origin.and_then(|origin| cors::preflight(request, origin)) {
        return Some(answer);
    }
    // The path as the router reads it: `%76` is decoded.
    let audience = Audience::of(request.match_info().unprocessed());
    if audience == Audience::Everybody {
        return None;
    }
    let config = here.config();
    let (path, headers, query) = (request.match_info().unprocessed(), request.headers(), request.query_string());
    let identified = match presented_secret(here, path, headers, query) {
        Some(secret) => secret.holder(&config),
        None => identify(headers, query, &config),
    };
    let admitted = identified.and_then(|caller| {
        let admitted = audience.admit(&caller, &config, wall_now);
        request.extensions_mut().insert(caller);
        Ok(admitted?)
    });
    admitted.err().map(|refused| refused.error_response())
}

/// Lets the end of the connection end a body of unknown length, where the client speaks HTTP/1.0 and knows no chunks.
fn end_by_closing_for_http10(response: &mut ServiceResponse<impl MessageBody>) {
    if response.request().version() < Version::HTTP_11 && response.response().body().size() == BodySize::Stream {
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
}

/// Returns whether the request asks for a WebSocket where none is served. What follows on such a connection would be no HTTP.
fn asks_in_vain_for_websocket(request: &ServiceRequest) -> bool {
    let asks = request.headers().get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let serves = |route: &&Route| {
        route.websocket.is_some()
            && request.method() == Method::GET
            && route.id.is_at(request.match_info().unprocessed())
    };
    asks && !all_routes().any(|route| serves(&route))
}

const HEALTH: &str = "/health";
const MODELS: &str = "/v1/models";
const TOO_MANY_CONNECTIONS: &str = "too many connections are open (server.maxConnections)";
const TOO_MANY_REQUESTS: &str = "too many requests are served at the same time (server.maxRequests)";
