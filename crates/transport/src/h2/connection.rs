//! One connection that speaks HTTP/2, and who may still use it.
//!
//! A task of its own drives it: reads what comes, writes what is handed over. It ends when the connection does. That closes
//! itself once nobody can ask for a new stream any more (it is *retired*) and the last stream has ended; so a session that
//! serves nobody new serves whom it has to the end.

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
use h2::client::{Builder, Connection, SendRequest};
use tokio::time::{Instant, sleep};

use super::frames::{FramesIo, Log};
use super::slot::Seat;
use crate::stream::Stream;

/// How many streams of ours one session has at the same time, at most.
pub(super) const STREAMS: usize = 64;

/// How much of an answer an upstream may send that nobody has taken. All streams of a session have room for so much at once, so
/// that those whose clients take nothing don't hold up the others.
const WINDOW: u32 = 256 << 10;

/// How large an answer's head may be, as for HTTP/1.
const LARGEST_HEAD: u32 = 128 << 10;

/// How much of a request may wait for the socket.
const UNSENT: usize = 256 << 10;

/// How many streams that were given up are remembered, and how long: what still comes for others costs a frame each.
const GIVEN_UP: usize = 1_024;
const REMEMBERED: Duration = Duration::from_secs(10);

/// How long a session is kept that serves nobody. Longer than a connection of HTTP/1: before an upstream closes it, it says so.
pub(crate) const IDLE: Duration = Duration::from_secs(30);

/// How often a session is looked after; so long it may take to close when nobody uses it any more.
const TICK: Duration = Duration::from_secs(5);

/// After so long a silence (ms) while something is to come, the other side is asked for a sign of life. (A connection whose other
/// end is gone without a word would take all new requests with it until one of them gives up.)
const QUIET_MS: u64 = 15_000;

/// Without one for so long, the session serves nobody new: a connection more costs little.
const DOUBTFUL: Duration = Duration::from_secs(2);

/// Without one for so long, the connection is given up with all that run on it.
const DEAD: Duration = Duration::from_secs(20);

/// A session on which nothing came for so long (ms), though it should have, when a stream is given up, may have died in silence.
pub(super) const SILENT_MS: u64 = 1_000;

/// A connection that speaks HTTP/2.
pub(super) struct Session {
    /// Opens streams. Gone when no more are to be opened.
    sender: RefCell<Option<SendRequest<Bytes>>>,
    /// How many streams it may have.
    limit: Cell<usize>,
    /// How many it has.
    pub(super) active: Cell<usize>,
    pub(super) idle_since: Cell<Instant>,
    /// Since when a sign of life is waited for.
    pinged: Cell<Option<Instant>>,
    /// Has it taken a request yet?
    used: Cell<bool>,
    /// Has it brought an answer yet?
    pub(super) answered: Cell<bool>,
    /// What had come ([`Log::came`]) when it was idle last.
    pub(super) came_before: Cell<u64>,
    /// Has a stream told that the connection broke?
    pub(super) broken: Cell<bool>,
    pub(super) log: Rc<Log>,
}

impl Session {
    /// Begins to speak HTTP/2 on a connection, and waits for the other side's settings: they say how many streams it takes.
    pub(super) async fn open(stream: Stream) -> io::Result<Rc<Session>> {
        let log = Rc::<Log>::default();
        let handshake = Builder::new()
            .enable_push(false)
            .initial_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * STREAMS as u32)
            .max_header_list_size(LARGEST_HEAD)
            .max_send_buffer_size(UNSENT)
            .max_concurrent_reset_streams(GIVEN_UP)
            .reset_stream_duration(REMEMBERED)
            // Else a session with many streams given up would be broken off, with all that run on it.
            .max_local_error_reset_streams(None)
            .handshake(FramesIo::new(stream, log.clone()));
        let (sender, mut connection) = handshake.await.map_err(io::Error::other)?;
        poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(io::Error::other(error))),
            Poll::Ready(Ok(())) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Pending if log.is_settled() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        })
        .await?;
        let session = Rc::new(Session {
            sender: RefCell::new(Some(sender)),
            limit: Cell::new(0),
            active: Cell::new(0),
            idle_since: Cell::new(Instant::now()),
            pinged: Cell::new(None),
            used: Cell::new(false),
            answered: Cell::new(false),
            came_before: Cell::new(0),
            broken: Cell::new(false),
            log,
        });
        session.limit_to(connection.max_concurrent_send_streams());
        rt::spawn(drive(connection, session.clone()));
        Ok(session)
    }

    /// How many streams it may have.
    pub(super) fn limit(&self) -> usize {
        self.limit.get()
    }

    fn limit_to(&self, theirs: usize) {
        self.limit.set(theirs.min(STREAMS));
    }

    /// Has it taken a request?
    pub(super) fn was_used(&self) -> bool {
        self.used.get()
    }

    /// May it still serve somebody new?
    pub(super) fn is_open(&self) -> bool {
        self.sender.borrow().is_some()
    }

    /// It serves nobody new.
    pub(super) fn retire(&self) {
        // Dropped when nothing is borrowed any more: it wakes the driver.
        let sender = self.sender.borrow_mut().take();
        drop(sender);
    }

    /// A place for one stream, if there is one. To be used at once: the connection may take none later. (Where the
    /// socket takes nothing, a request would wait behind all that others upload, or on a connection that is dead.)
    pub(super) fn seat(self: &Rc<Self>) -> Option<Seat> {
        if self.active.get() >= self.limit.get() || self.log.is_blocked() {
            return None;
        }
        let mut sender = self.sender.borrow().clone()?;
        // After a GOAWAY, and when it has run out of numbers, it is not.
        let ready = sender.poll_ready(&mut Context::from_waker(noop_waker_ref()));
        if !matches!(ready, Poll::Ready(Ok(()))) {
            self.retire();
            return None;
        }
        if self.active.get() == 0 {
            self.came_before.set(self.log.came());
        }
        self.active.set(self.active.get() + 1);
        self.used.set(true);
        Some(Seat::new(self.clone(), sender))
    }

    /// What is to be done with it at a tick.
    fn care(&self) -> Care {
        let idle = self.active.get() == 0;
        if idle && !self.is_open() {
            return Care::End;
        }
        if idle && self.idle_since.get().elapsed() >= IDLE {
            self.retire();
        }
        if idle || self.log.silent_for() < QUIET_MS {
            self.pinged.set(None);
            return Care::Wait(TICK);
        }
        let Some(pinged) = self.pinged.get() else {
            self.pinged.set(Some(Instant::now()));
            return Care::Ping;
        };
        if pinged.elapsed() >= DOUBTFUL {
            self.retire();
        }
        if pinged.elapsed() >= DEAD { Care::End } else { Care::Wait(TICK) }
    }
}

/// What is to be done with a session.
enum Care {
    /// It is looked after again by then.
    Wait(Duration),
    /// The other side is asked for a sign of life.
    Ping,
    /// It is over.
    End,
}

/// Drives a connection until it ends.
async fn drive(mut connection: Connection<FramesIo, Bytes>, session: Rc<Session>) {
    let mut pings = connection.ping_pong();
    let mut timer = pin!(sleep(TICK));
    poll_fn(|cx| {
        // What has come decides, so it is read before anybody is judged by it.
        if Pin::new(&mut connection).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        session.limit_to(connection.max_concurrent_send_streams());
        // Whatever came was a sign of life: the answer itself only makes room for the next question.
        if session.pinged.get().is_some()
            && let Some(pings) = &mut pings
        {
            let _ = pings.poll_pong(cx);
        }
        while timer.as_mut().poll(cx).is_ready() {
            let wait = match session.care() {
                Care::Wait(wait) => wait,
                Care::Ping => {
                    // One is under way already, at worst.
                    let _ = pings.as_mut().map(|pings| pings.send_ping(Ping::opaque()));
                    DOUBTFUL
                }
                Care::End => return Poll::Ready(()),
            };
            timer.as_mut().reset(Instant::now() + wait);
        }
        Poll::Pending
    })
    .await;
    session.retire();
}
