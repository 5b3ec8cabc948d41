//! The forwarded endpoints: the body is read, looked into, and handed to the data path.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CONTENT_LENGTH;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::auth::{client, worker};
use super::concurrency::BodyMemory;
use super::{Worker, request_id};
use crate::config::{ApiConfig, Config};
use crate::dialect::{CalledRoute, ReplyKind};
use crate::error::ApiError;
use crate::proxy::{ClientRequest, dispatch, merged_list, refuse, refuse_by_limits, with_pings};
use crate::records::OpenRecord;
use crate::types::{ApiId, Profile, RequestId};

/// Forwards one request: named, and recorded with all that the data path learns.
pub(super) async fn forward(called: CalledRoute, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let id = RequestId::generate();
    let mut response = match worker(&request) {
        Ok(worker) => {
            let mut record = request_id::open_record(worker, &request, id);
            record.with(|record| record.route = Some(called.route.id));
            tokio::select! {
                biased;
                served = serve(worker, ForwardedRequest { called, record }, &request, payload) => served,
                // A request whose answer has not begun when the server ends can be sent again, to another server.
                () = worker.shutdown.clone().over() => ApiError::Stopping.error_response(),
            }
        }
        Err(error) => error.error_response(),
    };
    request_id::name(response.headers_mut(), &id);
    response
}

/// A request that is to be forwarded.
struct ForwardedRequest {
    called: CalledRoute,
    record: OpenRecord,
}

async fn serve(
    worker: &Worker,
    forwarded: ForwardedRequest,
    request: &HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let ForwardedRequest { called, mut record } = forwarded;
    let route = called.route;
    let limit = worker.config().server.body_limit;
    let key = match client(request) {
        Ok(key) => key,
        Err(error) => return refuse(error, &mut record),
    };
    let read = read_body(worker, request, payload, limit).await.and_then(|(body, held)| {
        let mut asked = ClientRequest::parse_called(called, request.headers(), body)?;
        asked.set_query(request.query_string())?;
        asked.choose_session(&key, worker.config().affinity);
        Ok((asked, held))
    });
    match read {
        Ok((mut asked, held)) => {
            record.with(|record| {
                record.model = Some(asked.profile.model.clone()).filter(|model| !model.is_empty());
                record.route = Some(asked.profile.route);
                record.stream = asked.stream;
            });
            record.asked();
            let config = worker.config();
            if let Err(refused) = asked.use_key(&key).and_then(|()| asked.pass_to(config.server.passthrough.as_ref())) {
                return refuse(refused.into(), &mut record);
            }
            match worker.keys.admit(&key, &asked.profile, &config).await {
                Ok(permit) => record.admitted_by_key(permit),
                Err(refused) => return refuse_by_limits(refused, &mut record),
            }
            asked.echo_model = config.server.echo_model;
            asked.base = (route.reply == ReplyKind::Object).then(|| base_of(request)).flatten();
            if let Some(models) = config.aliases.get(&asked.profile.model) {
                asked.use_alias(models.clone());
            }
            let ping = config.server.stream_ping.filter(|_| asked.stream);
            let (pool, retry) = (worker.pool.clone(), config.retry);
            let accounts = asked.is_list().then(|| accounts(&config, &asked.profile)).filter(|all| all.len() > 1);
            // Boxed: three small futures cost less than one large one.
            let answer = Box::pin(async move {
                let _held = held;
                match accounts {
                    Some(accounts) => merged_list(pool, asked, (retry, accounts), record).await,
                    None => dispatch(pool, asked, retry, record).await,
                }
            });
            match ping {
                Some(every) => with_pings(answer, every, route.id.format()).await,
                None => answer.await,
            }
        }
        Err(error) => refuse(error, &mut record),
    }
}

/// Returns where the client reaches the pool, by the request's own word. A proxy in front may speak TLS.
fn base_of(request: &HttpRequest) -> Option<Box<str>> {
    let info = request.connection_info();
    let scheme = if info.scheme() == "https" { "https" } else { "http" };
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    let host = info.host();
    host.bytes().all(is_of_host).then(|| format!("{scheme}://{host}").into())
}

/// Returns the accounts that a list is made of.
fn accounts(config: &Config, of: &Profile) -> Vec<ApiId> {
    let may_serve = |api: &&Arc<ApiConfig>| api.enabled && api.offers(of.route.format()) && of.may_use(&api.id);
    config.apis.iter().filter(may_serve).map(|api| api.id.clone()).collect()
}

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
        return Err(ApiError::TooLarge(limit));
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
            return Err(ApiError::TooLarge(limit));
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
struct BodyDeadline {
    timeout: Duration,
    /// When the server had to wait for the first time.
    waiting_since: Option<Instant>,
}

impl BodyDeadline {
    fn of(timeout: Duration) -> BodyDeadline {
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
async fn next_piece(
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

fn announced(request: &HttpRequest) -> usize {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}
