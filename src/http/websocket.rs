//! The upgrade to a WebSocket: checked, answered, and handed to the data path.
//!
//! 1. The upgrade is accepted if an upstream speaks WebSockets, and refused with 426 otherwise: agents then go on over HTTP.
//! 2. Browsers can send no headers: a sub-protocol may hold the key. The answer names the sub-protocol `realtime`, if it was
//!    offered, and never the key.
//! 3. No extension is agreed on, so messages are not compressed.

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
use actix_web::{HttpRequest, HttpResponse, web};

use super::Worker;
use super::auth::{identify, protocols, wall_now, worker};
use super::concurrency::{BodyMemory, RequestSlot};
use super::request_id::app_of;
use crate::config::{Config, KeyConfig};
use crate::dialect::SocketRoute;
use crate::error::ApiError;
use crate::keys::{KeyAdmissionError, KeyPermit};
use crate::proxy::{ClientSocket, RequestMemory, SocketEvidence, SocketHost, any_upstream_speaks, serve};
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
    verify_handshake(request.head())
        .map_err(|why| ApiError::Invalid { message: format!("no handshake of a WebSocket: {why}"), param: None })?;
    let config = worker.config();
    if worker.shutdown.is_draining() {
        return Err(ApiError::Stopping);
    }
    if !any_upstream_speaks(&worker.sockets, &config, socket).await {
        return Err(ApiError::NoWebSocket);
    }
    let headers = request.headers();
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
    let accept = HeaderValue::from_bytes(&hash_key(key)).map_err(|_| ApiError::Internal)?;
    let mut response = HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS);
    response.upgrade("websocket").insert_header((SEC_WEBSOCKET_ACCEPT, accept));
    // The turns have records, and the upgrade has none: a name keeps it from one.
    response.insert_header((HeaderName::from_static("x-request-id"), RequestId::generate().as_str()));
    if protocols(headers).any(|protocol| protocol == REALTIME) {
        response.insert_header((SEC_WEBSOCKET_PROTOCOL, REALTIME));
    }
    let host = Host {
        path: request.path().to_owned(),
        peer: request.peer_addr().map(|peer| peer.ip()),
        headers: headers.clone(),
        query: request.query_string().to_owned(),
        worker: worker.clone(),
    };
    let client =
        ClientSocket { route: socket, headers: headers.clone(), query: request.query_string().to_owned(), payload };
    Ok(response.body(BoxBody::new(serve(worker.pool.clone(), host, client))))
}

/// What a connection needs of its worker.
struct Host {
    worker: Worker,
    path: String,
    peer: Option<IpAddr>,
    /// The headers and the query of the upgrade: the client's key is there.
    headers: HeaderMap,
    query: String,
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
        let caller = identify(&self.headers, &self.query, &self.config());
        record.with(|record| {
            record.client = self.peer;
            record.key = caller.ok().map(|caller| caller.name().clone());
            record.app = app_of(&self.headers);
        });
        record
    }

    fn admit(&self) -> Result<(RequestSlot, Arc<KeyConfig>), ApiError> {
        let config = self.config();
        // The key may have left the configuration since the upgrade.
        let key = identify(&self.headers, &self.query, &config)?.client(wall_now)?;
        let slot = self.worker.concurrency.admit(config.server.limits.max_requests);
        let too_many = "too many requests are served at the same time (server.maxRequests)";
        Ok((slot.ok_or(ApiError::Overloaded(too_many))?, key))
    }

    async fn admit_key(&self, key: &Arc<KeyConfig>, profile: &Profile) -> Result<Option<KeyPermit>, KeyAdmissionError> {
        self.worker.keys.admit(key, profile, &self.config()).await
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
