//! The upgrade: which account serves the connection.

use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use actix_web::web::{Bytes, Payload};
use tokio::time::{Instant, timeout_at};
use transport::HandshakeRefusal;

use super::admission::{ConnectionGate, ServedBy};
use super::relay::Relay;
use crate::config::KeyConfig;
use crate::dialect::redact::redacted_error;
use crate::dialect::{CalledRoute, RefusedResponse};
use crate::error::ApiError;
use crate::proxy::attempt_error::{AttemptError, about_objects, failure_of};
use crate::proxy::client_request::ClientRequest;
use crate::proxy::dispatch::{Exhausted, fail, refuse};
use crate::proxy::key_rights::refuse_by_limits;
use crate::proxy::pool::{Pool, Upstreams};
use crate::proxy::retry_state::{FailedAttempt, Next, RetryState};
use crate::proxy::websocket::SocketHost;
use crate::proxy::websocket::body::SocketBody;
use crate::proxy::websocket::client_side::{ClientSide, Outbox};
use crate::proxy::websocket::refusal::{late, refused_attempt, sent};
use crate::proxy::websocket::upstream_side::{NotOpened, Opening, UpstreamSide};
use crate::types::{Failure, FailureClass, Phase, TokenEstimate};
use crate::upstream::{Permit, UsageMeter};

/// The sub-protocol of clients that expect the events of the beta.
const BETA_PROTOCOL: &str = "openai-beta.realtime-v1";

/// The header of such clients.
const OPENAI_BETA: HeaderName = HeaderName::from_static("openai-beta");

/// A connection to the account that serves a client, before the client's own is open.
pub struct RealtimeSocket<H> {
    admission: ConnectionGate<H>,
    upstream: UpstreamSide,
}

impl<H: SocketHost> RealtimeSocket<H> {
    /// Returns the body that serves the client.
    pub fn serve(self, payload: Payload) -> impl MessageBody + 'static {
        let outbox = Rc::new(Outbox::default());
        let host = &self.admission.host;
        let client = ClientSide::new(Box::pin(payload), outbox.clone(), host.config().server.body_limit, host.hold());
        SocketBody::new(Relay::new(client, self.upstream, self.admission).run(), outbox)
    }
}

/// Opens a connection to an account that serves what a client asks for.
///
/// # Errors
/// With the answer for the client, as over HTTP.
///
/// # Cancel safety
/// Dropping the future gives the permit back, and ends the record.
pub async fn open_realtime<H: SocketHost>(
    pool: Rc<Pool>,
    host: H,
    called: CalledRoute,
    (headers, query): (&HeaderMap, &str),
) -> Result<RealtimeSocket<H>, HttpResponse> {
    let mut record = host.open_record();
    let config = host.config();
    let begun = (|| -> Result<(ClientRequest, Arc<KeyConfig>), ApiError> {
        let key = host.key()?;
        let mut request = ClientRequest::parse_called(called, headers, Bytes::new())?;
        request.set_query(query)?;
        // Is there room for one response of the usual size?
        request.profile.estimate = TokenEstimate::default();
        request.choose_session(&key, config.affinity);
        if let Some(secret) = host.secret() {
            request.use_secret(secret);
        }
        if asks_for_beta(headers) {
            request.headers.push((OPENAI_BETA, HeaderValue::from_static("realtime=v1")));
        }
        record.with(|record| {
            record.model = Some(request.profile.model.clone()).filter(|model| !model.is_empty());
            record.route = Some(request.profile.route);
            record.stream = true;
        });
        request.use_key(&key)?;
        Ok((request, key))
    })();
    let (mut request, key) = match begun {
        Ok(begun) => begun,
        Err(error) => return Err(refuse(error, &mut record)),
    };
    record.asked();
    // The permit gives itself back.
    match host.admit_key(&key, &request.profile).await {
        Ok(permit) => record.admitted_by_key(permit),
        Err(refused) => return Err(refuse_by_limits(refused, &mut record)),
    }
    if let Some(models) = config.aliases.get(&request.profile.model) {
        request.use_alias(models.clone());
    }
    let mut state = RetryState::new(&request, config.retry, pool.budget(), record);
    match connect(&pool, &mut request, &mut state).await {
        Ok((upstream, meter)) => {
            state.record.discard();
            let served = ServedBy { endpoint: upstream.endpoint.clone(), meter };
            Ok(RealtimeSocket { admission: ConnectionGate::new(pool.clone(), host, request, served), upstream })
        }
        Err(Exhausted::Refused(refused)) if state.failures > 0 && state.only_missing_paths => {
            log::debug!("no account with the path: {refused}");
            Err(refuse(ApiError::NoWebSocket, &mut state.record))
        }
        Err(exhausted) => Err(fail(exhausted, &request, state)),
    }
}

/// Returns whether a sub-protocol asks for the events of the beta. A browser can send no header.
fn asks_for_beta(headers: &HeaderMap) -> bool {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).filter_map(|value| value.to_str().ok());
    offered.flat_map(|offered| offered.split(',')).any(|protocol| protocol.trim() == BETA_PROTOCOL)
        && !headers.contains_key(OPENAI_BETA)
}

async fn connect(
    pool: &Pool,
    request: &mut ClientRequest,
    state: &mut RetryState<'_>,
) -> Result<(UpstreamSide, UsageMeter), Exhausted> {
    if !request.objects.objects.is_empty() {
        state.home.find(pool.homes(), &request.objects).await.map_err(Exhausted::TwoHomes)?;
    }
    loop {
        let selected = pool.select(state.selection(request)).await;
        let mut permit = match state.admitted(selected) {
            Ok(permit) => permit,
            Err(refused) => {
                state.go_on_after(request, refused).await.map_err(Exhausted::Refused)?;
                continue;
            }
        };
        let place = state.begin_attempt(request, &mut permit);
        let error = match handshake(&permit, request).await {
            Ok(upstream) => {
                // What follows is admitted response by response: this permit gives itself back.
                permit.responded(true, None);
                state.record_success(&permit, place, true);
                state.home.served_by(&permit.endpoint().api, pool.homes(), request);
                return Ok((upstream, UsageMeter::of(&permit)));
            }
            Err(error) => error,
        };
        let next = state.should_retry(request, &error);
        state.record_failure(request, FailedAttempt { permit, place, error }, next);
        match next {
            Next::Replay | Next::AnotherUpstream => {}
            Next::AnotherModel => state.go_on_with_next_model(request),
            Next::GiveUp => return Err(Exhausted::Failed),
        }
    }
}

async fn handshake(permit: &Permit, request: &ClientRequest) -> Result<UpstreamSide, AttemptError> {
    let endpoint = permit.endpoint();
    let deadline = Instant::now() + endpoint.timeouts.first_token;
    let query = request.query_for(endpoint);
    let opening = Opening { route: request.route.id, query: &query, headers: &request.headers };
    match timeout_at(deadline, UpstreamSide::open(endpoint, opening)).await {
        Ok(Ok(upstream)) => Ok(upstream),
        Ok(Err(NotOpened::NoAddress)) => {
            // The configuration may have changed since the upstream was selected.
            let detail = format!("it has no {}", request.route.id.format().base_url_field());
            Err(Failure::new(FailureClass::StaleConnection, Phase::Connect, detail).into())
        }
        Ok(Err(NotOpened::Failed(error))) => Err(failure_of(error).into()),
        Ok(Err(NotOpened::Refused(refusal))) => Err(refused(permit, request, refusal)),
        Err(_) => Err(late().into()),
    }
}

fn refused(permit: &Permit, request: &ClientRequest, refusal: HandshakeRefusal) -> AttemptError {
    let HandshakeRefusal { status, headers, body } = refusal;
    let body = redacted_error(body, &permit.endpoint().key);
    let knows_no_websocket = !status.is_client_error() && !status.is_server_error()
        || matches!(status, StatusCode::UPGRADE_REQUIRED | StatusCode::NOT_IMPLEMENTED);
    let status = if knows_no_websocket { StatusCode::NOT_FOUND } else { status };
    let response = RefusedResponse { status: status.as_u16(), headers: &headers, body: &body };
    let mut error = refused_attempt(request.route, response, sent(request, permit.endpoint()));
    error.failure = about_objects(error.failure, request);
    error
}
