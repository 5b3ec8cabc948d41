//! One stream's place in a session, and what it tells of the connection.

use std::rc::Rc;

use actix_web::web::Bytes;
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use tokio::time::Instant;

use super::super::fault::ConnectionLost;
use super::super::wire::Wire;
use super::{SILENT_MS, Session};

/// A place for one stream in a session. Dropping it frees it.
pub(in super::super) struct Seat {
    session: Rc<Session>,
    sender: Option<SendRequest<Bytes>>,
    stream: Option<u32>,
    ended: bool,
}

impl Seat {
    pub(super) fn new(session: Rc<Session>, sender: SendRequest<Bytes>) -> Self {
        Seat { session, sender: Some(sender), stream: None, ended: false }
    }

    /// Has the session brought an answer before?
    pub(in super::super) fn is_reused(&self) -> bool {
        self.session.answered.get()
    }

    /// Has anything come since the session was idle last? If not, it may have been closed by then.
    pub(in super::super) fn was_alive(&self) -> bool {
        self.session.log.came() > self.session.came_before.get()
    }

    /// Notes that the connection broke. Returns how that counts, if others are on it, too.
    pub(in super::super) fn break_off(&self) -> Option<ConnectionLost> {
        match (self.session.broken.replace(true), self.session.active.get()) {
            (false, ..=1) => None,
            (false, _) => Some(ConnectionLost::First),
            (true, _) => Some(ConnectionLost::AlreadyCounted),
        }
    }

    /// Opens the stream.
    ///
    /// # Errors
    /// When nothing was handed over.
    pub(in super::super) fn open(
        &mut self,
        head: http::Request<()>,
        bare: bool,
        wire: &Wire,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        // One that is gone was used before: the caller has one stream.
        let mut sender = self.sender.take().ok_or(h2::Error::from(h2::Reason::INTERNAL_ERROR))?;
        let (answer, body) = sender.send_request(head, bare)?;
        let stream = answer.stream_id().as_u32();
        self.stream = Some(stream);
        self.session.log.begin(stream, wire);
        Ok((answer, body))
    }

    /// Has the head of the request been written?
    pub(in super::super) fn is_headed(&self) -> bool {
        self.stream.is_some_and(|stream| self.session.log.is_headed(stream))
    }

    /// Has all of it been?
    pub(in super::super) fn is_written(&self) -> bool {
        self.stream.is_some_and(|stream| self.session.log.is_written(stream))
    }

    /// The head of an answer has come.
    pub(in super::super) fn answered(&self) {
        self.session.answered.set(true);
    }

    /// The stream has come to its proper end.
    pub(in super::super) fn end(&mut self) {
        self.ended = true;
    }

    pub(in super::super) fn has_ended(&self) -> bool {
        self.ended
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let session = &self.session;
        if let Some(stream) = self.stream {
            session.log.forget(stream);
            if !self.ended && session.log.silent_for() >= SILENT_MS {
                session.retire();
            }
        }
        session.active.set(session.active.get().saturating_sub(1));
        if session.active.get() == 0 {
            session.idle_since.set(Instant::now());
        }
    }
}
