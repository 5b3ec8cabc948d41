//! What every request passes before its handler, and every answer after it. One middleware and not one for each concern: each
//! would cost every request an allocation and a turn.

use std::pin::pin;
use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderValue, UPGRADE};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, ResponseError};

use super::auth::worker;
use super::served::{Served, Taken};
use super::shield::{Panicked, shielded};
use super::socket::Requests;
use super::{Worker, cors, request_id};
use crate::error::ApiError;

/// Refuses what is too much, answers browsers that ask first, marks answers for them, and names and logs each answer.
pub(super) async fn front(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<Served>, actix_web::Error> {
    let here = worker(request.request())?;
    let (ending, origin) = (here.ending.clone(), cors::named_origin(&request));
    let connection = request.conn_data::<Rc<Requests>>();
    let too_many = connection.is_some_and(|connection| connection.is_too_many());
    // What follows on such a connection would be no HTTP.
    let upgrade = request.headers().get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    let mut taken = Taken { admitted: None, open: connection.map(Requests::open) };
    let early = match (upgrade, too_many && request.path() != HEALTH) {
        (true, _) => Some(ApiError::NoUpgrade.error_response()),
        (false, true) => Some(ApiError::Overloaded(NO_PLACE).error_response()),
        (false, false) => early(here, &request, origin.as_ref(), &mut taken),
    };
    let mut response = match early {
        Some(answer) => request.into_response(answer),
        None => match shielded(pin!(next.call(request))).await {
            Ok(answered) => answered?.map_into_boxed_body(),
            Err(Panicked) => return Err(ApiError::Internal.into()),
        },
    };
    if too_many || upgrade {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    if let Some(origin) = origin {
        cors::mark(response.headers_mut(), origin);
    }
    request_id::name_and_log(&mut response);
    Ok(response.map_body(|head, body| Served::new(&head.headers, body, &ending, taken)))
}

/// The answer to a request that goes no further. One that does counts as served from now on, unless it asks for the health:
/// that is told however much there is to do.
fn early(
    worker: &Worker,
    request: &ServiceRequest,
    origin: Option<&HeaderValue>,
    taken: &mut Taken,
) -> Option<HttpResponse> {
    if request.path() != HEALTH {
        taken.admitted = worker.load.admit(worker.config().server.edge.max_requests);
        if taken.admitted.is_none() {
            return Some(ApiError::Overloaded(TOO_MANY).error_response());
        }
    }
    cors::preflight(request, origin?)
}

/// Answered however much there is to do.
const HEALTH: &str = "/health";

const NO_PLACE: &str = "too many connections are open (server.maxConnections)";
const TOO_MANY: &str = "too many requests are served at the same time (server.maxRequests)";
