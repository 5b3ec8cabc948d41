//! How requests reach an upstream: over HTTP/2 where it chooses that (ALPN), else over HTTP/1.1. [`Reach::send`] hides which.
//!
//! HTTP/1.1 is awc, held by the hand: one client per worker and upstream, over a connector of ours.
//!
//! 1. [`connector`]: connects, sets nodelay, lays TLS, and hands awc an [`io`] for the connection.
//! 2. [`filter`] (with [`head`] and [`framing`]) judges what comes: interim heads are dropped, a body that ends with its
//!    connection is whole, one that breaks off is an error, and a connection on which more came than was asked for, or
//!    whose answer could end in two places, serves no other request. What it refuses is a [`fault`].
//! 3. [`wire`]: so the quota learns when a request was written, and a retry whether a reused connection was stale.
//!
//! HTTP/2 is the crate h2 over the same connector. [`sessions`] are the connections of one upstream, [`session`] is one of them,
//! [`multiplex`] one exchange on it, and [`frames`] looks at what is written, so that the wire knows when its request was.
//!
//! [`stream`] is the socket itself. What is above awc's part rests on the order of awc's steps: a request's head is written in one
//! piece, nothing is read before it is written, nothing is written after a final head was read.

mod connector;
mod fault;
mod filter;
mod frames;
mod framing;
mod head;
mod io;
mod multiplex;
mod session;
mod sessions;
mod stream;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web::rt;
use actix_web::web::Bytes;
use awc::error::SendRequestError;
use awc::http::Uri;
use awc::{Client, ClientRequest, ClientResponse};
use tokio::time::sleep;

use self::connector::Gate;
pub(super) use self::fault::{ConnectionLost, connection_lost};
pub(crate) use self::framing::Framing;
use self::sessions::Sessions;
pub(super) use self::wire::Wire;
use crate::types::{ApiId, Now, Operation};
use crate::upstream::Endpoint;

/// How long an idle connection is kept: less than upstreams keep theirs (uvicorn: 5 s), so that few are found stale.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// How often one attempt is begun that the upstream does not begin with (a connection that takes no more was full of others). It
/// has not happened, for the upstream, so it is neither another attempt nor counted twice.
const MOST_REFUSALS: usize = 8;

/// The same for one that it turns away (REFUSED_STREAM): so do those that are too busy, and more would make it worse.
const MOST_TURNED_AWAY: usize = 2;

/// How often upstreams are looked after that are not asked any more.
const SWEEP: Duration = Duration::from_secs(5);

/// The clients of one worker thread, one for each upstream: awc bounds and times a client as a whole, so that one slow
/// upstream would starve the others of a shared one.
#[derive(Default)]
pub struct Clients {
    by_api: Rc<RefCell<Reaches>>,
    sweeping: Rc<Cell<bool>>,
}

type Reaches = HashMap<ApiId, Rc<Reach>>;

/// How one upstream is reached from this thread: what is the same for every request to it, made once.
pub(super) struct Reach {
    serial: u64,
    /// When it was last asked for (ms, monotonic).
    used: Cell<u64>,
    client: Client,
    /// Where HTTP/2 may be spoken.
    sessions: Option<Sessions>,
    authorization: Option<HeaderValue>,
    /// By operation, in the order of [`Operation::ALL`].
    uris: [Uri; Operation::ALL.len()],
}

/// The head of an answer, and the body that is to come.
pub(super) struct Incoming {
    pub(super) head: AnswerHead,
    pub(super) payload: Payload,
}

/// Of HTTP/1.1 as awc has it: its headers are not copied for each answer.
pub(super) enum AnswerHead {
    Http1(ClientResponse),
    Http2(StatusCode, HeaderMap),
}

impl Incoming {
    fn over_http1(mut answer: ClientResponse) -> Self {
        let payload = answer.take_payload();
        Incoming { head: AnswerHead::Http1(answer), payload }
    }

    fn over_http2(status: StatusCode, headers: HeaderMap, payload: Payload) -> Self {
        Incoming { head: AnswerHead::Http2(status, headers), payload }
    }
}

impl AnswerHead {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            AnswerHead::Http1(answer) => answer.status(),
            AnswerHead::Http2(status, _) => *status,
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            AnswerHead::Http1(answer) => answer.headers(),
            AnswerHead::Http2(_, headers) => headers,
        }
    }
}

impl Clients {
    /// The reach of this endpoint; a new one, without connections, if the endpoint is new.
    pub(super) fn get(&self, endpoint: &Endpoint) -> Rc<Reach> {
        let mut by_api = self.by_api.borrow_mut();
        let reach = match by_api.get(&endpoint.api) {
            Some(reach) if reach.serial == endpoint.serial => reach.clone(),
            Some(_) | None => {
                let reach = Rc::new(Reach::new(endpoint));
                by_api.insert(endpoint.api.clone(), reach.clone());
                self.sweep();
                reach
            }
        };
        reach.used.set(Now::read_mono());
        reach
    }

    /// Sees to it that what is not used any more is closed: awc closes an idle connection only when another is asked for, and
    /// an upstream may have left the configuration.
    fn sweep(&self) {
        if self.sweeping.replace(true) {
            return;
        }
        let (by_api, sweeping) = (Rc::downgrade(&self.by_api), self.sweeping.clone());
        rt::spawn(async move {
            loop {
                sleep(SWEEP).await;
                let Some(by_api) = by_api.upgrade() else { return };
                let mut by_api = by_api.borrow_mut();
                by_api.retain(|_, reach| Rc::strong_count(reach) > 1 || !reach.is_forgotten());
                if by_api.is_empty() {
                    sweeping.set(false);
                    return;
                }
            }
        });
    }

    /// Closes every idle connection of this reach: one of them was stale, and so the others may be. Who asks next
    /// connects anew.
    pub(super) fn forget(&self, endpoint: &Endpoint, stale: &Rc<Reach>) {
        let mut by_api = self.by_api.borrow_mut();
        if by_api.get(&endpoint.api).is_some_and(|reach| Rc::ptr_eq(reach, stale)) {
            by_api.remove(&endpoint.api);
        }
    }
}

impl Reach {
    fn new(endpoint: &Endpoint) -> Reach {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", endpoint.key.expose())).ok();
        authorization.iter_mut().for_each(|value| value.set_sensitive(true));
        let gate = Gate::new(endpoint.tls);
        // A configured URL is valid; of another the client says so when it is asked for.
        let uris = Operation::ALL.map(|operation| Uri::try_from(endpoint.url(operation)).unwrap_or_default());
        let any = uris.first().cloned().unwrap_or_default();
        let may_multiplex = endpoint.tls && endpoint.http2;
        Reach {
            serial: endpoint.serial,
            used: Cell::new(0),
            client: connect(endpoint, gate.clone()),
            sessions: may_multiplex.then(|| Sessions::new(gate, any, endpoint.timeouts.connect)),
            authorization,
            uris,
        }
    }

    /// Has nobody asked for it for longer than an idle connection is kept? What still runs on one goes on without it.
    fn is_forgotten(&self) -> bool {
        let kept = if self.sessions.is_some() { session::IDLE } else { KEEP_ALIVE };
        Now::read_mono() > self.used.get() + kept.as_millis() as u64
    }

    /// Sends a request, with a body unless that is empty, and waits for the head of the answer.
    ///
    /// # Errors
    /// When none came; `wire` knows whether it may be sent again.
    pub(super) async fn send(
        &self,
        request: ClientRequest,
        body: Bytes,
        wire: &Wire,
    ) -> Result<Incoming, SendRequestError> {
        if let Some(sessions) = &self.sessions {
            for nth in 1.. {
                let Some(seat) = sessions.seat().await.map_err(SendRequestError::Connect)? else { break };
                let answer = multiplex::exchange(seat, &request, body.clone(), wire).await;
                if let Err(SendRequestError::H2(error)) = &answer
                    && multiplex::wants_http1(error)
                {
                    sessions.leave();
                }
                let most = if multiplex::is_too_busy(&answer) { MOST_TURNED_AWAY } else { MOST_REFUSALS };
                if nth >= most || !wire.begins_anew() {
                    return answer;
                }
            }
        }
        let sending = if body.is_empty() { request.send() } else { request.send_body(body) };
        let answer = wire.watch(sending).await;
        if let (Err(SendRequestError::Connect(_)), Some(sessions)) = (&answer, &self.sessions) {
            sessions.ask_anew();
        }
        answer.map(Incoming::over_http1)
    }

    /// A request for an operation, with the account's key.
    pub(super) fn post(&self, operation: Operation) -> ClientRequest {
        let uri = self.uris.get(operation as usize).cloned().unwrap_or_default();
        self.with_key(self.client.post(uri))
    }

    /// A request for something else, with the account's key.
    pub(super) fn fetch(&self, url: &str) -> ClientRequest {
        self.with_key(self.client.get(url))
    }

    fn with_key(&self, request: ClientRequest) -> ClientRequest {
        match &self.authorization {
            Some(authorization) => request.insert_header((AUTHORIZATION, authorization.clone())),
            None => request,
        }
    }
}

fn connect(endpoint: &Endpoint, gate: Gate) -> Client {
    let connector = awc::Connector::new()
        .connector(gate)
        .timeout(endpoint.timeouts.connect)
        .conn_keep_alive(KEEP_ALIVE)
        // Streams are long: a bound here would let requests wait in silence.
        .limit(0);
    Client::builder()
        .connector(connector)
        // The deadlines are the exchange's own.
        .disable_timeout()
        // A redirect would carry the body, and headers, to a host that nobody configured.
        .disable_redirects()
        .no_default_headers()
        .finish()
}
