//! One connection of HTTP/2, and the rules for new streams on the connection.
//!
//! A task drives the connection: reads, and writes what is handed over. The rules:
//! 1. A *retired* connection takes no new stream. The present streams are served to their end, and the connection closes.
//! 2. An idle connection is retired after [`IDLE_TIMEOUT`].
//! 3. A connection is pinged when nothing comes while something should. Without any sign of life the connection is first
//!    retired, and later closed with all streams.
//! 4. A stream given up on a silent connection retires the connection.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_rt as rt;
use bytes::Bytes;
use futures_util::task::noop_waker_ref;
use h2::Ping;
use h2::client::{self, SendRequest};
use tokio::time::{Instant, sleep};

use super::frames::{FrameObserver, ObservedIo};
use super::slot::StreamSlot;
use crate::stream::Stream;

/// How many streams of ours one connection has at the same time, at most.
pub(super) const MAX_STREAMS: usize = 64;

/// How much of a response (bytes) an upstream may send ahead of the clients. All streams of a connection together have
/// room for so much each: a stream whose client takes nothing does not hold up the others.
const WINDOW: u32 = 256 << 10;

/// The largest head of a response (bytes), as for HTTP/1.1.
const MAX_HEAD: u32 = 128 << 10;

/// How much of a request (bytes) may wait for the socket.
const MAX_UNSENT: usize = 256 << 10;

/// How many reset streams are remembered, and for how long: what still comes for a forgotten one costs a frame each.
const MAX_RESET_STREAMS: usize = 1_024;
const RESET_MEMORY: Duration = Duration::from_secs(10);

/// How long an idle connection is kept. Longer than with HTTP/1.1: an upstream announces the end.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a connection is looked after. An unused one closes with so much delay.
const TICK: Duration = Duration::from_secs(5);

/// After so long a silence (ms) while something should come, the other side is pinged. A connection whose other end has
/// vanished would otherwise swallow new requests until one of them gives up.
const QUIET_MS: u64 = 15_000;

/// Without a sign of life for so long after a ping, the connection takes no new stream: another connection costs little.
const PING_DOUBT: Duration = Duration::from_secs(2);

/// Without a sign of life for so long after a ping, the connection is closed with all streams.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// After so long a silence (ms) while something should come, a connection may have died without a word.
pub(super) const SILENT_MS: u64 = 1_000;

pub(super) struct Connection {
    /// Opens streams. `None`: the connection is retired.
    sender: RefCell<Option<SendRequest<Bytes>>>,
    /// How many streams the connection may have.
    limit: Cell<usize>,
    /// How many streams the connection has.
    pub(super) active: Cell<usize>,
    pub(super) idle_since: Cell<Instant>,
    /// Since when a sign of life is waited for.
    pinged: Cell<Option<Instant>>,
    /// Has the connection taken a request yet?
    used: Cell<bool>,
    /// Has the connection brought a response yet?
    pub(super) answered: Cell<bool>,
    /// [`FrameObserver::reads`] when the connection was idle last.
    pub(super) reads_when_idle: Cell<u64>,
    /// Has a stream reported that the connection broke?
    pub(super) broken: Cell<bool>,
    pub(super) observer: Rc<FrameObserver>,
}

impl Connection {
    /// Begins to speak HTTP/2 on a byte stream, and waits for the other side's settings: these limit the streams.
    pub(super) async fn open(stream: Stream) -> io::Result<Rc<Connection>> {
        let observer = Rc::<FrameObserver>::default();
        let handshake = client::Builder::new()
            .enable_push(false)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * MAX_STREAMS as u32)
            .max_header_list_size(MAX_HEAD)
            .max_send_buffer_size(MAX_UNSENT)
            .max_concurrent_reset_streams(MAX_RESET_STREAMS)
            .reset_stream_duration(RESET_MEMORY)
            // Else a connection with many reset streams would be broken off, with all other streams.
            .max_local_error_reset_streams(None)
            .handshake(ObservedIo::new(stream, observer.clone()));
        let (sender, mut driver) = handshake.await.map_err(io::Error::other)?;
        poll_fn(|cx| match Pin::new(&mut driver).poll(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(io::Error::other(error))),
            Poll::Ready(Ok(())) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Pending if observer.is_settled() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        })
        .await?;
        let connection = Rc::new(Connection {
            sender: RefCell::new(Some(sender)),
            limit: Cell::new(0),
            active: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            pinged: Cell::new(None),
            used: Cell::new(false),
            answered: Cell::new(false),
            reads_when_idle: Cell::new(0),
            broken: Cell::new(false),
            observer,
        });
        connection.set_limit(driver.max_concurrent_send_streams());
        rt::spawn(drive(driver, connection.clone()));
        Ok(connection)
    }

    /// Returns how many streams the connection may have.
    pub(super) fn limit(&self) -> usize {
        self.limit.get()
    }

    fn set_limit(&self, upstreams: usize) {
        self.limit.set(upstreams.min(MAX_STREAMS));
    }

    /// Returns whether the connection has taken a request.
    pub(super) fn was_used(&self) -> bool {
        self.used.get()
    }

    /// Returns whether the connection may still take a new stream.
    pub(super) fn is_open(&self) -> bool {
        self.sender.borrow().is_some()
    }

    /// Retires the connection: no new stream from now on.
    pub(super) fn retire(&self) {
        // The borrow must end before the drop: a drop wakes the driver.
        let sender = self.sender.borrow_mut().take();
        drop(sender);
    }

    /// Returns a place for one stream, if there is one. The caller opens the stream at once, as the connection may take none
    /// later. While the socket takes nothing there is no place: a request would wait behind all uploads, or on a dead
    /// connection.
    pub(super) fn slot(self: &Rc<Self>) -> Option<StreamSlot> {
        if self.active.get() >= self.limit.get() || self.observer.is_blocked() {
            return None;
        }
        let mut sender = self.sender.borrow().clone()?;
        // Not ready after a GOAWAY, nor when the stream numbers have run out.
        let ready = sender.poll_ready(&mut Context::from_waker(noop_waker_ref()));
        if !matches!(ready, Poll::Ready(Ok(()))) {
            self.retire();
            return None;
        }
        if self.active.get() == 0 {
            self.reads_when_idle.set(self.observer.reads());
        }
        self.active.set(self.active.get() + 1);
        self.used.set(true);
        Some(StreamSlot::new(self.clone(), sender))
    }

    /// Applies the rules of time. Returns what the driver has to do.
    fn on_tick(&self) -> TickAction {
        let idle = self.active.get() == 0;
        if idle && !self.is_open() {
            return TickAction::Close;
        }
        if idle && self.idle_since.get().elapsed() >= IDLE_TIMEOUT {
            self.retire();
        }
        if idle || self.observer.silent_for() < QUIET_MS {
            self.pinged.set(None);
            return TickAction::Wait(TICK);
        }
        let Some(pinged) = self.pinged.get() else {
            self.pinged.set(Some(Instant::now()));
            return TickAction::Ping;
        };
        if pinged.elapsed() >= PING_DOUBT {
            self.retire();
        }
        if pinged.elapsed() >= PING_TIMEOUT { TickAction::Close } else { TickAction::Wait(TICK) }
    }
}

/// What the driver has to do at a tick.
enum TickAction {
    /// Tick again after this time.
    Wait(Duration),
    /// Ask the other side for a sign of life.
    Ping,
    /// Close the connection.
    Close,
}

async fn drive(mut driver: client::Connection<ObservedIo, Bytes>, connection: Rc<Connection>) {
    let mut pings = driver.ping_pong();
    let mut timer = pin!(sleep(TICK));
    poll_fn(|cx| {
        // Reading comes first: what has come decides how the connection is judged.
        if Pin::new(&mut driver).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        connection.set_limit(driver.max_concurrent_send_streams());
        // Any byte was a sign of life. The pong itself only makes room for the next ping.
        if connection.pinged.get().is_some()
            && let Some(pings) = &mut pings
        {
            let _ = pings.poll_pong(cx);
        }
        while timer.as_mut().poll(cx).is_ready() {
            let wait = match connection.on_tick() {
                TickAction::Wait(wait) => wait,
                TickAction::Ping => {
                    // At worst, one is under way already.
                    let _ = pings.as_mut().map(|pings| pings.send_ping(Ping::opaque()));
                    PING_DOUBT
                }
                TickAction::Close => return Poll::Ready(()),
            };
            timer.as_mut().reset(Instant::now() + wait);
        }
        Poll::Pending
    })
    .await;
    connection.retire();
}
