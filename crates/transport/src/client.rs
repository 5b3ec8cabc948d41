//! How one upstream is reached from one thread: what is the same for every request to it, made once.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use actix_http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_http::{HttpMessage, Method, Payload, StatusCode, Uri};
use awc::error::SendRequestError;
use awc::{Client, ClientRequest, ClientResponse};
use bytes::Bytes;
use clock::{Now, SentAt};

use super::connector::Gate;
use super::error::SendError;
use super::h2::{self, Sessions};
use super::trace::Wire;

/// How long an idle connection is kept: less than upstreams keep theirs (uvicorn: 5 s), so that few are found stale.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// How many paths are kept parsed. A route's path is one of a few; paths with an object's id in them are parsed each time.
const MAX_KEPT_PATHS: usize = 32;

/// An upstream, as the transport needs to know it.
#[derive(Debug)]
pub struct Target {
    /// Names the upstream, whatever changes of it.
    pub id: String,
    /// What stands before each path: `http://host:port/v1/`. Always `http`, as the transport itself speaks TLS, and always
    /// with the real port.
    pub base: String,
    /// Is TLS spoken?
    pub tls: bool,
    /// May HTTP/2 be spoken over TLS?
    pub http2: bool,
    /// The header with the account's key.
    pub credentials: Option<(HeaderName, HeaderValue)>,
    /// How long a connection may take to be made: the name, TCP and TLS together.
    pub connect_timeout: Duration,
}

/// A client of one upstream.
pub struct UpstreamClient {
    target: Target,
    /// When the client was last asked for (ms, monotonic).
    used_at: Cell<u64>,
    /// Was one of its kept connections stale?
    stale: Cell<bool>,
    client: Client,
    /// Where HTTP/2 may be spoken.
    sessions: Option<Sessions>,
    uris: RefCell<Vec<(String, Uri)>>,
}

/// The head of a response, and the body that is to come.
pub struct IncomingResponse {
    /// Status and headers.
    pub head: IncomingHead,
    /// The body; an end that is no error is the end.
    pub body: Payload,
}

/// The head of a response. HTTP/1.1's is awc's own: its headers are not copied.
pub enum IncomingHead {
    /// As awc has it.
    Http1(ClientResponse),
    /// As h2 has it.
    Http2(StatusCode, HeaderMap),
}

impl IncomingHead {
    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        match self {
            IncomingHead::Http1(response) => response.status(),
            IncomingHead::Http2(status, _) => *status,
        }
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        match self {
            IncomingHead::Http1(response) => response.headers(),
            IncomingHead::Http2(_, headers) => headers,
        }
    }
}

impl UpstreamClient {
    pub(crate) fn new(target: Target) -> Self {
        let gate = Gate::new(target.tls);
        let connector = awc::Connector::new()
            .connector(gate.clone())
            .timeout(target.connect_timeout)
            .conn_keep_alive(KEEP_ALIVE)
            // Streams are long: a bound here would let requests wait in silence.
            .limit(0);
        let client = Client::builder()
            .connector(connector)
            // The deadlines are the caller's own.
            .disable_timeout()
            // A redirect would carry the body, and headers, to a host that nobody configured.
            .disable_redirects()
            .no_default_headers()
            .finish();
        let sessions =
            (target.tls && target.http2).then(|| Sessions::new(gate, parsed(&target.base), target.connect_timeout));
        UpstreamClient {
            target,
            used_at: Cell::new(0),
            stale: Cell::new(false),
            client,
            sessions,
            uris: RefCell::default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.target.id
    }

    pub(crate) fn note_use(&self) {
        self.used_at.set(Now::read_mono());
    }

    /// Returns whether the client was not asked for longer than an idle connection is kept. Responses that are under way
    /// go on without the client.
    pub(crate) fn is_unused(&self) -> bool {
        let kept = if self.sessions.is_some() { h2::IDLE } else { KEEP_ALIVE };
        Now::read_mono() > self.used_at.get() + kept.as_millis() as u64
    }

    /// Returns whether one of its kept connections was stale.
    pub(crate) fn was_stale(&self) -> bool {
        self.stale.get()
    }

    /// Returns a request for the path behind the target's base, with the account's key.
    pub fn request(&self, method: Method, path: &str) -> ClientRequest {
        let request = self.client.request(method, self.uri(path));
        match &self.target.credentials {
            Some(credentials) => request.insert_header(credentials.clone()),
            None => request,
        }
    }

    fn uri(&self, path: &str) -> Uri {
        let mut uris = self.uris.borrow_mut();
        if let Some((_, uri)) = uris.iter().find(|(known, _)| known == path) {
            return uri.clone();
        }
        let uri = parsed(&format!("{}{path}", self.target.base));
        if uris.len() < MAX_KEPT_PATHS {
            uris.push((path.to_owned(), uri.clone()));
        }
        uri
    }

    /// Sends a request, with a body unless that is empty, and waits for the head of the response. Records in `sent_at`
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
        body: Bytes,
        sent_at: &SentAt,
    ) -> Result<IncomingResponse, SendError> {
        let wire = Wire::new(sent_at.clone());
        let sent = self.exchange(request, body, &wire).await;
        sent.map_err(|error| {
            if wire.was_stale() && !wire.was_refused() {
                self.stale.set(true);
            }
            SendError::of_exchange(&error, &wire)
        })
    }

    async fn exchange(
        &self,
        request: ClientRequest,
        body: Bytes,
        wire: &Wire,
    ) -> Result<IncomingResponse, SendRequestError> {
        if let Some(sessions) = &self.sessions
            && let Some(answered) = sessions.send(&request, &body, wire).await
        {
            return answered;
        }
        let sending = if body.is_empty() { request.send() } else { request.send_body(body) };
        let answer = wire.watch(sending).await;
        if let (Err(SendRequestError::Connect(_)), Some(sessions)) = (&answer, &self.sessions) {
            sessions.ask_anew();
        }
        let mut response = answer?;
        let body = response.take_payload();
        Ok(IncomingResponse { head: IncomingHead::Http1(response), body })
    }
}

/// A configured URL is valid; of another awc says so when it is asked for.
fn parsed(url: &str) -> Uri {
    Uri::try_from(url).unwrap_or_default()
}
