//! The bodies of requests: read in time, and within the memory for all bodies.

use std::time::Duration;

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, web};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::Worker;
use super::concurrency::BodyMemory;
use crate::error::ApiError;

/// Reads the whole body of a request, of at most `limit` bytes. A guard comes along, for the share of the memory for all
/// bodies. A body of a single piece, as most are, is not copied; of any other, each byte is copied once.
pub(super) async fn read_body(
    worker: &Worker,
    request: &HttpRequest,
    mut payload: web::Payload,
    limit: usize,
) -> Result<(web::Bytes, BodyMemory), ApiError> {
    let mut deadline = BodyDeadline::of(worker.config().server.limits.body_timeout);
    let most = worker.bodies_in_flight();
    let announced = announced(request);
    if announced > limit {
        return Err(ApiError::TooLarge(limit, "server.bodyLimitMb"));
    }
    let mut held = worker.concurrency.hold();
    let mut first = web::Bytes::new();
    let mut gathered = web::BytesMut::new();
    // An announced body counts before the first byte, any other piece by piece.
    let mut size = announced;
    loop {
        if !held.grow_to(size, most) {
            return Err(ApiError::Overloaded(TOO_LARGE));
        }
        let came = first.len().max(gathered.len());
        let Some(piece) = next_piece(&mut payload, &mut deadline, came).await? else { break };
        size = size.max(came + piece.len());
        if size > limit {
            return Err(ApiError::TooLarge(limit, "server.bodyLimitMb"));
        }
        if first.is_empty() {
            first = piece;
            continue;
        }
        if gathered.is_empty() {
            // The announced length is worth one allocation, even if less comes.
            gathered.reserve(announced.max(first.len() + piece.len()));
            gathered.extend_from_slice(&first);
        }
        gathered.extend_from_slice(&piece);
    }
    Ok((if gathered.is_empty() { first } else { gathered.freeze() }, held))
}

const TOO_LARGE: &str = "the requests that are served hold too much memory (server.bodiesInFlightMb)";

/// How slowly a body may come. The next piece must come within `server.bodyTimeoutMs`, and the whole body within this time
/// and a millisecond more for each byte (8 kbit/s). Otherwise a byte now and then would hold memory for hours.
pub(super) struct BodyDeadline {
    timeout: Duration,
    /// When the server had to wait for the first time.
    waiting_since: Option<Instant>,
}

impl BodyDeadline {
    pub(super) fn of(timeout: Duration) -> BodyDeadline {
        BodyDeadline { timeout, waiting_since: None }
    }

    /// Returns by when the next piece must be there, when `came` bytes have come.
    fn until(&mut self, came: usize) -> Instant {
        let now = Instant::now();
        let steady = *self.waiting_since.get_or_insert(now) + Duration::from_millis(came as u64);
        steady.min(now) + self.timeout
    }
}

/// Returns the next piece of a body of which `came` bytes are there, or `None` at its end.
pub(super) async fn next_piece(
    payload: &mut web::Payload,
    deadline: &mut BodyDeadline,
    came: usize,
) -> Result<Option<web::Bytes>, ApiError> {
    // A piece in the buffer needs no clock.
    let next = match payload.next().now_or_never() {
        Some(next) => next,
        None => timeout_at(deadline.until(came), payload.next()).await.map_err(|_| ApiError::BodySlow)?,
    };
    next.transpose().map_err(|_| ApiError::BodyCut)
}

pub(super) fn announced(request: &HttpRequest) -> usize {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
