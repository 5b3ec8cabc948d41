//! The forwarded endpoints: reads the body, looks into it, hands it to the data path.

use std::borrow::Cow;
use std::time::Duration;

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::auth::worker;
use super::concurrency::BodyMemory;
use super::{Worker, request_id};
use crate::dialect::Route;
use crate::error::ApiError;
use crate::proxy::{ClientRequest, dispatch, refuse, with_pings};
use crate::records::OpenRecord;
use crate::types::RequestId;

/// Forwards one request: named, and logged with all that the data path learns of it.
pub(super) async fn forward(route: &'static Route, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let id = RequestId::generate();
    let mut response = match worker(&request) {
        Ok(worker) => {
            let record = request_id::open_record(worker, &request, id.clone(), Cow::Owned(route.id.to_string()));
            tokio::select! {
                biased;
                served = serve(worker, Forwarded { route, record }, &request, payload) => served,
                // What has not begun to be answered when the server ends can be asked again, elsewhere.
                () = worker.shutdown.clone().over() => ApiError::Stopping.error_response(),
            }
        }
        Err(error) => error.error_response(),
    };
    request_id::name(response.headers_mut(), &id);
    response
}

/// A request that is to be forwarded.
struct Forwarded {
    route: &'static Route,
    record: OpenRecord,
}

async fn serve(worker: &Worker, forwarded: Forwarded, request: &HttpRequest, payload: web::Payload) -> HttpResponse {
    let Forwarded { route, mut record } = forwarded;
    let limit = worker.config().server.body_limit;
    let read = read_body(worker, request, payload, limit).await.and_then(|(body, held)| {
        let asked = ClientRequest::parse(route, request.headers(), body)
            .map_err(|invalid| ApiError::Invalid { message: invalid.message, param: invalid.param })?;
        Ok((asked, held))
    });
    match read {
        Ok((asked, held)) => {
            record.with(|record| record.model = Some(asked.profile.model.clone()));
            let config = worker.config();
            let ping = config.server.stream_ping.filter(|_| asked.stream);
            let (pool, retry) = (worker.pool.clone(), config.retry);
            // Boxed, as in `journey`: three small futures cost less than one large one.
            let answer = Box::pin(async move {
                let _held = held;
                dispatch(pool, asked, retry, record).await
            });
            match ping {
                Some(every) => with_pings(answer, every).await,
                None => answer.await,
            }
        }
        Err(error) => refuse(error, &mut record),
    }
}

/// The whole body of a request, of at most `limit` bytes, and what it takes of the memory for all bodies, for as long as it is
/// kept. A body that comes in a single piece, as most do, is that piece: it is not copied; of others, each byte is copied once.
pub(super) async fn read_body(
    worker: &Worker,
    request: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
) -> Result<(web::Bytes, BodyMemory), ApiError> {
    let (pace, most) = (BodyDeadline::of(worker.config().server.limits.body_timeout), worker.bodies_in_flight());
    let announced = announced(request);
    if announced > limit {
        return Err(ApiError::TooLarge { limit });
    }
    let mut held = worker.concurrency.hold();
    let mut first = web::Bytes::new();
    let mut gathered = web::BytesMut::new();
    // What is announced counts before it comes, what is not as it comes.
    let mut size = announced;
    loop {
        if !held.grow_to(size, most) {
            return Err(ApiError::Overloaded(TOO_LARGE));
        }
        let came = first.len().max(gathered.len());
        let Some(piece) = next_piece(&mut payload, &pace, came).await? else { break };
        size = size.max(came + piece.len());
        if size > limit {
            return Err(ApiError::TooLarge { limit });
        }
        if first.is_empty() {
            first = piece;
            continue;
        }
        if gathered.is_empty() {
            // What is announced is room to ask for once, and no reason to believe it.
            gathered.reserve(announced.max(first.len() + piece.len()));
            gathered.extend_from_slice(&first);
        }
        gathered.extend_from_slice(&piece);
    }
    Ok((if gathered.is_empty() { first } else { gathered.freeze() }, held))
}

const TOO_LARGE: &str = "the requests that are served hold too much memory (server.bodiesInFlightMb)";

/// How slowly a body may come: its next piece within `server.bodyTimeoutMs`, and all of it within that and a millisecond more for
/// each byte (8 kbit/s). Who sends a byte now and then would hold the memory that was granted to him.
struct BodyDeadline {
    patience: Duration,
    begun: Instant,
}

impl BodyDeadline {
    fn of(patience: Duration) -> BodyDeadline {
        BodyDeadline { patience, begun: Instant::now() }
    }

    /// By when the next piece must be there, when `came` bytes have come.
    fn until(&self, came: usize) -> Instant {
        let steady = self.begun + Duration::from_millis(came as u64);
        steady.min(Instant::now()) + self.patience
    }
}

/// The next piece of a body of which `came` bytes are there, or `None` at its end.
async fn next_piece(
    payload: &mut web::Payload,
    pace: &BodyDeadline,
    came: usize,
) -> Result<Option<web::Bytes>, ApiError> {
    // What is there already needs no clock.
    let next = match payload.next().now_or_never() {
        Some(next) => next,
        None => timeout_at(pace.until(came), payload.next()).await.map_err(|_| ApiError::BodySlow)?,
    };
    next.transpose().map_err(|_| ApiError::BodyCut)
}

fn announced(request: &HttpRequest) -> usize {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
