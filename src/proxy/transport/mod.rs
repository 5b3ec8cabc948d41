//! awc, held by the hand: one client per worker and upstream, over a connector of ours.
//!
//! 1. [`connector`]: connects, sets nodelay, lays TLS, and hands awc an [`io`] for the connection.
//! 2. [`filter`] (with [`head`] and [`framing`]) judges what comes: interim heads are dropped, a body that ends with its
//!    connection is whole, one that breaks off is an error, and a connection on which more came than was asked for, or
//!    whose answer could end in two places, serves no other request. What it refuses is a [`fault`].
//! 3. [`wire`]: so the quota learns when a request was written, and a retry whether a reused connection was stale.
//!
//! [`stream`] is the socket itself. All of it rests on the order of awc's steps: a request's head is written in one
//! piece, nothing is read before it is written, nothing is written after a final head was read.

mod connector;
mod fault;
mod filter;
mod framing;
mod head;
mod io;
mod stream;
mod wire;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use awc::http::Uri;
use awc::{Client, ClientRequest};

pub(crate) use self::framing::Framing;
pub(super) use self::wire::Wire;
use crate::types::{ApiId, Operation};
use crate::upstream::Endpoint;

/// How long an idle connection is kept: less than upstreams keep theirs (uvicorn: 5 s), so that few are found stale.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// The clients of one worker thread, one for each upstream: awc bounds and times a client as a whole, so that one slow
/// upstream would starve the others of a shared one.
#[derive(Default)]
pub struct Clients {
    by_api: RefCell<HashMap<ApiId, Rc<Reach>>>,
}

/// How one upstream is reached from this thread: what is the same for every request to it, made once.
pub(super) struct Reach {
    serial: u64,
    client: Client,
    authorization: Option<HeaderValue>,
    /// By operation, in the order of [`Operation::ALL`].
    uris: [Uri; Operation::ALL.len()],
}

impl Clients {
    /// The reach of this endpoint; a new one, without connections, if the endpoint is new.
    pub(super) fn get(&self, endpoint: &Endpoint) -> Rc<Reach> {
        let mut by_api = self.by_api.borrow_mut();
        match by_api.get(&endpoint.api) {
            Some(reach) if reach.serial == endpoint.serial => reach.clone(),
            Some(_) | None => {
                let reach = Rc::new(Reach::new(endpoint));
                by_api.insert(endpoint.api.clone(), reach.clone());
                reach
            }
        }
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
        Reach {
            serial: endpoint.serial,
            client: connect(endpoint),
            authorization,
            // A configured URL is valid; of another the client says so when it is asked for.
            uris: Operation::ALL.map(|operation| Uri::try_from(endpoint.url(operation)).unwrap_or_default()),
        }
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

fn connect(endpoint: &Endpoint) -> Client {
    let connector = awc::Connector::new()
        .connector(connector::Gate::new(endpoint.tls))
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
