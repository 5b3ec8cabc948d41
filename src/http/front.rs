//! What every request passes before its handler, and every answer after it. One middleware and not one for each concern: each
//! would cost every request an allocation and a turn.

use std::rc::Rc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderValue;
use actix_web::middleware::Next;
use actix_web::{HttpResponse, ResponseError};

use super::auth::worker;
use super::served::{Served, Taken};
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
    let mut taken = Taken { admitted: None, open: request.conn_data::<Rc<Requests>>().map(Requests::open) };
    let mut response = match early(here, &request, origin.as_ref(), &mut taken) {
        Some(answer) => request.into_response(answer),
        None => next.call(request).await?.map_into_boxed_body(),
    };
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
    if request.path() != "/health" {
        taken.admitted = worker.load.admit(worker.config().server.edge.max_requests);
        if taken.admitted.is_none() {
            return Some(ApiError::Overloaded(TOO_MANY).error_response());
        }
    }
    cors::preflight(request, origin?)
}

const TOO_MANY: &str = "too many requests are served at the same time (server.maxRequests)";
