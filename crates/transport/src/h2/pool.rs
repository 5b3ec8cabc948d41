//! The sessions of one reach: what the upstream speaks, which session a request takes, and when another is opened.
//!
//! ```text
//! Unknown ─ALPN: h2─▶ Http2 ◀──▶ Http1 ◀─anything else─ Unknown
//! ```
//!
//! While it is unknown, one connection is made, however many wait, and the upstream chooses. Where it does not choose
//! HTTP/2, that connection goes to awc, and all that follow offer HTTP/1.1 alone.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use actix_rt as rt;
use actix_tls::connect::{ConnectError as TcpError, ConnectInfo};
use awc::ClientRequest;
use awc::error::{ConnectError, SendRequestError};
use awc::http::Uri;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connection::{STREAMS, Session};
use super::exchange::{exchange, is_too_busy, wants_http1};
use super::slot::Seat;
use crate::client::IncomingResponse;
use crate::connector::{Gate, Offer};
use crate::trace::Wire;

/// What became of the connection that somebody waits for.
type News = Result<(), Rc<ConnectError>>;

/// The sessions of one reach.
pub(crate) struct Sessions(Rc<Pool>);

struct Pool {
    gate: Gate,
    /// Any of the upstream's: it names the host.
    uri: Uri,
    /// How long a connection may take to be made.
    within: Duration,
    speaks: Cell<Speaks>,
    open: RefCell<Vec<Rc<Session>>>,
    /// How many are being opened.
    opening: Cell<usize>,
    /// How many streams the last one takes.
    room: Cell<usize>,
    waiting: RefCell<Vec<oneshot::Sender<News>>>,
    /// How many sessions ended one after the other that had taken no request.
    useless: Cell<usize>,
}

/// How often a request is sent again that the upstream did not begin with, since the connection took no more (GOAWAY).
/// To the upstream the request never happened, so it is neither another attempt nor counted twice.
const MAX_REFUSALS: usize = 8;

/// The same for a request that is turned away (REFUSED_STREAM): a busy upstream does so, and more would make it worse.
const MAX_TURNED_AWAY: usize = 2;

/// After so many sessions that end before they take a request, who waits is told.
const MOST_USELESS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Unknown,
    Http1,
    Http2,
}

impl Sessions {
    /// Those of the upstream that `gate` leads to; none is open yet.
    pub(crate) fn new(gate: Gate, uri: Uri, within: Duration) -> Self {
        Sessions(Rc::new(Pool {
            gate,
            uri,
            within,
            speaks: Cell::new(Speaks::Unknown),
            open: RefCell::default(),
            opening: Cell::new(0),
            room: Cell::new(STREAMS),
            waiting: RefCell::default(),
            useless: Cell::new(0),
        }))
    }

    /// Sends a request, and waits for the head of the response. `None` if the upstream is to be spoken to in HTTP/1.1.
    pub(crate) async fn send(
        &self,
        request: &ClientRequest,
        body: &Bytes,
        wire: &Wire,
    ) -> Option<Result<IncomingResponse, SendRequestError>> {
        for nth in 1.. {
            let seat = match self.seat().await {
                Ok(seat) => seat?,
                Err(error) => return Some(Err(SendRequestError::Connect(error))),
            };
            let answer = exchange(seat, request, body.clone(), wire).await;
            if let Err(SendRequestError::H2(error)) = &answer
                && wants_http1(error)
            {
                self.leave();
            }
            let most = if is_too_busy(&answer) { MAX_TURNED_AWAY } else { MAX_REFUSALS };
            if nth >= most || !wire.begins_anew() {
                return Some(answer);
            }
        }
        None
    }

    /// A place for one stream, to be used at once; `None` if the upstream is to be spoken to in HTTP/1.1.
    ///
    /// # Errors
    /// When no connection could be made: nothing was sent.
    async fn seat(&self) -> Result<Option<Seat>, ConnectError> {
        match self.0.ready() {
            Some(ready) => Ok(ready),
            None => timeout(self.0.within, self.0.seat_later()).await.unwrap_or(Err(ConnectError::Timeout)),
        }
    }

    /// Over HTTP/1.1 no connection can be made: it may speak something else by now.
    pub(crate) fn ask_anew(&self) {
        self.0.speaks.set(Speaks::Unknown);
    }

    /// The upstream wants HTTP/1.1 after all.
    fn leave(&self) {
        self.0.speaks.set(Speaks::Http1);
        self.0.retire();
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.0.retire();
    }
}

impl Pool {
    /// A place, or the news that HTTP/1.1 is spoken, if that can be had without waiting.
    fn ready(&self) -> Option<Option<Seat>> {
        match self.speaks.get() {
            Speaks::Http1 => Some(None),
            Speaks::Unknown | Speaks::Http2 => self.seat().map(Some),
        }
    }

    async fn seat_later(self: &Rc<Self>) -> Result<Option<Seat>, ConnectError> {
        loop {
            // Who would send the news is there as long as this is.
            let news = self.wait().await.unwrap_or_else(|_| Err(Rc::new(ConnectError::Disconnected)));
            if let Some(ready) = self.ready() {
                return Ok(ready);
            }
            news.map_err(|error| copy(&error))?;
            if self.useless.get() >= MOST_USELESS {
                self.useless.set(0);
                return Err(takes_nothing());
            }
        }
    }

    /// A place in the oldest session that has one: so the others come to rest.
    fn seat(&self) -> Option<Seat> {
        let mut open = self.open.borrow_mut();
        let seat = open.iter().find_map(Session::seat);
        open.retain(|session| {
            let useless = !session.is_open() && !session.was_used();
            self.useless.set(self.useless.get() + usize::from(useless));
            session.is_open()
        });
        if seat.is_some() {
            self.useless.set(0);
        }
        seat
    }

    /// Waits for a connection. As many are opened as those who wait need.
    fn wait(self: &Rc<Self>) -> oneshot::Receiver<News> {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.waiting.borrow_mut();
        waiting.retain(|other| !other.is_closed());
        waiting.push(tell);
        let opening = self.opening.get();
        let enough = match self.speaks.get() {
            Speaks::Unknown | Speaks::Http1 => opening > 0,
            Speaks::Http2 => opening * self.room.get() >= waiting.len(),
        };
        if !enough {
            self.opening.set(opening + 1);
            let (gate, uri, within, pool) = (self.gate.clone(), self.uri.clone(), self.within, Rc::downgrade(self));
            // On its own: who asked for it may leave, and others wait for it too.
            rt::spawn(async move {
                let opened = timeout(within, open(gate, uri)).await.unwrap_or(Err(ConnectError::Timeout));
                if let Some(pool) = pool.upgrade() {
                    pool.opened(opened);
                }
            });
        }
        told
    }

    fn opened(&self, opened: Result<Option<Rc<Session>>, ConnectError>) {
        self.opening.set(self.opening.get().saturating_sub(1));
        let news = opened.map_err(Rc::new).map(|session| match session {
            Some(session) => {
                self.speaks.set(Speaks::Http2);
                self.room.set(session.limit());
                self.open.borrow_mut().push(session);
            }
            None => {
                self.speaks.set(Speaks::Http1);
                self.retire();
            }
        });
        for waiting in self.waiting.take() {
            // Who has left needs no news.
            let _ = waiting.send(news.clone());
        }
    }

    fn retire(&self) {
        self.open.take().iter().for_each(|session| session.retire());
    }
}

/// Connects; `None` if HTTP/2 is not spoken there.
async fn open(gate: Gate, uri: Uri) -> Result<Option<Rc<Session>>, ConnectError> {
    let (stream, chose_http2) = gate.connect(ConnectInfo::new(uri), Offer::Http2).await.map_err(of_tcp)?;
    if !chose_http2 {
        gate.spare(stream);
        return Ok(None);
    }
    let session = Session::open(stream).await.map_err(ConnectError::Io)?;
    if session.limit() == 0 {
        session.retire();
        return Err(takes_nothing());
    }
    Ok(Some(session))
}

fn takes_nothing() -> ConnectError {
    ConnectError::Io(io::Error::other("its connections take no requests"))
}

fn of_tcp(error: TcpError) -> ConnectError {
    match error {
        TcpError::Resolver(why) => ConnectError::Resolver(why),
        TcpError::NoRecords => ConnectError::NoRecords,
        TcpError::InvalidInput | TcpError::Unresolved => ConnectError::Unresolved,
        TcpError::Io(error) => ConnectError::Io(error),
    }
}

/// The same error for each who waited.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "awc's errors are open-ended; the rest tell no more than their text"
)]
fn copy(error: &ConnectError) -> ConnectError {
    match error {
        ConnectError::Timeout => ConnectError::Timeout,
        ConnectError::NoRecords => ConnectError::NoRecords,
        ConnectError::Disconnected => ConnectError::Disconnected,
        ConnectError::Resolver(why) => ConnectError::Resolver(why.to_string().into()),
        ConnectError::Io(error) => ConnectError::Io(match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        }),
        other => ConnectError::Io(io::Error::other(other.to_string())),
    }
}
