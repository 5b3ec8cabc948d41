//! The connections of one upstream: the spoken version, the choice of a connection, the opening of another.
//!
//! ```text
//! Unknown ─ALPN: h2─▶ Http2 ◀──▶ Http1 ◀─anything else─ Unknown
//! ```
//!
//! 1. While the protocol is unknown one connection is made, however many requests wait, and the upstream chooses.
//! 2. Where the upstream does not choose HTTP/2, the connection goes to awc. All later ones offer HTTP/1.1 alone.
//! 3. A request takes the oldest connection with a place, so the others fall idle.
//! 4. As many connections are opened as the waiting requests need, by the places of the last one.
//! 5. A request refused before any work is sent again, a few times, for the same attempt.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use actix_rt as rt;
use awc::ClientRequest;
use awc::error::SendRequestError;
use awc::http::uri::Authority;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connection::{Connection, MAX_STREAMS};
use super::exchange::{exchange, head, is_too_busy, wants_http1};
use super::slot::StreamSlot;
use crate::client::IncomingResponse;
use crate::connector::Connector;
use crate::error::SendError;
use crate::tls::Alpn;
use crate::trace::ExchangeTrace;

/// How often a request is sent again after a connection took no more requests (GOAWAY). To the upstream the request never
/// happened: the repeat is neither another attempt nor counted twice.
const MAX_REFUSALS: usize = 8;

/// The same after a request was turned away (REFUSED_STREAM), as busy upstreams do: more repeats would do harm.
const MAX_TURNED_AWAY: usize = 2;

/// After so many connections in a row without a single request, the waiting requests fail.
const MAX_FAILED_OPENS: usize = 3;

/// What became of an awaited connection.
type OpenResult = Result<(), SendError>;

pub(crate) struct ConnectionPool(Rc<PoolState>);

struct PoolState {
    connector: Connector,
    /// The upstream's host, as the requests name it.
    authority: Authority,
    connect_timeout: Duration,
    protocol: Cell<Protocol>,
    open: RefCell<Vec<Rc<Connection>>>,
    /// How many connections are being opened.
    opening: Cell<usize>,
    /// How many streams the last connection takes.
    last_limit: Cell<usize>,
    waiting: RefCell<Vec<oneshot::Sender<OpenResult>>>,
    /// How many connections in a row ended without a single request.
    failed_opens: Cell<usize>,
}

/// What the upstream speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Unknown,
    Http1,
    Http2,
}

impl ConnectionPool {
    /// Creates an empty pool for the upstream behind `connector`.
    pub(crate) fn new(connector: Connector, authority: Authority, connect_timeout: Duration) -> Self {
        ConnectionPool(Rc::new(PoolState {
            connector,
            authority,
            connect_timeout,
            protocol: Cell::new(Protocol::Unknown),
            open: RefCell::default(),
            opening: Cell::new(0),
            last_limit: Cell::new(MAX_STREAMS),
            waiting: RefCell::default(),
            failed_opens: Cell::new(0),
        }))
    }

    /// Sends a request, and waits for the head of the response. Returns `None` if the upstream speaks HTTP/1.1: then nothing
    /// was sent.
    pub(crate) async fn send(
        &self,
        request: &ClientRequest,
        body: &Bytes,
        trace: &ExchangeTrace,
    ) -> Option<Result<IncomingResponse, SendError>> {
        for nth in 1.. {
            let slot = match self.slot().await {
                Ok(slot) => slot?,
                Err(error) => return Some(Err(error)),
            };
            let response = match head(request, &self.0.authority, body.len()) {
                Ok(head) => exchange(slot, head, body.clone(), trace).await,
                Err(error) => Err(SendRequestError::Http(error)),
            };
            if let Err(SendRequestError::H2(error)) = &response
                && wants_http1(error)
            {
                self.switch_to_http1();
            }
            let most = if is_too_busy(&response) { MAX_TURNED_AWAY } else { MAX_REFUSALS };
            if nth >= most || !trace.reopen_for_replay() {
                return Some(response.map_err(|error| SendError::of_exchange(&error, trace)));
            }
        }
        None
    }

    /// Returns a place for one stream, to be used at once, or `None` if the upstream speaks HTTP/1.1.
    async fn slot(&self) -> Result<Option<StreamSlot>, SendError> {
        match self.0.slot_now() {
            Some(slot) => Ok(slot),
            None => timeout(self.0.connect_timeout, self.0.slot_later()).await.unwrap_or(Err(SendError::timeout())),
        }
    }

    /// Forgets what the upstream speaks: without a connection over HTTP/1.1, the version may have changed.
    pub(crate) fn forget_protocol(&self) {
        self.0.protocol.set(Protocol::Unknown);
    }

    fn switch_to_http1(&self) {
        self.0.protocol.set(Protocol::Http1);
        self.0.retire();
    }
}

impl Drop for ConnectionPool {
    fn drop(&mut self) {
        self.0.retire();
    }
}

impl PoolState {
    /// Returns a place, or `Some(None)` for HTTP/1.1, if the answer is known without waiting.
    fn slot_now(&self) -> Option<Option<StreamSlot>> {
        match self.protocol.get() {
            Protocol::Http1 => Some(None),
            Protocol::Unknown | Protocol::Http2 => self.take_slot().map(Some),
        }
    }

    async fn slot_later(self: &Rc<Self>) -> Result<Option<StreamSlot>, SendError> {
        loop {
            // The sender lives in this state, so an unsent result cannot happen while this future runs.
            let opened = self.wait().await.unwrap_or_else(|_| Err(SendError::takes_nothing()));
            if let Some(slot) = self.slot_now() {
                return Ok(slot);
            }
            opened?;
            if self.failed_opens.get() >= MAX_FAILED_OPENS {
                self.failed_opens.set(0);
                return Err(SendError::takes_nothing());
            }
        }
    }

    fn take_slot(&self) -> Option<StreamSlot> {
        let mut open = self.open.borrow_mut();
        let slot = open.iter().find_map(Connection::slot);
        open.retain(|connection| {
            let failed = !connection.is_open() && !connection.was_used();
            self.failed_opens.set(self.failed_opens.get() + usize::from(failed));
            connection.is_open()
        });
        if slot.is_some() {
            self.failed_opens.set(0);
        }
        slot
    }

    /// Waits for a connection, and opens another if the ones under way have too few places.
    fn wait(self: &Rc<Self>) -> oneshot::Receiver<OpenResult> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|other| !other.is_closed());
        waiting.push(sender);
        let opening = self.opening.get();
        let enough = match self.protocol.get() {
            Protocol::Unknown | Protocol::Http1 => opening > 0,
            Protocol::Http2 => opening * self.last_limit.get() >= waiting.len(),
        };
        if !enough {
            self.opening.set(opening + 1);
            // In a separate task: the asking request may leave, and others wait for the connection, too.
            rt::spawn(open(self.connector.clone(), self.connect_timeout, Rc::downgrade(self)));
        }
        receiver
    }

    fn on_opened(&self, opened: Result<Option<Rc<Connection>>, SendError>) {
        self.opening.set(self.opening.get().saturating_sub(1));
        let result = opened.map(|connection| match connection {
            Some(connection) => {
                self.protocol.set(Protocol::Http2);
                self.last_limit.set(connection.limit());
                self.open.borrow_mut().push(connection);
            }
            None => {
                self.protocol.set(Protocol::Http1);
                self.retire();
            }
        });
        for waiting in self.waiting.take() {
            // A request may have left.
            let _ = waiting.send(result.clone());
        }
    }

    fn retire(&self) {
        for connection in self.open.take() {
            connection.retire();
        }
    }
}

async fn open(connector: Connector, within: Duration, pool: std::rc::Weak<PoolState>) {
    let opened = timeout(within, connect(&connector)).await.unwrap_or(Err(SendError::timeout()));
    if let Some(pool) = pool.upgrade() {
        pool.on_opened(opened);
    }
}

/// Connects. Returns `None` if the upstream did not choose HTTP/2.
async fn connect(connector: &Connector) -> Result<Option<Rc<Connection>>, SendError> {
    let (stream, chose_http2) = connector.connect(Alpn::Http2).await?;
    if !chose_http2 {
        connector.keep_unclaimed(stream);
        return Ok(None);
    }
    let connection = Connection::open(stream).await?;
    if connection.limit() == 0 {
        connection.retire();
        return Err(SendError::takes_nothing());
    }
    Ok(Some(connection))
}
