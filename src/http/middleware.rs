//! What every request passes before its handler, and every answer after it. One middleware and not one for each concern: each
//! would cost every request an allocation and a turn.

use std::pin::pin;
use std::rc::Rc;

use actix_web::ResponseError;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::UPGRADE;
use actix_web::http::{ConnectionType, Version};
use actix_web::middleware::Next;

use super::auth::worker;
use super::catch_panic::{Panicked, catch_panic};
use super::response_body::{RequestGuards, ResponseBody};
use super::socket::ConnectionState;
use super::{cors, request_id};
use crate::error::ApiError;

/// Refuses what is too much, answers browsers that ask first, marks answers for them, and names and logs each answer.
pub(super) async fn handle(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<ResponseBody>, actix_web::Error> {
    let here = worker(request.request())?;
    let (ending, origin) = (here.shutdown.clone(), cors::named_origin(&request));
    let connection = request.conn_data::<Rc<ConnectionState>>();
    let (too_many, upgrade) = (connection.is_some_and(|connection| connection.is_too_many()), upgrades(&request));
    let mut taken = RequestGuards { admitted: None, open: connection.map(ConnectionState::open) };
    let refused = match (upgrade, request.path() == HEALTH, too_many) {
        (true, _, _) => Some(ApiError::NoUpgrade),
        // Answered however much there is to do.
        (false, true, _) => None,
        (false, false, true) => Some(ApiError::Overloaded(NO_PLACE)),
        (false, false, false) => {
            taken.admitted = here.concurrency.admit(here.config().server.limits.max_requests);
            taken.admitted.is_none().then_some(ApiError::Overloaded(TOO_MANY))
        }
    };
    let early = match refused {
        Some(why) => Some(why.error_response()),
        None => origin.as_ref().and_then(|origin| cors::preflight(&request, origin)),
    };
    let mut response = match early {
        Some(answer) => request.into_response(answer),
        None => match catch_panic(pin!(next.call(request))).await {
            Ok(answered) => answered?.map_into_boxed_body(),
            Err(Panicked) => return Err(ApiError::Internal.into()),
        },
    };
    if too_many || upgrade {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    end_by_closing_for_http10(&mut response);
    if let Some(origin) = origin {
        cors::mark(response.headers_mut(), origin);
    }
    request_id::name_and_record(&mut response);
    Ok(response.map_body(|head, body| ResponseBody::new(&head.headers, body, &ending, taken)))
}

/// Lets the end of the connection end a body of unknown length, where the client speaks HTTP/1.0 and knows no chunks.
fn end_by_closing_for_http10(response: &mut ServiceResponse<impl MessageBody>) {
    if response.request().version() < Version::HTTP_11 && response.response().body().size() == BodySize::Stream {
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
}

/// Does it ask for another protocol? What follows on such a connection would be no HTTP.
fn upgrades(request: &ServiceRequest) -> bool {
    request.headers().get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

const HEALTH: &str = "/health";
const NO_PLACE: &str = "too many connections are open (server.maxConnections)";
const TOO_MANY: &str = "too many requests are served at the same time (server.maxRequests)";
