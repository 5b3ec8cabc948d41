//! The upgrade to a WebSocket: checked, answered, and handed to the data path.
//!
//! 1. The upgrade is accepted if an upstream speaks WebSockets, and refused with 426 otherwise: agents then go on over HTTP.
//! 2. Browsers can send no headers: a sub-protocol may hold the key. The answer names the sub-protocol `realtime`, if it was
//!    offered, and never the key.
//! 3. No extension is agreed on, so messages are not compressed.
//! 4. A realtime connection is answered when an account has opened one. Else the client learns why, by the status.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::RequestHead;
use actix_http::ws::{hash_key, verify_handshake};
use actix_web::body::BoxBody;
use actix_web::http::header::{
    HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError, web};

use super::Worker;
use super::auth::{PresentedSecret, identify, presented_secret, protocols, wall_now, worker};
use super::concurrency::{BodyMemory, RequestSlot};
use super::request_id::{self, app_of};
use crate::config::{ApiKey, Config, Identity, KeyConfig};
use crate::dialect::{CalledRoute, SocketRoute};
use crate::error::ApiError;
use crate::keys::{KeyAdmissionError, KeyPermit, KeySpending};
use crate::proxy::{
    ClientSocket, RequestMemory, SocketEvidence, SocketHost, any_upstream_speaks, open_realtime, serve,
};
use crate::records::OpenRecord;
use crate::types::{Profile, RequestId};

/// The sub-protocol that the answer may name.
const REALTIME: &str = "realtime";

/// Returns whether the request asks for a WebSocket.
pub(super) fn is_asked_for(head: &RequestHead) -> bool {
    head.method == Method::GET
        && head.headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Answers an upgrade. The body of the answer is the connection.
pub(super) async fn upgrade(
    socket: SocketRoute,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let worker = worker(&request)?;
    let config = worker.config();
    check(worker, &request)?;
    if !any_upstream_speaks(&worker.sockets, &config, socket).await {
        return Err(ApiError::NoWebSocket);
    }
    let host = Host::new(worker, &request);
    let headers = request.headers().clone();
    let query = request.query_string().to_owned();
    let client = ClientSocket { route: socket, headers, query, payload };
    Ok(accepted(request.headers())?.body(BoxBody::new(serve(worker.pool.clone(), host, client))))
}

/// Answers an upgrade to a realtime connection.
pub(super) async fn open(called: CalledRoute, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let opened = async {
        let worker = worker(&request)?;
        if !is_asked_for(request.head()) {
            let message = format!("{} is a WebSocket: ask with `Upgrade: websocket`", request.path());
            return Err(ApiError::Invalid { message, param: None });
        }
        check(worker, &request)?;
        let host = Host::new(worker, &request);
        let asked = (request.headers(), request.query_string());
        let opening = open_realtime(worker.pool.clone(), host, called, asked);
        let opened = tokio::select! {
            biased;
            opened = opening => opened,
            () = worker.shutdown.clone().over() => return Err(ApiError::Stopping),
        };
        match opened {
            Ok(socket) => Ok(accepted(request.headers())?.body(BoxBody::new(socket.serve(payload)))),
            Err(mut refused) => {
                // The refusal has a record.
                request_id::name(refused.headers_mut(), &RequestId::generate());
                Ok(refused)
            }
        }
    };
    opened.await.unwrap_or_else(|error| error.error_response())
}

/// Checks a handshake.
fn check(worker: &Worker, request: &HttpRequest) -> Result<(), ApiError> {
    verify_handshake(request.head())
        .map_err(|why| ApiError::Invalid { message: format!("no handshake of a WebSocket: {why}"), param: None })?;
    if worker.shutdown.is_draining() { Err(ApiError::Stopping) } else { Ok(()) }
}

/// Returns the answer to an upgrade, without a body.
fn accepted(headers: &HeaderMap) -> Result<HttpResponseBuilder, ApiError> {
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let accept = HeaderValue::from_bytes(&hash_key(key)).map_err(|_| ApiError::Internal)?;
    let mut response = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS);
    response.upgrade("websocket").insert_header((SEC_WEBSOCKET_ACCEPT, accept));
    // The turns have records, and the upgrade has none: a name keeps it from one.
    response.insert_header((HeaderName::from_static("x-request-id"), RequestId::generate().as_str()));
    if protocols(headers).any(|protocol| protocol == REALTIME) {
        response.insert_header((SEC_WEBSOCKET_PROTOCOL, REALTIME));
    }
    Ok(response)
}

/// What a connection needs of its worker.
struct Host {
    worker: Worker,
    path: String,
    peer: Option<IpAddr>,
    /// The headers and the query of the upgrade: the client's key is there.
    headers: HeaderMap,
    query: String,
    /// In the place of a key.
    secret: Option<PresentedSecret>,
}

impl Host {
    fn new(worker: &Worker, request: &HttpRequest) -> Host {
        Host {
            path: request.path().to_owned(),
            peer: request.peer_addr().map(|peer| peer.ip()),
            headers: request.headers().clone(),
            query: request.query_string().to_owned(),
            secret: presented_secret(worker, request.path(), request.headers(), request.query_string()),
            worker: worker.clone(),
        }
    }

    /// Returns who the client is. The key may have left the configuration since the upgrade.
    fn caller(&self) -> Result<Identity, ApiError> {
        let config = self.config();
        match &self.secret {
            Some(secret) => secret.holder(&config),
            None => identify(&self.headers, &self.query, &config),
        }
    }
}

impl SocketHost for Host {
    type Slot = RequestSlot;
    type Memory = SocketMemory;

    fn config(&self) -> Rc<Arc<Config>> {
        self.worker.config()
    }

    fn evidence(&self) -> &Arc<SocketEvidence> {
        &self.worker.sockets
    }

    fn open_record(&self) -> OpenRecord {
        let method = Method::from_bytes(b"WS").unwrap_or_default();
        let path = Cow::Owned(self.path.clone());
        let mut record = OpenRecord::new(self.worker.recorder.clone(), RequestId::generate(), method, path);
        let caller = self.caller();
        record.with(|record| {
            record.client = self.peer;
            record.key = caller.ok().map(|caller| caller.name().clone());
            record.app = app_of(&self.headers);
        });
        record
    }

    fn key(&self) -> Result<Arc<KeyConfig>, ApiError> {
        Ok(self.caller()?.client(wall_now)?)
    }

    fn secret(&self) -> Option<&ApiKey> {
        self.secret.as_ref().map(|presented| &presented.secret)
    }

    fn config_changed(&self) -> impl Future<Output = ()> {
        self.worker.config_changed()
    }

    fn admit(&self) -> Result<(RequestSlot, Arc<KeyConfig>), ApiError> {
        let key = self.key()?;
        let slot = self.worker.concurrency.admit(self.config().server.limits.max_requests);
        let too_many = "too many requests are served at the same time (server.maxRequests)";
        Ok((slot.ok_or(ApiError::Overloaded(too_many))?, key))
    }

    async fn admit_key(&self, key: &Arc<KeyConfig>, profile: &Profile) -> Result<Option<KeyPermit>, KeyAdmissionError> {
        self.worker.keys.admit(key, profile, &self.config()).await
    }

    fn spend(&self, key: &Arc<KeyConfig>, spending: KeySpending) {
        self.worker.keys.spend(key, spending);
    }

    fn hold(&self) -> SocketMemory {
        SocketMemory { held: self.worker.concurrency.hold(), worker: self.worker.clone() }
    }

    fn draining(&self) -> impl Future<Output = ()> + 'static {
        self.worker.shutdown.clone().draining()
    }

    fn over(&self) -> impl Future<Output = ()> + 'static {
        self.worker.shutdown.clone().over()
    }
}

/// The bytes of one client in memory.
struct SocketMemory {
    held: BodyMemory,
    worker: Worker,
}

impl RequestMemory for SocketMemory {
    fn resize(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.held.shrink_to(bytes);
        let is_held = self.held.grow_to(bytes, self.worker.bodies_in_flight());
        let too_large = "the requests that are served hold too much memory (server.bodiesInFlightMb)";
        if is_held { Ok(()) } else { Err(ApiError::Overloaded(too_large)) }
    }
}
