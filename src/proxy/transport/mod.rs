//! awc, held by the hand: one client per worker and upstream, over a connector of ours.
//!
//! The connector lays TLS itself and hands awc an I/O type that sees each write and read. So the quota learns when a
//! request was written, a retry whether a reused connection was stale, and awc what it would not notice: interim heads
//! are dropped, a body that ends with its connection is whole, and one that breaks off is an error.

mod connector;
mod framing;
mod head;
mod io;

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use awc::Client;

pub(super) use self::io::Wire;
use crate::types::ApiId;
use crate::upstream::Endpoint;

/// How long an idle connection is kept: less than upstreams keep theirs (uvicorn: 5 s), so that few are found stale.
const KEEP_ALIVE: Duration = Duration::from_secs(4);

/// The clients of one worker thread, one for each upstream: awc bounds and times a client as a whole, so that one slow
/// upstream would starve the others of a shared one.
#[derive(Default)]
pub struct Clients {
    by_api: RefCell<HashMap<ApiId, (u64, Client)>>,
}

impl Clients {
    /// The client for this endpoint; a new one, without connections, if the endpoint is new.
    pub(super) fn get(&self, endpoint: &Endpoint) -> Client {
        let mut by_api = self.by_api.borrow_mut();
        match by_api.get(&endpoint.api) {
            Some((serial, client)) if *serial == endpoint.serial => client.clone(),
            Some(_) | None => {
                let client = connect(endpoint);
                by_api.insert(endpoint.api.clone(), (endpoint.serial, client.clone()));
                client
            }
        }
    }

    /// Closes every idle connection of this upstream, for they can't be trusted any more.
    pub(super) fn forget(&self, endpoint: &Endpoint) {
        self.by_api.borrow_mut().remove(&endpoint.api);
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
