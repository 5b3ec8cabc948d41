//! The client of one upstream on one thread: the parts shared by all requests, made once.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_http::uri::Authority;
use actix_http::{Method, Payload, RequestHead, ResponseHead, StatusCode, Uri};
use actix_tls::connect::ResolverService;
use awc::error::SendRequestError;
use awc::{Client, ClientRequest};
use bytes::Bytes;
use clock::{Now, SentAt};
use futures_util::Stream;

use super::connector::Connector;
use super::dial::parsed;
use super::error::SendError;
use super::h1::{Http1, KEEP_ALIVE};
use super::h2;
use super::proxy::Proxy;
use super::trace::ExchangeTrace;

/// How many paths are kept parsed. Most routes have a fixed path; further paths are parsed for each request.
const MAX_KEPT_PATHS: usize = 32;

/// A host for where none is known. (The connector knows where the upstream is.)
const NO_HOST: &str = "u";

/// An upstream, as the transport needs to know it.
#[derive(Debug)]
pub struct Target {
    /// Names the upstream, and stays when its other properties change.
    pub id: String,
    /// The start of each URL: `http://host:port/v1/`. Always `http`, as the transport itself speaks TLS, and always with the
    /// real port.
    pub base: String,
    /// Is TLS spoken?
    pub tls: bool,
    /// May HTTP/2 be spoken over TLS?
    pub http2: bool,
    /// The proxy on the way, if any.
    pub proxy: Option<Arc<Proxy>>,
    /// Headers of each request: the account's key, and others.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How long a connection may take to be made: the name, TCP, the proxy and TLS together.
    pub connect_timeout: Duration,
}

/// A client of one upstream.
pub struct UpstreamClient {
    target: Target,
    /// When the client was last asked for (ms, monotonic).
    used_at: Cell<u64>,
    /// Was a kept connection stale?
    stale: Cell<bool>,
    /// Builds requests.
    client: Client,
    http1: Http1,
    /// Where HTTP/2 may be spoken.
    http2: Option<h2::ConnectionPool>,
    /// The parsed URIs of known paths.
    uris: RefCell<Vec<(String, Uri)>>,
    /// The start of each path.
    base_path: String,
    /// The `host` header.
    host: Option<HeaderValue>,
}

/// The body of a request.
pub enum OutgoingBody {
    /// Bytes in memory; none for a request without a body.
    Bytes(Bytes),
    /// So many bytes, read while they are sent. Sent over HTTP/1.1.
    Stream(u64, Pin<Box<dyn Stream<Item = io::Result<Bytes>>>>),
}

impl OutgoingBody {
    /// Returns whether there is no body.
    pub fn is_empty(&self) -> bool {
        matches!(self, OutgoingBody::Bytes(bytes) if bytes.is_empty())
    }
}

impl From<Bytes> for OutgoingBody {
    fn from(body: Bytes) -> Self {
        OutgoingBody::Bytes(body)
    }
}

/// The head of a response, and the body to come.
pub struct IncomingResponse {
    /// Status and headers.
    pub head: IncomingHead,
    /// The body. An end without an error is the end meant by the upstream.
    pub body: Payload,
}

/// The head of a response, as the codec of its version read it.
pub enum IncomingHead {
    /// From actix-http.
    Http1(ResponseHead),
    /// From h2.
    Http2(StatusCode, HeaderMap),
}

impl IncomingHead {
    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        match self {
            IncomingHead::Http1(head) => head.status,
            IncomingHead::Http2(status, _) => *status,
        }
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        match self {
            IncomingHead::Http1(head) => head.headers(),
            IncomingHead::Http2(_, headers) => headers,
        }
    }
}

impl UpstreamClient {
    pub(crate) fn new(target: Target) -> Self {
        UpstreamClient::resolving(ResolverService::default(), target)
    }

    pub(crate) fn resolving(resolver: ResolverService, target: Target) -> Self {
        let base = parsed(&target.base);
        let host = named_host(&base, target.tls);
        let connector = Connector::to(&target, resolver);
        UpstreamClient {
            host: HeaderValue::from_str(host.as_str()).ok(),
            http1: Http1::new(connector.clone(), target.connect_timeout),
            http2: (target.tls && target.http2)
                .then(|| h2::ConnectionPool::new(connector, host, target.connect_timeout)),
            base_path: base.path().to_owned(),
            target,
            used_at: Cell::new(0),
            stale: Cell::new(false),
            client: Client::builder().no_default_headers().finish(),
            uris: RefCell::default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.target.id
    }

    pub(crate) fn note_use(&self) {
        self.used_at.set(Now::read_mono());
    }

    /// Returns whether the client was not asked for longer than an idle connection is kept. Responses under way go
    /// on without the client.
    pub(crate) fn is_unused(&self) -> bool {
        let kept = if self.http2.is_some() { h2::IDLE_TIMEOUT } else { KEEP_ALIVE };
        Now::read_mono() > self.used_at.get() + kept.as_millis() as u64
    }

    /// Returns whether a kept connection was stale.
    pub(crate) fn was_stale(&self) -> bool {
        self.stale.get()
    }

    /// Returns a request for the path after the target's base, with the target's headers.
    pub fn request(&self, method: Method, path: &str) -> ClientRequest {
        self.request_to(method, self.uri(path))
    }

    /// Returns a request likewise. The path is one of very many, and so not kept.
    pub fn request_once(&self, method: Method, path: &str) -> ClientRequest {
        self.request_to(method, self.parsed_uri(path))
    }

    fn request_to(&self, method: Method, uri: Uri) -> ClientRequest {
        let mut request = self.client.request(method, uri);
        let headers = request.headers_mut();
        if let Some(host) = &self.host {
            headers.insert(header::HOST, host.clone());
        }
        for (name, value) in &self.target.headers {
            headers.insert(name.clone(), value.clone());
        }
        request
    }

    fn uri(&self, path: &str) -> Uri {
        let mut uris = self.uris.borrow_mut();
        if let Some((_, uri)) = uris.iter().find(|(known, _)| known == path) {
            return uri.clone();
        }
        let uri = self.parsed_uri(path);
        // A client chooses the query: each one is another.
        if uris.len() < MAX_KEPT_PATHS && !path.contains('?') {
            uris.push((path.to_owned(), uri.clone()));
        }
        uri
    }

    fn parsed_uri(&self, path: &str) -> Uri {
        parsed(&format!("http://{NO_HOST}{}{path}", self.base_path))
    }

    /// Sends a request with a body, and waits for the head of the response. Records in `sent_at`
    /// when the request was written.
    ///
    /// # Errors
    /// When no head came.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection, or resets the stream.
    pub async fn send(
        &self,
        request: ClientRequest,
        body: impl Into<OutgoingBody>,
        sent_at: &SentAt,
    ) -> Result<IncomingResponse, SendError> {
        let trace = ExchangeTrace::new(sent_at.clone());
        let mut response = self.exchange(request, body.into(), &trace).await;
        if let Err(error) = &mut response {
            // After a GOAWAY the other connections are sound.
            if trace.was_stale() && !trace.was_refused() {
                self.stale.set(true);
            }
            error.name_proxy(self.target.proxy.as_deref());
        }
        response
    }

    async fn exchange(
        &self,
        mut request: ClientRequest,
        body: OutgoingBody,
        trace: &ExchangeTrace,
    ) -> Result<IncomingResponse, SendError> {
        if let (OutgoingBody::Bytes(body), Some(http2)) = (&body, &self.http2)
            && let Some(response) = http2.send(&request, body, trace).await
        {
            return response;
        }
        let mut head = RequestHead::default();
        head.method = request.get_method().clone();
        head.uri = request.get_uri().clone();
        head.headers = std::mem::take(request.headers_mut());
        self.http1.send(head, body, trace).await.map_err(|error| {
            if let (SendRequestError::Connect(_), Some(http2)) = (&error, &self.http2) {
                http2.forget_protocol();
            }
            SendError::of_exchange(&error, trace)
        })
    }
}

/// Returns the host and port for the upstream: without the scheme's own port.
pub(crate) fn named_host(base: &Uri, tls: bool) -> Authority {
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let named = authority.strip_suffix(if tls { ":443" } else { ":80" }).unwrap_or(authority);
    Authority::try_from(named).unwrap_or_else(|_| Authority::from_static(NO_HOST))
}

#[cfg(test)]
mod tests;
